import asyncio
import ssl
from collections.abc import Callable, Iterator

import pytest
from support.certificate import Certificate, make_certificate
from support.module import CELL, FakeModule, answer
from support.receiver import RecordingReceiver, run_source
from support.waiting import eventually

from recbms_zmq.sources.http import HttpSource
from recbms_zmq.sources.network import tls_context

TEXT = CELL.decode()
MakeModule = Callable[..., FakeModule]


@pytest.fixture
def make_module() -> Iterator[MakeModule]:
    made: list[FakeModule] = []

    def make(*answers: bytes | None, tls: ssl.SSLContext | None = None) -> FakeModule:
        made.append(FakeModule(*answers, tls=tls))
        return made[-1]

    yield make
    for module in made:
        module.close()


def chunked(*parts: bytes) -> bytes:
    chunks = b"".join(b"%x;made=up\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def with_framing(size: int) -> bytes:
    """Return an answer in chunks of so many bytes, each with 8,000 more in front of it."""
    parts = [CELL[at : at + size] for at in range(0, len(CELL), size)]
    return chunked(*parts).replace(b";made=up", b";" + b"x" * 8000)


MANY_REDIRECTS = "the BMS redirects more than 3 times"


def test_it_asks_again_and_again_over_what_is_one_link(make_module: MakeModule) -> None:
    module = make_module()
    calls = run_source(HttpSource(module.url, interval=0.01), 4)
    assert calls == [("connected", ""), ("frame", TEXT), ("frame", TEXT), ("frame", TEXT)]
    assert module.requests[0].startswith(
        b"GET /cell HTTP/1.1\r\nHost: " + module.authority.encode()
    )


@pytest.mark.parametrize(
    "good",
    [
        pytest.param(answer(), id="with its length"),
        pytest.param(chunked(CELL[:10], CELL[10:]), id="in chunks"),
        pytest.param(with_framing(len(CELL) // 15 + 1), id="in much framing"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(), id="after 100 Continue"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n" + CELL, id="until the connection ends"),
        pytest.param(b"HTTP/1.1 200 OK\nServer: old\n\n" + CELL, id="with bare newlines"),
    ],
)
def test_it_reads_an_answer(make_module: MakeModule, good: bytes) -> None:
    calls = run_source(HttpSource(make_module(good).url), 2)
    assert calls == [("connected", ""), ("frame", TEXT)]


@pytest.mark.usefixtures("delays")
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"", "the BMS gave no valid answer"),
        (b"\x00\xff\n\n", "the BMS gave no valid answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "the BMS gave no valid answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc", "the BMS gave no valid answer"),
        (answer(headers="Content-Length: 5\r\n"), "the BMS gave no valid answer"),
        (answer(headers="Transfer-Encoding: gzip\r\n"), "the BMS gave no valid answer"),
        (answer()[:-1], "the BMS gave no valid answer"),
        (answer(headers=f"Location: {'/x' * 5}\r\n", status="302 Found"), MANY_REDIRECTS),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5", "the BMS gave no valid answer"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n", "the BMS gave no valid answer"),
        (b"HTTP/1.1 200 OK\r\na: " + b"b" * 200_000, "the BMS gave no valid answer"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n0123456789",
            "the BMS gave no valid answer",
        ),
        (chunked(CELL)[:-60], "the BMS gave no valid answer"),
        (chunked(b"{}").replace(b"2;", b"0x2;"), "the BMS gave no valid answer"),
        (chunked(b"{}").replace(b"{}", b"{} "), "the BMS gave no valid answer"),
        (answer(status="404 Not Found"), "the BMS answered with HTTP status 404"),
        (
            answer(status="302 Found", headers="Location: http://127.0.0.1:1/secret\r\n"),
            "the BMS redirects to another server, which is refused: http://127.0.0.1:1/secret",
        ),
        (answer(b" " * 1025), "the answer was longer than --max-frame"),
        (with_framing(len(CELL) // 20), "the answer was longer than --max-frame"),
        (chunked(b" " * 600, b" " * 600), "the answer was longer than --max-frame"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 2000, "the answer was longer than --max-frame"),
    ],
)
def test_a_bad_answer_has_a_reason_and_is_asked_for_again(
    make_module: MakeModule, bad: bytes, reason: str
) -> None:
    requests = 4 if reason == MANY_REDIRECTS else 1
    module = make_module(*[bad] * requests, answer())
    calls = run_source(HttpSource(module.url, max_frame=1024), 3)
    assert calls == [("disconnected", reason), ("connected", ""), ("frame", TEXT)]
    assert len(module.requests) == requests + 1


def test_an_answer_of_exactly_max_frame_is_taken(make_module: MakeModule) -> None:
    text = b" " * (1024 - len(CELL)) + CELL
    for whole in (answer(text), chunked(text), b"HTTP/1.0 200 OK\r\n\r\n" + text):
        calls = run_source(HttpSource(make_module(whole).url, max_frame=1024), 2)
        assert calls == [("connected", ""), ("frame", text.decode())]


def test_a_redirect_on_the_same_server_is_followed(
    make_module: MakeModule, caplog: pytest.LogCaptureFixture
) -> None:
    # A module whose pages are below its serial number, which no line of the log may show.
    caplog.set_level("INFO", "recbms_zmq")
    moved = answer(status="301 Moved", headers="Location: /1A-2261/cell\r\n")
    module = make_module(moved, answer(), moved, answer())
    source = HttpSource(module.url.replace("//", "//me:secret@"), interval=0.01)
    assert run_source(source, 3) == [("connected", ""), ("frame", TEXT), ("frame", TEXT)]
    paths = [request.split()[1] for request in module.requests]
    assert paths == [b"/cell", b"/1A-2261/cell"] * 2
    assert all(b"Authorization" in request for request in module.requests)
    (line,) = (
        record.message for record in caplog.records if record.name == "recbms_zmq.sources.http"
    )
    assert line.endswith(f" redirects to http://***@{module.authority}/1A-****/cell")


@pytest.mark.usefixtures("delays")
def test_an_answer_without_a_frame_is_handed_on_to_be_counted(make_module: MakeModule) -> None:
    calls = run_source(HttpSource(make_module(answer(b"<html>"), answer()).url), 5)
    assert calls == [
        ("connected", ""),
        ("frame", "<html>"),
        ("disconnected", "the answer is not a frame of a BMS"),
        ("connected", ""),
        ("frame", TEXT),
    ]


def test_a_refused_connection_has_a_reason(make_module: MakeModule) -> None:
    module = make_module()
    module.close()
    assert run_source(HttpSource(module.url), 1) == [("disconnected", "connection refused")]


def test_delays_grow_until_a_frame_has_come(make_module: MakeModule, delays: list[str]) -> None:
    answers = (answer(b"no"), b"", answer(status="500 Oh"), answer(), b"", answer(b"no"))
    run_source(HttpSource(make_module(*answers).url, interval=0.01), 11)
    first = ["from the beginning", "the next one", "the next one", "the next one"]
    assert delays[:6] == [*first, "from the beginning", "the next one"]


def test_credentials_are_sent_and_never_shown(make_module: MakeModule) -> None:
    module = make_module(answer(status="403 Forbidden"))
    url = module.url.replace("//", "//owner:p%40ss%C3%A9@")
    calls = run_source(HttpSource(url), 1)
    assert calls == [("disconnected", "the BMS answered with HTTP status 403")]
    assert b"\r\nAuthorization: Basic b3duZXI6cEBzc8Op\r\n" in module.requests[0]
    assert b"owner" not in module.requests[0]


def test_what_an_address_holds_cannot_add_to_the_request(make_module: MakeModule) -> None:
    module = make_module()
    run_source(HttpSource(module.url + "/ä?q=ö#part"), 2)
    assert module.requests[0].startswith(b"GET /cell/%C3%A4?q=%C3%B6 HTTP/1.1\r\nHost: 127.0.0.1:")


def test_a_module_that_does_not_answer_does_not_keep_us_from_ending(
    make_module: MakeModule,
) -> None:
    module = make_module(None)

    async def run() -> None:
        task = asyncio.create_task(HttpSource(module.url).run(RecordingReceiver()))
        await asyncio.to_thread(eventually, lambda: module.requests, "a request")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"), "IP:127.0.0.1")


@pytest.fixture
def tls_module(make_module: MakeModule, certificate: Certificate) -> FakeModule:
    return make_module(tls=certificate.context)


def test_https_needs_a_certificate_that_is_trusted(
    tls_module: FakeModule, certificate: Certificate
) -> None:
    trusting = HttpSource(tls_module.url, tls=tls_context(str(certificate.path), pinned=False))
    assert run_source(trusting, 2) == [("connected", ""), ("frame", TEXT)]
    strict = HttpSource(tls_module.url, tls=tls_context(None, pinned=False))
    assert run_source(strict, 1) == [("disconnected", "TLS failed: self-signed certificate")]


def test_https_takes_a_pinned_certificate_and_no_other(
    tls_module: FakeModule, certificate: Certificate
) -> None:
    right, wrong = certificate.fingerprint, "0" * 64
    tls = tls_context(None, pinned=True)
    calls = run_source(HttpSource(tls_module.url, tls=tls, fingerprint=right), 2)
    assert calls == [("connected", ""), ("frame", TEXT)]
    calls = run_source(HttpSource(tls_module.url, tls=tls, fingerprint=wrong), 1)
    assert calls == [("disconnected", f"TLS failed: certificate has SHA-256 {right}")]
    assert len(tls_module.requests) == 1
