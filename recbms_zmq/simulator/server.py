"""A simulated BMS on a real websocket, as REC's Wi-Fi module would serve it.

`/ws` sends the settings at once and every minute, and status frames at their rate; `/cell` answers
as older firmware does. All clients see the same pack. What clients send is read and ignored.
"""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from recbms_zmq.errors import OutputError
from recbms_zmq.simulator.bms import SimulatedBms
from recbms_zmq.simulator.options import SimulatorOptions

SETTINGS_INTERVAL: Final = 60.0
"""Seconds between settings frames; the real interval is not known."""

_CLOSE_TIMEOUT: Final = 1.0  # s; a client that does not answer the closing handshake is left


class SimulatorServer:
    """Sends the frames of one simulated BMS to any number of clients.

    Args:
        options: what is simulated.
        clock: gives seconds; only differences count.

    """

    def __init__(
        self, options: SimulatorOptions, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bms = SimulatedBms(options)
        self._interval = 1 / options.rate
        self._clock = clock
        self._start = clock()
        self._next_settings = SETTINGS_INTERVAL
        self._messages = [self._bms.status(0)]
        self._news = asyncio.Event()

    async def produce(self) -> None:
        """Make frames at their rate, for ever. A late one is left out, not made up for."""
        number = 0
        while True:
            number = max(number, int(self._elapsed / self._interval)) + 1
            await asyncio.sleep(max(number * self._interval - self._elapsed, 0))
            elapsed = self._elapsed
            self._messages = [self._bms.status(elapsed)]
            if elapsed >= self._next_settings:
                self._messages.append(self._bms.settings(elapsed))
                self._next_settings = elapsed + SETTINGS_INTERVAL
            news, self._news = self._news, asyncio.Event()
            news.set()

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer `GET /cell`, let websockets through at `/ws`, refuse the rest."""
        if request.path == "/ws":
            return None
        if request.path == "/cell":
            response = connection.respond(
                HTTPStatus.OK, self._bms.cell(self._elapsed).decode("ascii")
            )
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "application/json"
            return response
        return connection.respond(
            HTTPStatus.NOT_FOUND, "The simulated BMS answers at /ws (websocket) and at /cell.\n"
        )

    async def handle(self, connection: ServerConnection) -> None:
        """Serve one client until it goes."""
        sending = asyncio.create_task(self._send(connection))
        try:
            async for _ in connection:  # unread messages would hold up pings and the closing
                pass
        except ConnectionClosed:
            pass
        finally:
            sending.cancel()

    async def _send(self, connection: ServerConnection) -> None:
        """Send every frame that is made; while the client is slow, only the newest."""
        try:
            await connection.send(self._bms.settings(self._elapsed), text=True)
            messages = self._messages
            while True:
                news = self._news
                for message in messages:
                    await connection.send(message, text=True)
                await news.wait()
                messages = self._messages
        except ConnectionClosed:
            pass

    @property
    def _elapsed(self) -> float:
        return self._clock() - self._start


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
    simulator = SimulatorServer(options)
    try:
        server = await serve(
            simulator.handle,
            host,
            port,
            process_request=simulator.answer,
            compression=None,
            ping_interval=None,  # that the real module pings is not known
            close_timeout=_CLOSE_TIMEOUT,
            server_header=None,
            logger=_logger(),
        )
    except OSError as exc:
        # Above 0 it is an errno, for which asyncio has a longer sentence; below, of a host name.
        number = exc.errno or 0
        reason = (os.strerror(number) if number > 0 else exc.strerror or str(exc)).lower()
        raise OutputError(
            f"the simulated BMS cannot listen on {host}, port {port}: {reason}; "
            "choose another with --port (0: any free one) or --host"
        ) from exc
    async with server:
        producing = asyncio.create_task(simulator.produce())
        try:
            yield _address(server)
        finally:
            producing.cancel()


def _address(server: Server) -> str:
    host, port, *_ = server.sockets[0].getsockname()
    return f"ws://[{host}]:{port}/ws" if ":" in host else f"ws://{host}:{port}/ws"


def _logger() -> logging.Logger:
    """Return a logger without the traceback of every client that is no websocket client."""
    logger = logging.getLogger("recbms_zmq.simulator")
    logger.addFilter(_is_worth_telling)
    return logger


def _is_worth_telling(record: logging.LogRecord) -> bool:
    return record.msg != "opening handshake failed"
