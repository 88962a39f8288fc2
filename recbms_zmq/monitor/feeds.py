"""Where the view's messages come from: BMS read in this process, or services over ZeroMQ.

Both update the model with decoded messages and then call `on_change`; neither draws anything.
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
from recbms_zmq.config.options import Config
from recbms_zmq.errors import RecBmsError, UsageError
from recbms_zmq.monitor.model import Model
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.messages import decode_message
from recbms_zmq.service.fleet import allow_open_files, build_fleet, keep_running, start_delay, tick

OnChange = Callable[[], None]
EXPLAIN: Final = 0.5
"""Seconds between two updates of the reasons of offline BMS."""
_MESSAGES_PER_TURN: Final = 1000
"""Messages received before the event loop runs other callbacks: a flood must not stop the view."""


class Feed(Protocol):
    """Fills a model."""

    async def run(self) -> None:
        """Run until cancelled."""


class SourceFeed:
    """Reads BMS as the service does, in this process.

    Raises:
        UsageError, ConfigError: a source cannot be opened as configured.

    """

    def __init__(self, config: Config, model: Model, on_change: OnChange) -> None:
        self._model = model
        self._on_change = on_change
        allow_open_files(len(config.bms))
        self._fleet = build_fleet(config, self._publish)

    async def run(self) -> None:
        """Run until cancelled, also after the end of all sources."""
        for bms in self._fleet:
            bms.pipeline.start(bms.source.now())
        async with asyncio.TaskGroup() as group:
            group.create_task(tick(self._fleet))
            group.create_task(self._explain())
            for index, bms in enumerate(self._fleet):
                group.create_task(keep_running(bms, start_delay(index)))

    async def _explain(self) -> None:
        """Update the reasons of offline BMS; messages carry a new one only once a minute."""
        while True:
            for bms in self._fleet:
                if not bms.pipeline.online:
                    self._model.explain(bms.pipeline.name, bms.pipeline.reason)
            await asyncio.sleep(EXPLAIN)

    def _publish(self, batch: Batch) -> None:
        now = time.monotonic()
        for _, body, _ in batch.messages:
            self._model.update(decode_message(body), now)
        self._on_change()


class SubscriberFeed:
    """Subscribes to services, with one socket for each: a message does not name its endpoint.

    Raises:
        UsageError: an endpoint cannot be connected to, or a key is missing.
        ConfigError: a key file cannot be used.

    """

    def __init__(
        self,
        endpoints: Sequence[str],
        model: Model,
        on_change: OnChange,
        *,
        server_key: str | None = None,
        secret_key: str | None = None,
    ) -> None:
        self._model = model
        self._on_change = on_change
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
        """Run until cancelled."""
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
        for _ in range(_MESSAGES_PER_TURN):
            # The descriptor is edge-triggered: it only reports again once all messages are read.
            if sub.closed or not int(sub.get(zmq.EVENTS)) & zmq.POLLIN:
                break
            parts = sub.recv_multipart()
            with contextlib.suppress(
                msgspec.DecodeError, IndexError
            ):  # another program's publisher
                self._model.update(decode_message(parts[1]), now, endpoint)
        else:
            asyncio.get_running_loop().call_soon(self._receive, endpoint, sub)
        self._on_change()

    def _note(self, endpoint: str, events: "zmq.Socket[bytes]") -> None:
        while int(events.get(zmq.EVENTS)) & zmq.POLLIN:
            event = int(parse_monitor_message(events.recv_multipart())["event"])
            connected = event == zmq.EVENT_HANDSHAKE_SUCCEEDED
            self._model.connection(endpoint, connected, time.monotonic())
            if event & REFUSED:
                self._model.refused(endpoint, why_refused(event))
        self._on_change()
