"""What goes out now: availability, readings, alarms; the one place that decides.

A `Reporter` takes the readings of one BMS and gives back the messages to send. It is pure: time is
an argument, and what is due at a time is dated at that time, however late somebody asks. So the
same frames at the same times give the same messages, live or replayed.
"""

from typing import Final

from recbms_zmq.clock import Instant
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.envelopes import Envelopes
from recbms_zmq.reporting.messages import AlarmChange
from recbms_zmq.reporting.reading_stream import NO_TIME, ReadingStream, ReportOptions
from recbms_zmq.reporting.snapshot_stream import SnapshotStream
from recbms_zmq.sensors.device_info import DeviceInfo
from recbms_zmq.sensors.normalize import Readings
from recbms_zmq.sensors.pack import Alarm
from recbms_zmq.sensors.sensor import Unknown
from recbms_zmq.text import ascii_json

STARTING: Final = "waiting for the first status frame"
ONLINE: Final = "status frames arrive"
STOPPED: Final = "stopped"


class Reporter:
    """Decides what is said of one BMS, and when.

    Every method that is given a time first does what was due before it. Times must not go back.
    """

    def __init__(self, envelopes: Envelopes, options: ReportOptions) -> None:
        self._options = options
        self._availability = envelopes.of_kind("availability")
        self._device = envelopes.of_kind("device")
        self._event = envelopes.of_kind("event")
        self._status = ReadingStream(envelopes, options)
        self._settings = ReadingStream(envelopes, options)
        self._snapshot = SnapshotStream(envelopes, options)
        self._readings = options.emit in ("readings", "both")
        self._snapshots = options.emit in ("snapshot", "both")
        self._description: DeviceInfo | None = None
        self._alarm: Alarm | None = None
        self._settings_refresh_due = NO_TIME
        self._availability_due = NO_TIME
        self._stale_due = NO_TIME
        self._reason = STARTING
        self._link_problem = ""
        # The last thing that happened: what falls due later is dated by counting on from here.
        self._last = Instant(0.0, 0.0)
        self.online = False
        """Whether a valid status frame came lately."""

    @property
    def reason(self) -> str:
        """Why the BMS is online or offline, a short sentence."""
        return self._reason

    def start(self, at: Instant) -> Batch:
        """Begin: the first message of a run is `offline`."""
        batch = Batch([], [])
        self._last = at
        self._say_availability(at, batch)
        return batch

    def on_connected(self, at: Instant) -> Batch:
        """Record that the connection is there; what is due before `at` is published first."""
        return self._on_link("", at)

    def on_disconnected(self, reason: str, at: Instant) -> Batch:
        """Record why the connection is not there; it becomes part of the reason of an `offline`."""
        return self._on_link(reason, at)

    def _on_link(self, problem: str, at: Instant) -> Batch:
        batch = self.advance(at)
        self._last = at
        self._link_problem = problem
        if not self.online:
            self._reason = problem or STARTING
        return batch

    def on_status(self, readings: Readings, description: DeviceInfo, at: Instant) -> Batch:
        """Take a status frame: the BMS is online."""
        batch = self.advance(at)
        before = len(batch.messages)
        self._last = at
        now, ts = at.monotonic, readings.arrival
        self._stale_due = now + self._options.stale_after
        came_back = not self.online
        if came_back:
            self.online = True
            self._reason = ONLINE
            self._say_availability(at, batch)
            self._settings_refresh_due = now
        self._describe(description, ts, batch)
        if self._readings:
            self._status.take(readings, now, batch)
            self._status.send(now, batch)
            if now >= self._settings_refresh_due:
                self._settings_refresh_due = self._settings.refresh(now, batch)
        if self._snapshots:
            self._snapshot.take(readings)
            self._snapshot.send(now, batch)
        self._report_alarm(readings.alarm, ts, batch)
        if came_back:
            # What was forgotten a moment ago, and has been said anew, is true again.
            said = {topic for topic, _, _ in batch.messages[before:]}
            batch.expired[:] = [topic for topic in batch.expired if topic not in said]
        return batch

    def on_settings(self, readings: Readings, description: DeviceInfo, at: Instant) -> Batch:
        """Take a settings frame; while offline its readings wait for the next status."""
        batch = self.advance(at)
        self._last = at
        if self._snapshots:
            self._snapshot.take_settings(readings)
        if self.online:
            self._describe(description, readings.arrival, batch)
        if self._readings:
            self._settings.take(readings, at.monotonic, batch)
            if self.online:
                self._settings.send(at.monotonic, batch)
                self._settings_refresh_due = at.monotonic
        return batch

    def advance(self, at: Instant) -> Batch:
        """Do what has become due by now without a frame."""
        batch = Batch([], [])
        while self._due <= at.monotonic:
            steps = (
                (self._stale_due, self._go_offline),
                (self._availability_due, self._say_availability),
                (self._status.due, self._flush),
                (self._settings.due, self._flush),
                (self._snapshot.due, self._flush),
            )
            due, step = min(steps, key=lambda each: each[0])
            step(self._last.at(due), batch)
        return batch

    def stop(self, at: Instant) -> Batch:
        """End: the last message of a run is `offline`."""
        batch = self.advance(at)
        self._reason = STOPPED
        self._go_offline(at, batch)
        return batch

    @property
    def _due(self) -> float:
        return min(
            self._stale_due,
            self._availability_due,
            self._status.due,
            self._settings.due,
            self._snapshot.due,
        )

    def _go_offline(self, at: Instant, batch: Batch) -> None:
        if self._reason != STOPPED:
            silence = f"no status frame for {self._options.stale_after:g} s"
            self._reason = f"{silence}: {self._link_problem}" if self._link_problem else silence
        self.online = False
        self._stale_due = NO_TIME
        self._say_availability(at, batch)
        for stream in (self._status, self._settings, self._snapshot):
            stream.reset(batch)

    def _say_availability(self, at: Instant, batch: Batch) -> None:
        self._availability_due = at.monotonic + self._options.refresh
        state = "online" if self.online else "offline"
        # The reason stands beside the payload, not in it.
        payload = f'"{state}","reason":{ascii_json(self._reason)}'
        batch.messages.append(self._availability.render(payload, at.isoformat()))

    def _flush(self, at: Instant, batch: Batch) -> None:
        for stream in (self._status, self._settings, self._snapshot):
            if stream.due <= at.monotonic:
                stream.flush(at.monotonic, batch)

    def _describe(self, description: DeviceInfo, ts: str, batch: Batch) -> None:
        if description is not self._description:
            if description != self._description:
                batch.messages.append(self._device.render(ascii_json(description), ts))
            self._description = description

    def _report_alarm(self, alarm: Alarm | Unknown | None, ts: str, batch: Batch) -> None:
        if isinstance(alarm, Unknown) or alarm == self._alarm:
            return
        if self._alarm is not None:
            change = AlarmChange(event="alarm_cleared", **self._alarm._asdict())
            batch.messages.append(self._event.render(ascii_json(change), ts))
        if alarm is not None:
            change = AlarmChange(event="alarm_raised", **alarm._asdict())
            batch.messages.append(self._event.render(ascii_json(change), ts))
        self._alarm = alarm
