"""`wss://`: which servers are trusted, and that others get no password."""

import os
from pathlib import Path

import pytest
from support.bms import FakeBms
from support.certificate import Certificate, make_certificate
from support.fixtures import MakeBms, Run
from support.raw_server import raw_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("ours"), "IP:127.0.0.1")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("other"), "DNS:bms.example")


@pytest.fixture
def tls_bms(make_bms: MakeBms, ours: Certificate) -> FakeBms:
    return make_bms(tls=ours.context)


def test_a_certificate_from_the_ca_file_is_trusted(
    tls_bms: FakeBms, ours: Certificate, run: Run
) -> None:
    service = run("--no-publish", "--ca-file", str(ours.path), tls_bms.url)
    assert service.message(key="soc")["payload"] == 28.5
    assert service.stop() == 0


def test_a_pinned_certificate_is_trusted_without_authorities_and_whatever_its_name(
    make_bms: MakeBms, other: Certificate, run: Run
) -> None:
    bms = make_bms(tls=other.context)
    service = run("--no-publish", "--tls-fingerprint", other.fingerprint, bms.url)
    assert service.message(key="soc")["payload"] == 28.5


def test_a_server_that_is_not_trusted_gets_nothing(
    make_bms: MakeBms,
    tls_bms: FakeBms,
    ours: Certificate,
    other: Certificate,
    run: Run,
    tmp_path: Path,
) -> None:
    misnamed = make_bms(tls=other.context)
    url = tls_bms.url.replace("://", "://me:s3cret@")
    config = tmp_path / "recbms.toml"
    config.write_text(
        f"""
        [[bms]]
        name = "unknown"
        url = "{url}"
        [[bms]]
        name = "wrong-ca"
        url = "{url}"
        ca_file = "{other.path}"
        [[bms]]
        name = "wrong-name"
        url = "{misnamed.url}"
        ca_file = "{other.path}"
        [[bms]]
        name = "wrong-pin"
        url = "{url}"
        tls_fingerprint = "{other.fingerprint}"
        [[bms]]
        name = "wrong-pin-right-ca"
        url = "{url}"
        ca_file = "{ours.path}"
        tls_fingerprint = "{other.fingerprint}"
        """,
        encoding="utf-8",
    )
    service = run("--config", str(config), "--no-publish")
    pinned = f"TLS failed: certificate has SHA-256 {ours.fingerprint}"
    expected = {
        "unknown": "TLS failed: self-signed certificate",
        "wrong-ca": "TLS failed: self-signed certificate",
        "wrong-name": "TLS failed: IP address mismatch, certificate is not valid for '127.0.0.1'.",
        "wrong-pin": pinned,
        "wrong-pin-right-ca": pinned,
    }
    for name, reason in expected.items():
        service.stderr.line(f" {name}: {reason}", "trying again")
    assert service.stop() == 0
    assert {m["payload"] for m in service.messages} == {"offline"}
    assert [bms.connections for bms in (tls_bms, misnamed)] == [[], []]
    assert "s3cret" not in service.stderr.text()


def test_a_server_without_tls_is_called_that(run: Run) -> None:
    with raw_server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as plain:
        service = run("--no-publish", f"wss://{plain.authority}/ws")
        service.stderr.line("TLS failed: WRONG_VERSION_NUMBER", "trying again")


@pytest.mark.parametrize("content", [None, "fifo", "no certificate"])
def test_a_ca_file_that_cannot_be_used_is_a_configuration_error(
    content: str | None, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    if content == "fifo":
        os.mkfifo(path)
    elif content is not None:
        path.write_text(content, encoding="ascii")
    service = run("--no-publish", "--ca-file", str(path), "wss://127.0.0.1:1/ws")
    assert service.wait() == 78
    assert service.stderr.text().startswith(f"recbms-zmq: cannot use the certificates in {path}: ")
    assert len(service.stderr.all()) == 1
