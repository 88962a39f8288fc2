"""Where the view's messages come from: BMS read in this process, or services over ZeroMQ.

Both update the model with decoded messages and then call `on_change`; neither draws anything.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec
import zmq

from recbms_zmq.client.subscriber import Subscriber, why_silent
from recbms_zmq.clock import SILENCE
from recbms_zmq.config.options import Config
from recbms_zmq.errors import RecBmsError
from recbms_zmq.monitor.model import Model
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.messages import decode_message
from recbms_zmq.service.fleet import (
    advance_when_due,
    allow_open_files,
    build_fleet,
    keep_running,
    start_delay,
)
from recbms_zmq.service.silence import explain_silence

_log = logging.getLogger(__name__)

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
        asyncio.get_running_loop().call_later(SILENCE, explain_silence, self._fleet)
        async with asyncio.TaskGroup() as group:
            group.create_task(advance_when_due(self._fleet))
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
        # Through the messages, not the readings: the view then shows what other consumers get.
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
        self._subscribers: list[tuple[str, Subscriber]] = []
        try:
            for endpoint in endpoints:
                subscriber = Subscriber(self._context, server_key, secret_key)
                self._subscribers.append((endpoint, subscriber))
                subscriber.socket.subscribe("")  # also topics with another --prefix
                subscriber.connect(endpoint)
        except RecBmsError:
            self._close()
            raise

    def _close(self) -> None:
        for _, subscriber in self._subscribers:
            subscriber.close()
        self._context.term()

    async def run(self) -> None:
        """Run until cancelled."""
        loop = asyncio.get_running_loop()
        for endpoint, subscriber in self._subscribers:
            loop.add_reader(subscriber.socket.fileno(), self._receive, endpoint, subscriber)
            loop.add_reader(subscriber.events.fileno(), self._read_events, endpoint, subscriber)
            # What came before has made the descriptors readable already, and they report it once.
            self._receive(endpoint, subscriber)
            self._read_events(endpoint, subscriber)
        loop.call_later(SILENCE, self._explain)
        try:
            await asyncio.Event().wait()
        finally:
            for _, subscriber in self._subscribers:
                loop.remove_reader(subscriber.socket.fileno())
                loop.remove_reader(subscriber.events.fileno())
            self._close()

    def _explain(self) -> None:
        """Log why nothing comes from a service. The screen shows it at any time."""
        for endpoint, _ in self._subscribers:
            if endpoint not in self._model.refusals and not self._model.has_packs(endpoint):
                connected = self._model.connected.get(endpoint, False)
                why = why_silent([endpoint], [], connected=bool(connected))
                _log.warning("still waiting: %s", why)

    def _receive(self, endpoint: str, subscriber: Subscriber) -> None:
        sub = subscriber.socket
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
            asyncio.get_running_loop().call_soon(self._receive, endpoint, subscriber)
        self._on_change()

    def _read_events(self, endpoint: str, subscriber: Subscriber) -> None:
        while int(subscriber.events.get(zmq.EVENTS)) & zmq.POLLIN:
            connected, refused, _ = subscriber.read_event()
            self._model.connection(endpoint, connected, time.monotonic())
            if refused:
                self._model.refused(endpoint, refused)
        self._on_change()
