"""A simulated BMS on a real websocket, as REC's Wi-Fi module would serve it.

`/ws` sends the settings at once and every minute, and status frames at their rate; `/cell` answers
like older firmware. All clients get the frames of the same pack. Data from clients is read and
ignored. `traffic` decides what to send and which faults are active; this module does it on real
connections.
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
from recbms_zmq.simulator.fault_effects import WebsocketMessage
from recbms_zmq.simulator.options import SimulatorOptions
from recbms_zmq.simulator.traffic import Link, Traffic
from recbms_zmq.text import without_logins

_CLOSE_TIMEOUT: Final = 1.0  # s; then a client without an answer to the close frame is dropped
_UNREAD: Final[set[Link]] = {"deaf", "frozen", "parting"}
_CLOSE_FRAME: Final = b"\x88\x02\x03\xe8"  # RFC 6455, 5.5.1: code 1000, no reason


class SimulatorServer:
    """Sends the frames of one simulated BMS to any number of clients.

    Args:
        options: what is simulated.
        host: name or address to listen on.
        port: 0 takes a free one, and keeps it.
        sending: called with every message right before it is sent to a client.

    """

    def __init__(
        self,
        options: SimulatorOptions,
        host: str,
        port: int,
        sending: Callable[[WebsocketMessage], None] = lambda _: None,
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
        self._changed = asyncio.Event()
        self._has_ended = False

    @property
    def address(self) -> str:
        """The URL of the websocket."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"ws://{host}:{self._port}/ws"

    @property
    def faults(self) -> dict[str, int]:
        """How often each fault has begun."""
        return self._traffic.faults

    async def open(self) -> None:
        """Listen.

        Raises:
            OSError: host and port cannot be listened on.

        """
        connections = self._connections

        class Connection(ServerConnection):
            """A connection that is registered before its handshake."""

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
            open_timeout=None,  # while frozen, clients may wait for ever
            ping_interval=None,  # whether the real module pings is not known
            close_timeout=_CLOSE_TIMEOUT,
            server_header=None,
        )
        self._host, self._port = self._server.sockets[0].getsockname()[:2]

    async def close(self) -> None:
        """Stop listening, and close all connections."""
        self._has_ended = True
        self._notify()
        for connection in self._connections:
            if connection.protocol.state is State.CONNECTING:
                connection.transport.abort()
        await self._listen(False)

    async def run(self) -> None:
        """Send frames and apply faults until cancelled."""
        while True:
            await asyncio.sleep(max(self._traffic.due - self._elapsed, 0))
            step = self._traffic.step(self._elapsed)
            if step.breaks or step.link == "refusing":
                self._break_off(is_cut=step.breaks == "cut")
            await self._listen(step.link != "refusing")
            if self._link == "parting" and step.link != "parting":
                self._break_off(is_cut=False)
            if {step.link, self._link} & _UNREAD:
                self._read(step.link not in _UNREAD)
            if step.messages or step.link != self._link:
                self._messages = step.messages
                self._link = step.link
                self._notify()

    def _notify(self) -> None:
        # A new event each time: with `clear`, a client that is still sending would miss this one.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    # --- one client ---

    async def _answer(self, _connection: ServerConnection, request: Request) -> Response | None:
        """Answer `GET /cell`, accept websockets at `/ws`, refuse the rest."""
        await self._wait_while("frozen")
        if request.path == "/ws":
            return None
        if request.path != "/cell":
            text = b"The simulated BMS answers at /ws (websocket) and at /cell.\n"
            return _response(HTTPStatus.NOT_FOUND, "text/plain", text)
        await self._wait_while("frozen", "stalled")
        body = self._traffic.cell(self._elapsed)
        self._sending(WebsocketMessage(body))
        return _response(HTTPStatus.OK, "application/json", body)

    async def _handle(self, connection: ServerConnection) -> None:
        """Serve one client until it disconnects."""
        sending = asyncio.create_task(self._send(connection))
        try:
            async for _ in connection:  # unread messages would block pings and the close frame
                pass
        except ConnectionClosed:
            pass
        finally:
            sending.cancel()

    async def _wait_while(self, *links: Link) -> None:
        while self._traffic.link in links and not self._has_ended:
            await self._changed.wait()

    async def _send(self, connection: ServerConnection) -> None:
        """Send every frame; to a slow client only the newest."""
        messages: tuple[WebsocketMessage, ...] = self._traffic.greeting(self._elapsed)
        with suppress(ConnectionClosed):
            while self._traffic.link != "closing":
                if self._traffic.link == "parting":
                    # By hand: the library would close the connection after the answer.
                    connection.transport.write(_CLOSE_FRAME)
                    self._read(False)
                    await self._wait_while("parting")
                    break
                changed = self._changed
                for message in messages:
                    self._sending(message)
                    await connection.send(message.data, text=not message.is_binary)
                await changed.wait()
                messages = self._messages
            await connection.close()

    # --- faults of connections ---

    async def _listen(self, is_listening: bool) -> None:
        if is_listening and self._server is None:
            with suppress(OSError):  # the port is in use: try again with each step
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

    def _read(self, is_reading: bool) -> None:
        """Read from all connections or from none. What is not read is not answered."""
        for connection in self._connections:
            if connection.protocol.state is State.OPEN:
                if is_reading:
                    connection.transport.resume_reading()
                else:
                    connection.transport.pause_reading()

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._start


@asynccontextmanager
async def serving(
    options: SimulatorOptions, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serve a simulated BMS within the context; yield its URL, `ws://HOST:PORT/ws`.

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
        # A positive number is an errno; a negative one is from the look-up of a host name.
        number = exc.errno or 0
        reason = os.strerror(number) if number > 0 else exc.strerror or exc
        raise OutputError(
            f"the simulated BMS cannot listen on {without_logins(host)}, port {port}: {reason}; "
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
    """Return the header of a websocket text frame (RFC 6455, 5.2) and half of its payload."""
    return b"\x81\x7f" + len(data).to_bytes(8, "big") + data[: len(data) // 2]
