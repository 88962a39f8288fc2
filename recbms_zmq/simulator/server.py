"""A simulated BMS on a real websocket, as REC's Wi-Fi module would serve it.

`/ws` sends the settings at once and every minute, and status frames at their rate; `/cell` answers
as older firmware does. All clients see the same pack. What clients send is read and ignored. What
is sent, and which faults act, is decided by `traffic`; here it is done to real connections.
"""

import asyncio
import os
import time
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Final

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State

from recbms_zmq.errors import OutputError
from recbms_zmq.simulator.fault_effects import Message
from recbms_zmq.simulator.options import SimulatorOptions
from recbms_zmq.simulator.traffic import Link, Traffic
from recbms_zmq.text import masked

_CLOSE_TIMEOUT: Final = 1.0  # s; a client that does not answer the closing handshake is left


class SimulatorServer:
    """Sends the frames of one simulated BMS to any number of clients.

    Args:
        options: what is simulated.
        host: name or address to listen on.
        port: 0 takes a free one, and keeps it.
        sending: is called with every message right before a client is sent it.

    """

    def __init__(
        self,
        options: SimulatorOptions,
        host: str,
        port: int,
        sending: Callable[[Message], None] = lambda _: None,
    ) -> None:
        self._traffic = Traffic(options)
        self._sending = sending
        self._host = host
        self._port = port
        self._start = time.monotonic()
        self._server: Server | None = None
        self._connections: weakref.WeakSet[ServerConnection] = weakref.WeakSet()
        self._messages = self._traffic.step(0).messages
        self._link = self._traffic.link
        self._news = asyncio.Event()
        self._has_ended = False

    @property
    def address(self) -> str:
        """Where it listens."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"ws://{host}:{self._port}/ws"

    @property
    def faults(self) -> dict[str, int]:
        """How often each fault has begun."""
        return self._traffic.faults

    async def open(self) -> None:
        """Begin to listen.

        Raises:
            OSError: host and port cannot be listened on.

        """
        connections = self._connections

        class Connection(ServerConnection):
            """A connection that is known from its first moment, not only once it is open."""

            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                connections.add(self)

        self._server = await serve(
            self._handle,
            self._host,
            self._port,
            process_request=self._answer,
            create_connection=Connection,
            compression=None,
            open_timeout=None,  # a frozen module lets clients wait as long as they like
            ping_interval=None,  # that the real module pings is not known
            close_timeout=_CLOSE_TIMEOUT,
            server_header=None,
        )
        self._host, self._port = self._server.sockets[0].getsockname()[:2]

    async def close(self) -> None:
        """Say goodbye to all clients, and listen no longer."""
        self._has_ended = True
        self._tell()
        for connection in self._connections:
            if connection.protocol.state is State.CONNECTING:
                connection.transport.abort()
        await self._listen(False)

    async def run(self) -> None:
        """Send frames, and let faults happen, for ever."""
        while True:
            await asyncio.sleep(max(self._traffic.due - self._elapsed, 0))
            step = self._traffic.step(self._elapsed)
            if step.breaks or step.link == "refusing":
                self._break_off(is_cut=step.breaks == "cut")
            await self._listen(step.link != "refusing")
            if "frozen" in {step.link, self._link}:
                self._freeze(step.link == "frozen")
            if step.messages or step.link != self._link:
                self._messages = step.messages
                self._link = step.link
                self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    # --- one client ---

    async def _answer(self, _connection: ServerConnection, request: Request) -> Response | None:
        """Answer `GET /cell`, let websockets through at `/ws`, refuse the rest."""
        await self._wait_while("frozen")
        if request.path == "/ws":
            return None
        if request.path != "/cell":
            text = b"The simulated BMS answers at /ws (websocket) and at /cell.\n"
            return _response(HTTPStatus.NOT_FOUND, "text/plain", text)
        await self._wait_while("frozen", "stalled")
        body = self._traffic.cell(self._elapsed)
        self._sending(Message(body))
        return _response(HTTPStatus.OK, "application/json", body)

    async def _handle(self, connection: ServerConnection) -> None:
        """Serve one client until it goes."""
        sending = asyncio.create_task(self._send(connection))
        try:
            async for _ in connection:  # unread messages would hold up pings and the closing
                pass
        except ConnectionClosed:
            pass
        finally:
            sending.cancel()

    async def _wait_while(self, *links: Link) -> None:
        while self._traffic.link in links and not self._has_ended:
            await self._news.wait()

    async def _send(self, connection: ServerConnection) -> None:
        """Send every frame that is made; while the client is slow, only the newest."""
        messages: tuple[Message, ...] = self._traffic.greeting(self._elapsed)
        with suppress(ConnectionClosed):
            while self._traffic.link != "closing":
                news = self._news
                for message in messages:
                    self._sending(message)
                    await connection.send(message.data, text=not message.is_binary)
                await news.wait()
                messages = self._messages
            await connection.close()

    # --- faults of connections ---

    async def _listen(self, is_listening: bool) -> None:
        if is_listening and self._server is None:
            with suppress(OSError):  # somebody else has the port now; tried again with each step
                await self.open()
        elif not is_listening and self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    def _break_off(self, *, is_cut: bool) -> None:
        for connection in self._connections:
            if is_cut and self._messages and connection.protocol.state is State.OPEN:
                connection.transport.write(_half_frame(self._messages[-1].data))
                connection.transport.close()
            else:
                connection.transport.abort()

    def _freeze(self, is_frozen: bool) -> None:
        for connection in self._connections:
            if connection.protocol.state is State.OPEN:
                if is_frozen:
                    connection.transport.pause_reading()
                else:
                    connection.transport.resume_reading()

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._start


@asynccontextmanager
async def serving(
    options: SimulatorOptions, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serve a simulated BMS while the context lasts; gives its address, `ws://HOST:PORT/ws`.

    Args:
        options: what is simulated.
        host: name or address to listen on.
        port: 0 takes a free one.

    Raises:
        OutputError: host and port cannot be listened on.

    """
    server = SimulatorServer(options, host, port)
    try:
        await server.open()
    except OSError as exc:
        # Above 0 it is an errno, for which asyncio has a longer sentence; below, of a host name.
        number = exc.errno or 0
        reason = (os.strerror(number) if number > 0 else exc.strerror or str(exc)).lower()
        raise OutputError(
            f"the simulated BMS cannot listen on {masked(host)}, port {port}: {reason}; "
            "choose another with --port (0: any free one) or --host"
        ) from exc
    running = asyncio.create_task(server.run())
    try:
        yield server.address
    finally:
        running.cancel()
        await asyncio.wait([running])
        await server.close()


def _response(status: HTTPStatus, kind: str, body: bytes) -> Response:
    headers = Headers(
        {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"}
    )
    return Response(status, status.phrase, headers, body)


def _half_frame(data: bytes) -> bytes:
    """Return the head of a websocket text frame (RFC 6455, 5.2) and half of what it announces."""
    return b"\x81\x7f" + len(data).to_bytes(8, "big") + data[: len(data) // 2]
