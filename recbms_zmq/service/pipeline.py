"""One BMS within the service: takes its frames all the way from bytes to messages.

Decodes, normalizes and reports, counts what the link does, and tells the log what was wrong, once
per kind. It does no I/O of its own: a source calls it, and it calls `publish`.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from recbms_zmq.clock import Instant
from recbms_zmq.errors import FrameError
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.reporter import Reporter
from recbms_zmq.sensors.energy import EnergyMeter
from recbms_zmq.sensors.normalize import Link, Normalizer, Readings
from recbms_zmq.wire.decode import decode
from recbms_zmq.wire.frames import Frame, Master, Settings

PROVEN: Final = 30.0
"""Seconds for which a connection has to carry frames before a trouble with it counts as over: one
that breaks every few seconds is one trouble, and is said once."""

_log = logging.getLogger(__name__)


async def at_once() -> None:
    """Wait for nothing."""


class Pipeline:
    """Receives one BMS's frames (it is a `sources.Receiver`) and publishes its messages."""

    def __init__(
        self,
        name: str,
        normalizer: Normalizer,
        reporter: Reporter,
        publish: Callable[[Batch], None],
        drained: Callable[[], Awaitable[None]] = at_once,
        *,
        energy_max_gap: float = 60.0,
    ) -> None:
        self.name = name
        self.has_settings = False
        """Whether a settings frame has come in this run."""
        self.meter = EnergyMeter(max_gap=energy_max_gap)
        """The energy counters; unknown until they are told what they were before this run."""
        self._normalizer = normalizer
        self._reporter = reporter
        self._publish = publish
        self._drained = drained
        self._frames = 0
        self._bad_frames = 0
        self._connections = 0
        self._last_status: float | None = None
        self._readings: Readings | None = None
        self._trouble = ""
        self._connected_at = float("-inf")
        self._was_online = False
        self._said: set[str] = set()

    @property
    def online(self) -> bool:
        """Whether a valid status frame came lately."""
        return self._reporter.online

    @property
    def reason(self) -> str:
        """Why it is online or offline, a short sentence."""
        return self._reporter.reason

    def reading(self, key: str) -> float | int | bool | str | None:
        """Return what the last status frame said of a sensor, None if nothing."""
        items = self._readings.items() if self._readings else ()
        return next((value for sensor, value in items if sensor.key == key), None)

    def start(self, at: Instant) -> None:
        """Say that the BMS is not online yet."""
        self._publish(self._reporter.start(at))

    def tick(self, at: Instant) -> None:
        """Do what has become due without a frame."""
        self._say(self._reporter.advance(at))

    def stop(self, at: Instant) -> None:
        """Say that nobody looks after the BMS any more."""
        self._publish(self._reporter.stop(at))

    def connected(self, at: Instant) -> None:
        """Take note of a new connection."""
        self._connections += 1
        self._connected_at = at.monotonic
        self.tick(at)
        self._say(self._reporter.on_connected(at))
        _log.debug("%s: connected", self.name)

    def disconnected(self, reason: str, at: Instant) -> None:
        """Take note that the link is not there; say so in the log when it is news."""
        self.tick(at)  # so that the reason for being offline is that, and not this
        self._say(self._reporter.on_disconnected(reason, at))
        if reason != self._trouble:
            self._trouble = reason
            _log.warning("%s: %s; trying again", self.name, reason)

    def received(self, data: bytes, at: Instant) -> bool:
        """Take one raw message; return whether it was a valid frame."""
        bad_before = self._bad_frames
        try:
            frame, dropped = decode(data)
            if dropped:
                self._bad_frames += 1
                self._say_once("fields that could not be read were left out", ", ".join(dropped))
            self._report(frame, at)
        except FrameError as exc:
            self._bad_frames = bad_before + 1
            self._say_once(f"a message was dropped: {exc.kind}", exc.detail)
            return False
        return True

    async def drain(self) -> None:
        """Wait for a slow reader of what was published."""
        await self._drained()

    def _report(self, frame: Frame, at: Instant) -> None:
        normalizer = self._normalizer
        if isinstance(frame, Settings):
            readings = normalizer.settings(frame, at.isoformat())
            self._frames += 1
            self.has_settings = True
            self._say(self._reporter.on_settings(readings, normalizer.description, at))
            return
        interval = None if self._last_status is None else at.monotonic - self._last_status
        reconnects = max(0, self._connections - 1)
        link = Link(self._frames + 1, self._bad_frames, reconnects, interval)
        master = (frame.bms_array and frame.bms_array.master) or Master()
        energy = self.meter.add(at.monotonic, master.voltage, master.current)
        readings = normalizer.status(frame, at.isoformat(), link, energy)
        self._frames += 1
        self._readings = readings
        self._last_status = at.monotonic
        self._say(self._reporter.on_status(readings, normalizer.description, at))
        if self._trouble and at.monotonic - self._connected_at >= PROVEN:
            self._trouble = ""
            _log.info("%s: the connection is good again", self.name)

    def _say(self, batch: Batch) -> None:
        """Publish, and tell the log when the BMS has come or gone."""
        self._publish(batch)
        if self.online and not self._was_online:
            self._trouble = ""
            _log.info("%s: online", self.name)
        elif self._was_online and not self.online:
            _log.warning("%s: offline: %s", self.name, self.reason)
        self._was_online = self.online

    def _say_once(self, kind: str, detail: str) -> None:
        """Log once per kind: a module that sends nonsense sends it every second."""
        if kind not in self._said:
            self._said.add(kind)
            _log.warning("%s: %s (%s); counted in link/bad_frames", self.name, kind, detail[:200])
