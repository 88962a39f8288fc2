"""CURVE and --allow-ip: who gets messages from the real command, and who gets nothing."""

from pathlib import Path
from typing import Any

import pytest
from support.bms import FakeBms
from support.fixtures import Run, Start
from support.frames import status
from support.process import Command

pytestmark = pytest.mark.slow


class Keys:
    """Key pairs made by the real command: of the service, a listed and an unlisted client."""

    def __init__(self, folder: Path, start: Start) -> None:
        self.folder = folder
        for name in ("server", "listed", "unlisted"):
            assert start("keygen", str(folder / name)).wait() == 0
        self.allowed = folder / "clients"
        self.allowed.mkdir()
        (self.allowed / "listed.key").write_bytes((folder / "listed.key").read_bytes())

    def __getitem__(self, name: str) -> str:
        return str(self.folder / name)


@pytest.fixture
def keys(tmp_path: Path, start: Start) -> Keys:
    return Keys(tmp_path, start)


def guarded(run: Run, keys: Keys, *arguments: str, **options: Any) -> Command:
    return run(
        "--no-stdout",
        *("--curve-secret-key", keys["server.key_secret"], "--curve-allow", str(keys.allowed)),
        *arguments,
        **options,
    )


def listen(start: Start, endpoint: str, server: str = "", secret: str = "") -> Command:
    keys = ("--curve-server-key", server) if server else ()
    secrets = ("--curve-secret-key", secret) if secret else ()
    return start("listen", *keys, *secrets, "--topic", "recbms/main/soc", endpoint)


def test_only_a_client_with_a_listed_key_gets_messages(
    bms: FakeBms, run: Run, start: Start, keys: Keys
) -> None:
    service = guarded(run, keys, "--report", "all", bms.url)
    endpoint = service.endpoint()
    refused = {
        "unlisted key": listen(start, endpoint, keys["server.key"], keys["unlisted.key_secret"]),
        "new key": listen(start, endpoint, keys["server.key"]),
        "wrong server key": listen(
            start, endpoint, keys["unlisted.key"], keys["listed.key_secret"]
        ),
        "no key": listen(start, endpoint),
    }
    for name, client in refused.items():
        is_known = name in ("unlisted key", "new key")  # that of the service
        why = "this key or address is not allowed" if is_known else "it requires CURVE, or "
        client.stderr.line("refused the connection", why)
    good = listen(start, endpoint, keys["server.key"], keys["listed.key_secret"])
    good.message(payload=28.5)
    bms.send(status(soc=0.5))
    good.message(payload=50.0)
    assert {name: list(client.stdout) for name, client in refused.items()} == {
        name: [] for name in refused
    }


def test_a_refused_client_is_logged_once_with_its_address_and_why(
    bms: FakeBms, run: Run, start: Start, keys: Keys
) -> None:
    service = guarded(run, keys, bms.url)
    endpoint = service.endpoint()
    for _ in range(2):
        for arguments in (
            (keys["server.key"], keys["unlisted.key_secret"]),
            (keys["unlisted.key"], keys["listed.key_secret"]),
            (),
        ):
            listen(start, endpoint, *arguments).stderr.line("refused the connection")
    service.stderr.line("it does not use CURVE")
    assert service.stop() == 0
    lines = [line.partition("warning ")[2] for line in service.stderr.text().splitlines()]
    refusals = [line for line in lines if line.startswith("refused a subscriber ")]
    assert len(refusals) == len(set(refusals))
    # A connection that has ended before it is looked at has no address any more.
    assert {line.replace(f" of {endpoint}:", " from 127.0.0.1:") for line in refusals} == {
        f"refused a subscriber from 127.0.0.1: {reason}"
        for reason in (
            "its key is not in --curve-allow",
            "it does not use CURVE, or went away during the handshake",
            "it has another server key than this service",
        )
    }


def test_curve_allow_any_accepts_every_client_with_the_servers_key(
    bms: FakeBms, run: Run, start: Start, keys: Keys
) -> None:
    service = run(
        *("--no-stdout", "--curve-secret-key", keys["server.key_secret"], "--curve-allow-any"),
        bms.url,
    )
    plain = listen(start, service.endpoint())
    plain.stderr.line("refused the connection")
    listen(start, service.endpoint(), keys["server.key"]).message(payload=28.5)
    assert list(plain.stdout) == []


def test_allow_ip_lets_in_only_clients_from_these_addresses(
    bms: FakeBms, run: Run, start: Start, tmp_path: Path
) -> None:
    path = f"ipc://{tmp_path}/pub"
    service = run(
        "--no-stdout",
        *("--publish", "tcp://127.0.0.1:*", "--publish", "tcp://[::1]:*", "--publish", path),
        *("--allow-ip", "::1", "--allow-ip", "192.168.8.0/24"),
        bms.url,
    )
    far = listen(start, service.endpoint(0))
    far.stderr.line("refused the connection")
    service.stderr.line("from 127.0.0.1: its address is not in --allow-ip")
    listen(start, service.endpoint(1)).message(payload=28.5)
    listen(start, path).message(payload=28.5)  # the mode of the socket decides there
    assert list(far.stdout) == []
    assert service.stop() == 0
    assert service.stderr.text().count("refused a subscriber") == 1
