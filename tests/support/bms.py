"""A BMS made by us: a real websocket server that sends what a test gives it, good or bad.

It runs in a thread with an event loop of its own, and keeps a record of everything that a client
does to it, because a client must do very little.
"""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from support.frames import SETTINGS, STATUS
from support.waiting import PATIENCE, eventually

Message = str | bytes
Behaviour = Callable[["Connection"], Awaitable[None]]

_T = TypeVar("_T")


class Connection(ServerConnection):
    """One client's connection, and which kinds of frames the client sent on it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.received: list[Opcode] = []

    def process_event(self, event: Any) -> None:
        if isinstance(event, Frame):
            self.received.append(event.opcode)
        super().process_event(event)


async def close_at_once(connection: Connection) -> None:
    """Behave like a module that accepts every client and then closes."""
    await connection.close()


class FakeBms:
    """Sends `greeting` to every client, and then what `send` is given.

    Args:
        greeting: the first messages of every connection.
        behave: what to do with a client instead; the connection ends with it.
        tls: makes it `wss://`.
        host: an address of this machine.
        port: 0 for any free one.

    """

    def __init__(
        self,
        *,
        greeting: Sequence[Message] = (SETTINGS, STATUS),
        behave: Behaviour | None = None,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.greeting = tuple(greeting)
        self.behave = behave
        self.connections: list[Connection] = []
        self.connected_at: list[float] = []  # monotonic seconds
        self._tls = tls
        self._server: Server | None = None
        # Bound and never listened on: it keeps the port for us while we refuse connections.
        self._port = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._port.bind((host, port))
        self._address: tuple[str, int] = (host, self._port.getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    @property
    def authority(self) -> str:
        """Host and port, as they stand in a URL."""
        host, port = self._address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def url(self) -> str:
        return f"{'wss' if self._tls else 'ws'}://{self.authority}/ws"

    @property
    def received(self) -> list[Opcode]:
        """The kinds of all frames that clients have sent."""
        return [opcode for connection in self.connections for opcode in connection.received]

    @property
    def open_connections(self) -> list[Connection]:
        return [c for c in self.connections if c.state.name == "OPEN"]

    def start(self) -> "FakeBms":
        """Begin to listen."""
        self._do(self._start())
        return self

    def stop(self) -> None:
        """Stop listening and drop all clients; from now on connections are refused."""
        self._do(self._stop())

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()
        self._port.close()

    def send(self, *messages: Message) -> None:
        """Send messages to all clients; wait for one if there is none."""
        self.wait_for_client()
        self._do(self._send(messages))

    def drop(self) -> None:
        """Cut all connections without a close frame."""
        for connection in self.open_connections:
            self._loop.call_soon_threadsafe(connection.transport.abort)

    def wait_for_client(self, count: int = 1) -> None:
        """Wait until so many connections are open."""
        eventually(lambda: len(self.open_connections) >= count, f"{count} clients of the BMS")

    def wait_for_connections(self, count: int) -> None:
        """Wait until there have been so many connections in all."""
        eventually(lambda: len(self.connections) >= count, f"{count} connections to the BMS")

    async def _start(self) -> None:
        host, port = self._address
        self._server = await serve(
            self._talk,
            host,
            port,
            ssl=self._tls,
            create_connection=Connection,
            compression="deflate",
            ping_interval=None,
            max_size=None,
        )

    async def _stop(self) -> None:
        if self._server is not None:
            for connection in self.open_connections:
                connection.transport.abort()
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _talk(self, connection: ServerConnection) -> None:
        assert isinstance(connection, Connection)
        self.connected_at.append(time.monotonic())
        self.connections.append(connection)
        try:
            if self.behave is not None:
                await self.behave(connection)
                return
            for message in self.greeting:
                await connection.send(message)
        except ConnectionClosed:
            pass
        await connection.wait_closed()

    async def _send(self, messages: Sequence[Message]) -> None:
        for connection in self.open_connections:
            for message in messages:
                await connection.send(message)

    def _do(self, work: Coroutine[Any, Any, _T]) -> _T:
        future: Future[_T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(PATIENCE)
