"""What a websocket server may do on an open connection, and what the source makes of it."""

import asyncio
import itertools
import re
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.frames import STATUS
from support.raw_websocket import (
    BINARY,
    CLOSE,
    FRAGMENT,
    LAST,
    PING,
    PONG,
    TEXT,
    RawWebSocket,
    close_frame,
    frame,
    raw_websocket,
)
from support.receiver import Calls, RecordingReceiver, run_source
from support.waiting import eventually
from websockets import exceptions
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request, Response

from recbms_zmq.clock import Instant
from recbms_zmq.config.program import install_command
from recbms_zmq.errors import UsageError
from recbms_zmq.sources import backoff, connection, websocket
from recbms_zmq.sources.http import HttpSource
from recbms_zmq.sources.network import tls_context
from recbms_zmq.sources.websocket import WebSocketSource, explain

LIMIT = 1024
MESSAGE = frame(TEXT, b"{}")


@asynccontextmanager
async def running(source: WebSocketSource, receiver: RecordingReceiver) -> AsyncIterator[None]:
    task = asyncio.create_task(source.run(receiver))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def calls_until(server: RawWebSocket, count: int, **options: Any) -> Calls:
    return run_source(WebSocketSource(server.url, max_frame=LIMIT, **options), count)


ENDS: dict[str, tuple[bytes, str]] = {
    "normal": (close_frame(1000), "connection closed by the BMS, code 1000 (OK)"),
    "no code": (
        frame(0x88),
        "connection closed by the BMS, code 1005 (no status received [internal])",
    ),
    "its own words": (
        close_frame(1001, "reboot of 1A-2261\x07"),
        "connection closed by the BMS, code 1001 (going away) reboot of 1A-****?",
    ),
    "reserved bits": (
        frame(0xF1, b"{}"),
        "connection closed: the BMS broke the websocket protocol: reserved bits must be 0",
    ),
    "unknown opcode": (
        frame(0x83),
        "connection closed: the BMS broke the websocket protocol: invalid opcode",
    ),
    "end of nothing": (
        frame(LAST),
        "connection closed: the BMS broke the websocket protocol: unexpected continuation frame",
    ),
    "close of one byte": (
        frame(0x88, b"x"),
        "connection closed: the BMS broke the websocket protocol: close frame too short",
    ),
    "no UTF-8": (
        frame(0x88, b"\x03\xe8\xff"),
        "connection closed: the BMS broke the websocket protocol: "  # noqa: ISC004
        "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
    ),
    "too long": (
        frame(TEXT, b"x" * (LIMIT + 1)),
        "connection closed: a message was longer than --max-frame",
    ),
    "too long in pieces": (
        frame(BINARY & 0x7F, b"x" * LIMIT) + frame(LAST, b"x"),
        "connection closed: a message was longer than --max-frame",
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_connection_that_carries_no_more_data_is_left_at_once(end: str) -> None:
    data, reason = ENDS[end]
    with raw_websocket(MESSAGE + data) as server:  # which never closes TCP
        assert calls_until(server, 3, silence=1e9) == [
            ("connected", ""),
            ("frame", "{}"),
            ("disconnected", reason),
        ]
        assert server.ended.wait(30)


@pytest.mark.parametrize("fragments", [1, 2, 3])
def test_a_message_of_exactly_max_frame_is_taken(fragments: int) -> None:
    text = b"x" * LIMIT
    parts = [text[n::fragments] for n in range(fragments)]
    heads = [TEXT & 0x7F if n == 0 else FRAGMENT for n in range(fragments)]
    heads[-1] |= LAST
    with raw_websocket(b"".join(map(frame, heads, parts)) + MESSAGE) as server:
        assert calls_until(server, 3)[1:] == [("frame", text.decode()), ("frame", "{}")]


@pytest.fixture(scope="module")
def any_server() -> Iterator[RawWebSocket]:
    with raw_websocket() as server:
        yield server


@settings(max_examples=30)
@given(st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=5), max_size=5), st.data())
def test_messages_come_whole_however_they_are_cut(
    any_server: RawWebSocket, messages: list[list[bytes]], data: st.DataObject
) -> None:
    wire = b""
    for fragments in messages:
        for number, part in enumerate(fragments):
            head = (BINARY & 0x7F if number == 0 else FRAGMENT) | (
                LAST if number == len(fragments) - 1 else 0
            )
            between = data.draw(st.sampled_from([b"", frame(PING, b"?"), frame(PONG)]))
            wire += between + frame(head, part)
    cut = data.draw(st.integers(0, len(wire)))
    any_server.parts = (wire[:cut], wire[cut:], MESSAGE)
    calls = calls_until(any_server, len(messages) + 2)
    expected = [("frame", b"".join(parts).decode("latin-1")) for parts in messages]
    assert calls == [("connected", ""), *expected, ("frame", "{}")]


def test_what_comes_with_the_handshake_comes_after_connected() -> None:
    with raw_websocket(MESSAGE * 100) as server:
        calls = calls_until(server, 101)
    assert calls == [("connected", ""), *[("frame", "{}")] * 100]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("{}", ["from the beginning", "the next one", "the next one"]),
        (STATUS, ["from the beginning", "the next one", "from the beginning", "the next one"]),
    ],
    ids=["no frame", "a frame"],
)
def test_delays_grow_until_a_frame_has_come(text: str, asked: list[str], delays: list[str]) -> None:
    with raw_websocket(frame(TEXT, text.encode()) + close_frame(1000)) as server:
        run_source(WebSocketSource(server.url), 9)  # three connections
    assert delays[: len(asked)] == asked


@pytest.fixture
def quick_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PING_INTERVAL", 0.1)


@pytest.mark.usefixtures("quick_pings")
def test_a_bms_that_never_pongs_stays_connected_while_it_sends() -> None:
    with raw_websocket(MESSAGE) as server:

        async def run() -> Calls:
            receiver = RecordingReceiver()
            async with running(WebSocketSource(server.url), receiver):
                await receiver.until(lambda: len(receiver.calls) == 2)
                while server.received.count(bytes([PING, LAST | 4])) < 10:
                    server.send(MESSAGE)
                    await asyncio.sleep(0.02)
            return receiver.calls

        calls = asyncio.run(run())
    assert {what for what, _ in calls[1:]} == {"frame"}


@pytest.mark.usefixtures("quick_pings")
def test_a_bms_that_neither_sends_nor_pongs_gets_a_new_connection() -> None:
    with raw_websocket(MESSAGE) as server:
        assert calls_until(server, 3, silence=1e9)[-1] == (
            "disconnected",
            "neither data nor an answer to a ping came for 0.1 s",
        )


@pytest.mark.usefixtures("quick_pings")
def test_a_bms_that_pongs_stays_connected_without_data() -> None:
    class Counting(ServerConnection):
        pings = 0

        def process_event(self, event: Any) -> None:
            Counting.pings += isinstance(event, Frame) and event.opcode is Opcode.PING
            super().process_event(event)

    async def run() -> Calls:
        options: dict[str, Any] = {"create_connection": Counting, "ping_interval": None}
        async with serve(ServerConnection.wait_closed, "127.0.0.1", 0, **options) as server:
            port = server.sockets[0].getsockname()[1]
            receiver = RecordingReceiver()
            async with running(WebSocketSource(f"ws://127.0.0.1:{port}", silence=1e9), receiver):
                await asyncio.to_thread(eventually, lambda: Counting.pings >= 10, "ten pings")
                return list(receiver.calls)

    assert asyncio.run(run()) == [("connected", "")]


def test_pings_come_every_30_seconds() -> None:
    """Another client had to ping the module less often, because pings load it."""
    assert connection.PING_INTERVAL == 30


def test_silence_is_looked_for_as_long_as_the_connection_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The BMS talks for longer than the time of silence, falls silent, comes back, and again."""
    monkeypatch.setattr(backoff, "FIRST", 0.01)
    with raw_websocket(MESSAGE) as server:

        async def run() -> Calls:
            receiver = RecordingReceiver()
            async with running(WebSocketSource(server.url, silence=0.5), receiver):
                for connections in (1, 2):
                    await receiver.until(partial(has_connected, receiver, connections))
                    for _ in range(20):  # a second in all
                        server.send(MESSAGE)
                        await asyncio.sleep(0.05)
                await receiver.until(partial(has_connected, receiver, 3))
            return receiver.calls

        calls = asyncio.run(run())
    reasons = [text for what, text in calls if what == "disconnected"]
    assert reasons == ["nothing came for 0.5 s"] * 2


def has_connected(receiver: RecordingReceiver, times: int) -> bool:
    return receiver.calls.count(("connected", "")) >= times


def test_a_message_that_never_ends_is_silence() -> None:
    with raw_websocket(frame(TEXT & 0x7F), *[frame(FRAGMENT)] * 10_000) as server:
        calls = calls_until(server, 2, silence=0.2)
    assert calls[1] == ("disconnected", "nothing came for 0.2 s")


def test_a_bms_that_floods_pings_and_never_reads_is_disconnected() -> None:
    pings = frame(PING, b"x" * 125) * 1000
    server = RawWebSocket(itertools.repeat(pings), reads=False)
    try:
        calls = run_source(WebSocketSource(server.url), 2)
    finally:
        server.close()
    assert calls[1] == ("disconnected", "the BMS sends, but does not read what is sent to it")


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param(frame(PONG), id="pongs"),
        pytest.param(frame(PING), id="pings"),
        pytest.param(frame(TEXT & 0x7F) + frame(FRAGMENT) * 500 + frame(LAST), id="fragments"),
        pytest.param(MESSAGE, id="frames"),
    ],
)
def test_a_flood_leaves_turns_to_the_others(flood: bytes) -> None:
    """The event loop turns at least once for each 4 KiB, whatever is in them."""
    data = flood * (2**16 // len(flood))
    with raw_websocket(data, frame(TEXT, b"the last one")) as server:

        async def run() -> int:
            turns = 0
            receiver = RecordingReceiver()
            async with running(WebSocketSource(server.url), receiver):
                while not receiver.calls or receiver.calls[-1] != ("frame", "the last one"):
                    turns += 1
                    await asyncio.sleep(0)
            return turns

        assert asyncio.run(run()) >= len(data) / connection.MAX_READ


def test_the_answers_to_a_flood_of_pings_are_sent_in_one_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over TLS each piece is a record of its own, which took half a second of a signal's time."""
    pieces: list[int] = []
    transport = asyncio.selector_events._SelectorSocketTransport  # type: ignore[attr-defined]
    write = transport.write

    def note(self: Any, data: bytes) -> None:
        pieces.append(len(data))
        write(self, data)

    monkeypatch.setattr(transport, "write", note)
    pong = 2 + 4 + 2  # head, mask, content
    with raw_websocket(frame(PING, b"xy") * 1000 + frame(TEXT, b"the last one")) as server:

        async def run() -> None:
            receiver = RecordingReceiver()
            async with running(WebSocketSource(server.url), receiver):
                await receiver.until(lambda: ("frame", "the last one") in receiver.calls)
                await asyncio.to_thread(
                    eventually, lambda: len(server.received) == 1000 * pong, "pongs"
                )

        asyncio.run(run())
    request, *answers, _close = pieces
    assert request > pong
    assert sum(answers) == 1000 * pong
    assert len(answers) < 20


def test_a_close_frame_behind_pings_is_answered_with_them_and_ends_the_connection() -> None:
    parts = [frame(TEXT, b"one"), frame(PING, b"xy") * 3 + close_frame(1001)]
    with raw_websocket(*parts) as server:
        assert calls_until(server, 3) == [
            ("connected", ""),
            ("frame", "one"),
            ("disconnected", "connection closed by the BMS, code 1001 (going away)"),
        ]
        eventually(server.ended.is_set, "the end of the connection")
    # The mask of a frame is random.
    frames, rest = [], bytes(server.received)
    while rest:
        frames.append(rest[:2])
        rest = rest[6 + rest[1] % 128 :]
    assert frames == [b"\x8a\x82"] * 3 + [b"\x88\x82"]


def test_a_read_that_takes_long_makes_the_next_ones_shorter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "BUDGET", 0.0)  # everything takes longer
    sizes: list[int] = []
    received = connection.BmsConnection.data_received

    def note(self: connection.BmsConnection, data: bytes) -> None:
        sizes.append(len(data))
        received(self, data)

    monkeypatch.setattr(connection.BmsConnection, "data_received", note)
    with raw_websocket(MESSAGE * 20_000, frame(TEXT, b"the last one")) as server:
        run_source(WebSocketSource(server.url), 20_002)
    assert max(sizes[10:]) == connection.MIN_READ


def test_an_error_of_the_receiver_ends_the_source() -> None:
    class Broken(RecordingReceiver):
        def received(self, data: bytes, at: Instant) -> bool:  # noqa: ARG002 a receiver gets both
            raise ZeroDivisionError

    with raw_websocket(MESSAGE) as server, pytest.raises(ZeroDivisionError):
        asyncio.run(WebSocketSource(server.url).run(Broken()))


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 101 Yes\r\n\r\n", b"\0" * 10_000]
)
def test_an_answer_that_is_no_handshake_is_named_before_the_server_closes(answer: bytes) -> None:
    async def run() -> Calls:
        named, gone = asyncio.Event(), asyncio.Event()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(answer)
            await named.wait()
            while await reader.read(65536):
                pass
            writer.close()
            gone.set()

        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        receiver = RecordingReceiver()
        async with server, running(WebSocketSource(f"ws://127.0.0.1:{port}"), receiver):
            await receiver.until(lambda: bool(receiver.calls))
            named.set()
            async with asyncio.timeout(30):
                await gone.wait()
        return receiver.calls

    (what, reason), *_ = asyncio.run(run())
    assert what == "disconnected"
    assert re.match("the BMS (gave no valid answer|does not speak websocket: .)", reason)


@pytest.mark.parametrize(
    "location", ["/1A-2261/", "1A-2261/", "//127.0.0.1:{port}/1A-2261/", "{http}/1A-2261/#x"]
)
def test_a_redirect_to_another_path_is_followed_and_logged_once(
    location: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A path below the serial number, which no line of the log may show.
    monkeypatch.setattr(backoff, "FIRST", 0.01)
    caplog.set_level("INFO", "recbms_zmq")
    requests: list[Request] = []

    def redirect(client: ServerConnection, request: Request) -> Response | None:
        requests.append(request)
        if request.path == "/1A-2261/":
            return None
        port = client.local_address[1]
        target = location.format(port=port, http=f"http://127.0.0.1:{port}")
        return Response(302, "Found", Headers(Location=target))

    async def greet_and_close(client: ServerConnection) -> None:
        await client.send("{}")

    async def run() -> None:
        async with serve(greet_and_close, "127.0.0.1", 0, process_request=redirect) as server:
            port = server.sockets[0].getsockname()[1]
            receiver = RecordingReceiver()
            source = WebSocketSource(f"ws://me:secret@127.0.0.1:{port}/ws")
            async with running(source, receiver):
                await receiver.until(partial(has_connected, receiver, 5))
            messages = [
                record.message for record in caplog.records if "redirects" in record.message
            ]
            assert messages == [
                f"ws://***@127.0.0.1:{port}/ws redirects to ws://***@127.0.0.1:{port}/1A-****/"
            ]

    asyncio.run(run())
    assert [request.path for request in requests[:4]] == ["/ws", "/1A-2261/"] * 2
    assert len({request.headers["Authorization"] for request in requests}) == 1


@pytest.mark.parametrize(
    ("redirects", "location", "call", "requests"),
    [
        (3, "{path}x", ("connected", ""), 4),
        (4, "{path}x", ("disconnected", "the BMS redirects more than 3 times"), 4),
        (1, None, ("disconnected", "the BMS answered with HTTP status 302"), 1),
    ],
)
def test_a_few_redirects_on_the_same_server_are_followed(
    redirects: int, location: str | None, call: tuple[str, str], requests: int
) -> None:
    paths: list[str] = []

    def redirect(_: ServerConnection, request: Request) -> Response | None:
        paths.append(request.path)
        if len(paths) > redirects:
            return None
        headers = {} if location is None else {"Location": location.format(path=request.path)}
        return Response(302, "Found", Headers(headers))

    async def run() -> Calls:
        async with serve(
            ServerConnection.wait_closed, "127.0.0.1", 0, process_request=redirect
        ) as server:
            receiver = RecordingReceiver()
            port = server.sockets[0].getsockname()[1]
            async with running(WebSocketSource(f"ws://127.0.0.1:{port}/ws"), receiver):
                await receiver.until(lambda: bool(receiver.calls))
            return receiver.calls[:1]

    assert asyncio.run(run()) == [call]
    assert paths == ["/ws" + "x" * number for number in range(requests)]


@pytest.mark.parametrize(
    ("scheme", "port"), [("ws", 80), ("wss", 443), ("http", 80), ("https", 443)]
)
def test_without_a_port_it_is_the_usual_one(
    scheme: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{scheme}://127.0.0.1/"
    asked: list[int] = []

    async def refuse(*arguments: Any, port: int | None = None, **_: Any) -> None:
        asked.append(arguments[3] if port is None else port)
        raise ConnectionRefusedError(111, "no")

    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", refuse)
    if url.startswith("ws"):
        run_source(WebSocketSource(url), 1)
    else:
        tls = tls_context(None, pinned=False) if scheme == "https" else None
        run_source(HttpSource(url, tls=tls), 1)
    assert asked == [port]


@pytest.mark.parametrize("scheme", ["socks4", "socks5", "socks5h", "SOCKS5"])
def test_socks_needs_its_package(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = f"{scheme}://me:s3cret@p:1080"
    monkeypatch.setattr(websocket, "find_spec", lambda _: None)
    with pytest.raises(UsageError) as refused:
        WebSocketSource("ws://h/ws", proxy=proxy)
    assert str(refused.value) == (
        f"--proxy: SOCKS needs the package python-socks: {install_command('python-socks')}"
    )
    monkeypatch.setattr(websocket, "find_spec", lambda name: name)
    WebSocketSource("ws://h/ws", proxy=proxy)


@pytest.mark.parametrize(
    ("url", "proxy", "sentence"),
    [
        ("ws://me:s3cret@h/ws?token=s3cret#part", None, "ws://***@h/ws?*** is not the address of"),
        ("ws://s3cret@h/ws", None, "ws://***@h/ws is not the address of a websocket: username"),
        ("ws://h/ws", "ftp://me:s3cret@p", "--proxy: ftp://***@p is not a proxy: scheme ftp isn't"),
    ],
)
def test_an_address_that_can_never_work_is_refused(
    url: str, proxy: str | None, sentence: str
) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(sentence)}") as refused:
        WebSocketSource(url, proxy=proxy)
    assert "s3cret" not in str(refused.value)


FAILURES: list[BaseException] = [
    OSError(),
    OSError(""),
    OSError("Multiple exceptions: "),
    OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 113] Connect call"),
    OSError(24, "Too many open files"),
    socket.gaierror(-3, "Temporary failure in name resolution"),
    socket.gaierror(),
    TimeoutError(),
    ssl.SSLError(),
    ssl.SSLError(1, ""),
    ssl.SSLCertVerificationError(),
    ConnectionResetError(),
    RuntimeError(),
    exceptions.ConnectionClosedError(None, None),
    exceptions.ConnectionClosedError(Close(4999, ""), None),
    exceptions.InvalidMessage(),
    exceptions.InvalidUpgrade("Connection"),
    exceptions.ProxyError(),
    exceptions.InvalidHandshake(),
    exceptions.SecurityError(),
    exceptions.InvalidURI("x", ""),
]


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
def test_a_reason_is_never_empty_and_ends_with_a_word(failure: BaseException) -> None:
    reason = explain(failure)
    assert re.fullmatch(r"[A-Za-z][^\n]*[\w)`]", reason)
    assert "()" not in reason


def test_the_server_is_left_when_the_source_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_websocket(MESSAGE) as server:  # which does not answer the close frame
        waits: list[float] = []

        async def run() -> None:
            receiver = RecordingReceiver()
            async with running(WebSocketSource(server.url), receiver):
                await receiver.until(lambda: len(receiver.calls) == 2)
                server.send(MESSAGE)
                await receiver.until(lambda: len(receiver.calls) == 3)
                loop = asyncio.get_running_loop()
                call_at = loop.call_at

                def note(when: float, *args: Any, **options: Any) -> Any:
                    waits.append(when - loop.time())
                    return call_at(when, *args, **options)

                monkeypatch.setattr(loop, "call_at", note)

        asyncio.run(run())
        assert max(waits) < 0.2  # is promised for the end of the process
        eventually(lambda: CLOSE in server.received, "a close frame")
        assert server.ended.wait(30)


def test_without_descriptors_a_connection_stays_and_another_is_made_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backoff, "FIRST", 0.01)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    shortage = (
        "disconnected",
        "no file descriptor is left: raise LimitNOFILE of the unit, or `ulimit -n`",
    )

    async def run(server: RawWebSocket) -> tuple[Calls, Calls]:
        first, second = RecordingReceiver(), RecordingReceiver()
        async with running(WebSocketSource(server.url), first):
            await first.until(lambda: len(first.calls) == 2)
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            try:
                async with running(WebSocketSource(server.url), second):
                    await second.until(lambda: len(second.calls) == 2)
                    server.send(MESSAGE)
                    await first.until(lambda: len(first.calls) == 3)
                    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                    await second.until(lambda: second.calls[-1] == ("frame", "{}"))
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return first.calls, second.calls

    with raw_websocket(MESSAGE) as server:
        first, second = asyncio.run(run(server))
    assert first == [("connected", ""), ("frame", "{}"), ("frame", "{}")]
    assert second[:2] == [shortage] * 2
    assert second[-2:] == [("connected", ""), ("frame", "{}")]
