"""One BMS in the service: its frames go from bytes to messages here.

A pipeline decodes, normalizes and reports, counts what happens on the connection, and logs changes
and faults. It does no I/O of its own: a source calls it, and it calls `publish`.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from recbms_zmq.clock import Instant
from recbms_zmq.config.program import typed_program
from recbms_zmq.errors import FrameError, NoBatteryData
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.reporter import Reporter
from recbms_zmq.sensors.alarm_tracker import Alarm, AlarmTransition, LastAlarm
from recbms_zmq.sensors.energy import Counters, EnergyMeter
from recbms_zmq.sensors.link import Link
from recbms_zmq.sensors.normalize import Normalizer, Readings
from recbms_zmq.sensors.pack import require_data
from recbms_zmq.sensors.sensor import UNKNOWN
from recbms_zmq.service.alarm_log import AlarmLog
from recbms_zmq.wire.decode import decode
from recbms_zmq.wire.frames import Frame, Master, Settings

STABLE_AFTER: Final = 30.0
"""Seconds for which a connection has to carry frames until it counts as good again. One that breaks
every few seconds is logged once, not every few seconds."""
_MOST_DETAIL: Final = 200  # characters of a foreign text in a line of the log
_MOST_REMARKS: Final = 64
"""Remarks that are logged in one run: a BMS that sends nonsense can have thousands."""

_log = logging.getLogger(__name__)


async def at_once() -> None:
    """Wait for nothing."""


def unlimited(counters: Counters) -> Counters:
    """Return the counters as they are."""
    return counters


def forgotten(changes: Sequence[AlarmTransition], at: Instant, was_online: bool) -> None:
    """Keep no history of alarms."""


def unscheduled(due: float) -> None:
    """Leave it to the next frame to publish what is due."""


def unobserved(at: Instant) -> None:
    """Do nothing more with a status frame."""


class Pipeline:
    """Receives the frames of one BMS (as a `sources.Receiver`), and publishes its messages.

    Args:
        name: id of the BMS.
        normalizer, reporter: of this BMS alone.
        publish: takes each batch of messages.
        drained: waits until a slow reader has taken what was published.
        energy_max_gap: seconds between two frames above which no energy is counted.
        address: of the BMS, without credentials; what to check when it is offline.

    Attributes:
        address: as given.
        meter: counts energy; unknown until its `resume`.
        limit_counters: returns what may be published of the meter's totals.
        keep_alarms: takes the alarms that were raised or cleared, when that was, and whether the
            BMS was online before.
        schedule: takes the monotonic time at which `advance` has something to do next, whenever
            that can have changed.
        observe: called after each status frame.
        announce: called for each alarm and each change of `online`, with a level of `logging` and
            a sentence that names what to do; logs it.
        has_settings: whether a settings frame has come in this run.

    """

    def __init__(
        self,
        name: str,
        normalizer: Normalizer,
        reporter: Reporter,
        publish: Callable[[Batch], None],
        drained: Callable[[], Awaitable[None]] = at_once,
        *,
        energy_max_gap: float = 60.0,
        address: str = "ADDRESS",
    ) -> None:
        self.name = name
        self.has_settings = False
        self.meter = EnergyMeter(max_gap=energy_max_gap)
        self.limit_counters: Callable[[Counters], Counters] = unlimited
        self.keep_alarms: Callable[[Sequence[AlarmTransition], Instant, bool], None] = forgotten
        self.schedule: Callable[[float], None] = unscheduled
        self.observe: Callable[[Instant], None] = unobserved
        self.announce: Callable[[int, str, Instant], None] = self.log_change
        self._normalizer = normalizer
        self._reporter = reporter
        self._publish_batch = publish
        self._drained = drained
        self.address = address
        self._messages = 0
        self._frames = 0
        self._bad_frames = 0
        self._connections = 0
        self._last_status: float | None = None
        self._readings: Readings | None = None
        self._alarms = AlarmLog(self._announce)
        self._logged_problem = ""
        self._connected_at = float("-inf")
        self._was_online = False
        self._due = float("-inf")  # unknown, so that the first frame asks
        self._logged_kinds: set[str] = set()
        self._logged_remarks: set[str] = set()

    @property
    def online(self) -> bool:
        """Whether a valid status frame came within `--stale-after`."""
        return self._reporter.online

    @property
    def next_step(self) -> str:
        """What to do when nothing comes, to follow a sentence; empty for frames on stdin."""
        return (
            "" if self.address == "-" else f"; what to do: {typed_program()} check {self.address}"
        )

    @property
    def has_status(self) -> bool:
        """Whether a status frame has come in this run."""
        return self._last_status is not None

    @property
    def messages(self) -> int:
        """The number of raw messages in this run, valid or not."""
        return self._messages

    @property
    def reason(self) -> str:
        """Why the BMS is online or offline: a short sentence, never empty."""
        return self._reporter.reason

    def reading(self, key: str) -> float | int | bool | str | None:
        """Return a sensor's value in the last status frame, None if it has none there."""
        items = self._readings.items() if self._readings else ()
        return next((value for sensor, value in items if sensor.key == key), None)

    def values(self) -> dict[str, float | int | bool | str | None]:
        """Return the values of the last status frame by their keys."""
        items = self._readings.items() if self._readings else ()
        return {sensor.key: value for sensor, value in items}

    def log_change(self, level: int, text: str, at: Instant) -> None:  # noqa: ARG002 the log has a time of its own
        """Log an alarm or a change of `online`."""
        _log.log(level, "%s: %s", self.name, text)

    def resume_alarms(self, last: LastAlarm, active: Alarm | None) -> None:
        """Take over the last alarm of an earlier run; see `AlarmTracker.resume`."""
        self._normalizer.resume_alarms(last, active)

    def next_due(self, now: float) -> float:
        """Return the monotonic time, not before `now`, at which `advance` has something to do."""
        return self._reporter.next_due(now)

    def start(self, at: Instant) -> None:
        """Publish the first message of the run: `offline`."""
        self._publish_batch(self._reporter.start(at))
        self._due = self._reporter.next_due(at.monotonic)

    def advance(self, at: Instant) -> None:
        """Publish what is due without a frame."""
        self._publish(self._reporter.advance(at), at)

    def stop(self, at: Instant) -> None:
        """Publish the final `offline`: this BMS is no longer read."""
        self.advance(at)  # what was due before is announced, too
        self._publish_batch(self._reporter.stop(at))

    def connected(self, at: Instant) -> None:
        """Record a new connection."""
        self._connections += 1
        self._connected_at = at.monotonic
        self._normalizer.on_connected()
        self.advance(at)
        self._publish(self._reporter.on_connected(at), at)
        _log.debug("%s: connected", self.name)

    def disconnected(self, reason: str, at: Instant) -> None:
        """Record that there is no connection, and log the reason if it is a new one."""
        reason = reason or "connection lost"  # a recording can hold an empty one
        self.advance(at)  # what was due before has another reason
        self._publish(self._reporter.on_disconnected(reason, at), at)
        if reason != self._logged_problem:
            self._logged_problem = reason
            _log.warning("%s: %s; trying again", self.name, reason)

    def received(self, data: bytes, at: Instant) -> bool:
        """Process one raw message; return whether it was a valid frame."""
        self._messages += 1
        # A frame with fields that were left out, and then dropped, is one bad frame.
        bad_before = self._bad_frames
        try:
            frame, dropped = decode(data)
            if dropped:
                self._bad_frames += 1
                self._log_once("fields that cannot be read were left out", ", ".join(dropped))
            self._report(frame, at)
        except FrameError as exc:
            self._bad_frames = bad_before + 1
            self._log_once(f"a message was dropped: {exc.kind}", exc.detail)
            if isinstance(exc, NoBatteryData):
                self._publish(self._reporter.on_empty_status(exc.kind, at), at)
            return False
        return True

    async def drain(self) -> None:
        """Wait until a slow reader has taken what was published."""
        await self._drained()

    def _report(self, frame: Frame, at: Instant) -> None:
        normalizer = self._normalizer
        if isinstance(frame, Settings):
            readings = normalizer.settings(frame, at.isoformat())
            self._frames += 1
            self.has_settings = True
            self._publish(self._reporter.on_settings(readings, normalizer.description, at), at)
            return
        # Before anything is counted: a frame that is dropped must leave the energy alone.
        master = require_data(frame).master or Master()
        before = self._last_status
        interval = UNKNOWN if before is None else at.monotonic - before
        reconnects = max(0, self._connections - 1)
        link = Link(self._frames + 1, self._bad_frames, reconnects, interval)
        energy = self.limit_counters(self.meter.add(at.monotonic, master.voltage, master.current))
        readings = normalizer.status(frame, at.isoformat(), link, energy)
        self._frames += 1
        self._readings = readings
        self._last_status = at.monotonic
        if self._due <= at.monotonic:
            self.advance(at)  # an `offline` before this frame is announced, too
        was_online = self._reporter.online
        self._publish(self._reporter.on_status(readings, normalizer.description, at), at)
        if readings.alarms:
            self._alarms.update(readings.alarms, at)
            self.keep_alarms(readings.alarms, at, was_online)
        if normalizer.description.remarks:
            self._log_remarks(normalizer.description.remarks)
        if self._logged_problem and at.monotonic - self._connected_at >= STABLE_AFTER:
            self._logged_problem = ""
            _log.info("%s: the connection is good again", self.name)
        self.observe(at)

    def _publish(self, batch: Batch, at: Instant) -> None:
        """Publish, and announce when the BMS has become online or offline."""
        reporter = self._reporter
        self._publish_batch(batch)
        # Any event can move what is due next, also to an earlier time: a held value.
        self._due = reporter.next_due(at.monotonic)
        self.schedule(self._due)
        if reporter.online == self._was_online:
            return
        self._was_online = reporter.online
        since = reporter.since
        if reporter.online:
            self._logged_problem = ""
            self.announce(logging.INFO, "online", since)
        else:
            self.announce(logging.WARNING, f"offline: {self.reason}{self.next_step}", since)

    def _announce(self, level: int, text: str, at: Instant) -> None:
        # `announce` itself may be another one by now.
        self.announce(level, text, at)

    def _log_remarks(self, remarks: tuple[str, ...]) -> None:
        """Log each remark once; `device` messages have those that are true now."""
        for remark in remarks:
            if remark not in self._logged_remarks and len(self._logged_remarks) < _MOST_REMARKS:
                self._logged_remarks.add(remark)
                _log.warning("%s: %s", self.name, remark)
                if len(self._logged_remarks) == _MOST_REMARKS:
                    _log.warning("%s: no more remarks are logged in this run", self.name)

    def _log_once(self, kind: str, detail: str) -> None:
        """Log once per kind: a module that sends bad frames sends one every second."""
        if kind not in self._logged_kinds:
            self._logged_kinds.add(kind)
            text = f"{kind} ({detail[:_MOST_DETAIL]})" if detail else kind
            _log.warning("%s: %s; counted in link/bad_frames", self.name, text)
