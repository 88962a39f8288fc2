"""Where the view's messages come from: BMS read in this process, or the sockets of services.

Both put decoded messages into the model and say that there is news; neither draws anything.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec
import zmq
from zmq.utils.monitor import parse_monitor_message

from recbms_zmq.client.subscriber import REFUSED, use_curve, why_refused
from recbms_zmq.config.load import Config
from recbms_zmq.errors import RecBmsError, UsageError
from recbms_zmq.monitor.model import Model
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.messages import decode_message
from recbms_zmq.service.fleet import allow_open_files, build_fleet, keep_running, start_delay, tick

News = Callable[[], None]
EXPLAIN: Final = 0.5
"""Seconds between looks at what is wrong with the links."""
_TURN: Final = 1000
"""Messages taken before something else may happen: a flood must not stop the view."""


class Feed(Protocol):
    """Fills the model."""

    async def run(self) -> None:
        """Go on until cancelled."""


class SourceFeed:
    """Reads BMS as the service does, in this process.

    Raises:
        UsageError, ConfigError: a source cannot be what it says.

    """

    def __init__(self, config: Config, model: Model, news: News) -> None:
        self._model = model
        self._news = news
        allow_open_files(len(config.bms))
        self._fleet = build_fleet(config, self._publish)

    async def run(self) -> None:
        """Go on until cancelled, also when all sources have come to their end."""
        for bms in self._fleet:
            bms.pipeline.start(bms.source.now())
        async with asyncio.TaskGroup() as group:
            group.create_task(tick(self._fleet))
            group.create_task(self._explain())
            for place, bms in enumerate(self._fleet):
                group.create_task(keep_running(bms, start_delay(place)))

    async def _explain(self) -> None:
        """Pass on what is wrong with a link; messages tell it only once a minute."""
        while True:
            for bms in self._fleet:
                if not bms.pipeline.online:
                    self._model.explain(bms.pipeline.name, bms.pipeline.reason)
            await asyncio.sleep(EXPLAIN)

    def _publish(self, batch: Batch) -> None:
        now = time.monotonic()
        for _, body, _ in batch.messages:
            self._model.take(decode_message(body), now)
        self._news()


class SubscriberFeed:
    """Subscribes to services; a socket for each, so that it is known who says what.

    Raises:
        UsageError: an endpoint is none that one can connect to, or a key is missing.
        ConfigError: a key file cannot be used.

    """

    def __init__(
        self,
        endpoints: Sequence[str],
        model: Model,
        news: News,
        *,
        server_key: str | None = None,
        secret_key: str | None = None,
    ) -> None:
        self._model = model
        self._news = news
        self._context = zmq.Context(io_threads=1)
        self._keys = server_key, secret_key
        self._sockets = []
        try:
            for endpoint in endpoints:
                self._sockets.append((endpoint, *self._connect(endpoint)))
        except RecBmsError:
            self._context.destroy(linger=0)
            raise

    def _connect(self, endpoint: str) -> "tuple[zmq.Socket[bytes], zmq.Socket[bytes]]":
        sub = self._context.socket(zmq.SUB)
        sub.set(zmq.LINGER, 0)
        # Elsewhere it would make ::1 of localhost, where no service is by default.
        sub.set(zmq.IPV6, 1 if "[" in endpoint else 0)
        sub.set(zmq.RCVHWM, 100_000)  # a state of many packs comes at once
        # A machine that lost power never says goodbye.
        sub.set(zmq.HEARTBEAT_IVL, 5_000)
        sub.set(zmq.HEARTBEAT_TIMEOUT, 15_000)
        use_curve(sub, *self._keys)
        events = sub.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | REFUSED
        )
        sub.subscribe("")
        try:
            sub.connect(endpoint)
        except zmq.ZMQError as exc:
            raise UsageError(
                f"cannot connect to {endpoint}: {zmq.strerror(exc.errno or 0)}"
            ) from exc
        return sub, events

    async def run(self) -> None:
        """Go on until cancelled."""
        loop = asyncio.get_running_loop()
        for endpoint, sub, events in self._sockets:
            loop.add_reader(sub.fileno(), self._receive, endpoint, sub)
            loop.add_reader(events.fileno(), self._note, endpoint, events)
            self._receive(endpoint, sub)
            self._note(endpoint, events)
        try:
            await asyncio.Event().wait()
        finally:
            for _, sub, events in self._sockets:
                loop.remove_reader(sub.fileno())
                loop.remove_reader(events.fileno())
                sub.disable_monitor()
            self._context.destroy(linger=0)

    def _receive(self, endpoint: str, sub: "zmq.Socket[bytes]") -> None:
        now = time.monotonic()
        for _ in range(_TURN):
            # A ZeroMQ descriptor tells of news once: whoever looks has to take everything.
            if sub.closed or not int(sub.get(zmq.EVENTS)) & zmq.POLLIN:
                break
            parts = sub.recv_multipart()
            with contextlib.suppress(msgspec.DecodeError, IndexError):  # somebody else's publisher
                self._model.take(decode_message(parts[1]), now, endpoint)
        else:
            asyncio.get_running_loop().call_soon(self._receive, endpoint, sub)
        self._news()

    def _note(self, endpoint: str, events: "zmq.Socket[bytes]") -> None:
        while int(events.get(zmq.EVENTS)) & zmq.POLLIN:
            event = int(parse_monitor_message(events.recv_multipart())["event"])
            connected = event == zmq.EVENT_HANDSHAKE_SUCCEEDED
            self._model.connection(endpoint, connected, time.monotonic())
            if event & REFUSED:
                self._model.refused(endpoint, why_refused(event))
        self._news()
