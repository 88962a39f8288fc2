"""What is published of one BMS, and when: availability, readings, snapshots, device, alarms.

A `Reporter` takes what happens to a BMS and returns the messages to send. Time is an argument, and
what falls due without a frame is dated at the time at which it was due, however late `advance` is
called. So the same frames at the same times give the same messages, live or replayed.

A BMS is online from a status frame until `stale_after` seconds pass without another one. While it
is offline, its availability is all that is published: every other topic is expired, and what is
held is dropped. The first status after that publishes every reading again.
"""

from math import floor
from typing import Final

import msgspec

from recbms_zmq.clock import Instant
from recbms_zmq.config.options import ReportOptions
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.envelopes import Envelopes
from recbms_zmq.reporting.messages import AlarmChange
from recbms_zmq.reporting.reading_stream import NEVER, ReadingStream
from recbms_zmq.reporting.selected_columns import SelectedColumns
from recbms_zmq.reporting.snapshot_stream import SnapshotStream
from recbms_zmq.sensors.alarm_tracker import AlarmTransition
from recbms_zmq.sensors.device_info import DeviceInfo
from recbms_zmq.sensors.normalize import Readings
from recbms_zmq.sensors.selection import Selection
from recbms_zmq.text import ascii_json
from recbms_zmq.wire.alarms import alarm_advice

STARTING: Final = "waiting for the first status frame"
WAITING: Final = "connected, waiting for a status frame"
ONLINE: Final = "status frames arrive"
STOPPED: Final = "stopped"


class Reporter:
    """Turns the frames and the link events of one BMS into messages.

    Every method that takes a time first adds what was due before it. Times must not go back.
    """

    def __init__(self, envelopes: Envelopes, options: ReportOptions) -> None:
        self._options = options
        self._availability = envelopes.of_kind("availability")
        self._device = envelopes.of_kind("device")
        self._event = envelopes.of_kind("event")
        self._status = ReadingStream(envelopes, options)
        self._settings = ReadingStream(envelopes, options)
        self._snapshot = SnapshotStream(envelopes, options)
        self._streams = (self._status, self._settings, self._snapshot)
        self._emits_readings = options.emit in ("readings", "both")
        self._emits_snapshots = options.emit in ("snapshot", "both")
        selection = Selection(options.only, options.leave_out)
        self._selected_status = SelectedColumns(selection)
        self._selected_settings = SelectedColumns(selection)
        self._selects = selection.selects
        self._device_info: DeviceInfo | None = None
        self._settings_refresh_due = NEVER
        self._availability_due = NEVER
        self._stale_due = NEVER
        self._reason = STARTING
        self._link_problem = ""
        # Both clocks at the last call with a time: what falls due later is dated from here.
        self._last = Instant(0.0, 0.0)
        self._was_online = False
        self.online = False
        """Whether a valid status frame came within `stale_after`."""
        self.since = self._last
        """When it became online or offline, however late `advance` was called."""

    @property
    def reason(self) -> str:
        """Why the BMS is online or offline: a short sentence, never empty."""
        return self._reason

    def next_due(self, now: float) -> float:
        """Return the monotonic time from which `advance` has something to publish.

        Not before `now`, which means: at once. `NEVER` before `start`. A call of any other method
        can change it.
        """
        return max(now, self._due)

    def start(self, at: Instant) -> Batch:
        """Begin a run: its first message is `offline`."""
        batch = Batch([], [])
        self._last = at
        self._publish_availability(at, batch)
        return batch

    def on_connected(self, at: Instant) -> Batch:
        """Record that the connection is there."""
        return self._on_link("", at)

    def on_disconnected(self, reason: str, at: Instant) -> Batch:
        """Record why there is no connection; it becomes part of the reason for `offline`."""
        return self._on_link(reason, at)

    def on_empty_status(self, problem: str, at: Instant) -> Batch:
        """Record that a status frame came, but without data; it does not make the BMS online."""
        return self._on_link(problem, at)

    def on_status(self, readings: Readings, device_info: DeviceInfo, at: Instant) -> Batch:
        """Take a status frame: the BMS is online."""
        if self._selects:
            readings = self._selected_status.of(readings)
        # First what was due before: if this frame comes too late, an `offline` precedes it.
        batch = self.advance(at)
        messages_before = len(batch.messages)
        self._last = at
        now, ts = at.monotonic, readings.arrival.encode()
        self._stale_due = now + self._options.stale_after
        self._link_problem = ""
        self._reason = ONLINE
        came_back = not self.online
        if came_back:
            self.online = self._was_online = True
            self.since = at
            # Before the readings: consumers forget older values when a BMS comes online.
            self._publish_availability(at, batch)
            # Settings from before are still true, but have expired with everything else.
            self._settings_refresh_due = now
        self._publish_device(device_info, ts, batch)
        if self._emits_readings:
            self._status.update(readings, now, batch)
            self._status.publish(now, batch)
            if now >= self._settings_refresh_due:
                self._settings_refresh_due = self._settings.refresh(now, batch)
        if self._emits_snapshots:
            self._snapshot.update(readings)
            self._snapshot.publish(now, batch)
        # After the readings: a subscriber that handles an event has the values of its frame.
        for change in readings.alarms:
            self._publish_alarm(change, ts, batch)
        if came_back:
            # `advance` may have expired topics in this very batch. Those that were published
            # again after that must stay retained, and sinks expire after they publish.
            published = {retained for _, _, retained in batch.messages[messages_before:]}
            batch.expired = [topic for topic in batch.expired if topic not in published]
        return batch

    def on_settings(self, readings: Readings, device_info: DeviceInfo, at: Instant) -> Batch:
        """Take a settings frame; while offline its readings wait for the next status."""
        if self._selects:
            readings = self._selected_settings.of(readings)
        batch = self.advance(at)
        self._last = at
        if self._emits_snapshots:
            self._snapshot.update_settings(readings)
        if self.online:
            self._publish_device(device_info, readings.arrival.encode(), batch)
        if self._emits_readings:
            self._settings.update(readings, at.monotonic, batch)
            if self.online:
                self._settings.publish(at.monotonic, batch)
                self._settings_refresh_due = at.monotonic
        return batch

    def advance(self, at: Instant) -> Batch:
        """Return what has become due by now without a frame."""
        batch = Batch([], [])
        while self._due <= at.monotonic:
            steps = (
                (self._stale_due, self._go_offline),
                (self._availability_due, self._repeat_availability),
                (self._status.held_due, self._publish_held),
                (self._settings.held_due, self._publish_held),
                (self._snapshot.held_due, self._publish_held),
            )
            # Of steps that are due at the same time, the first of the list: `online` must not be
            # repeated at the time of the `offline`.
            due, step = min(steps, key=lambda each: each[0])
            # Not `is`: each access to a method makes another object of it.
            if step == self._repeat_availability:
                due = self._newest_repeat(at.monotonic)
            # Dated when it was due: a late timer, or a replay at full speed, changes no message.
            step(self._last.at(due), batch)
        return batch

    def stop(self, at: Instant) -> Batch:
        """End a run: its last message is `offline`."""
        batch = self.advance(at)
        self._reason = STOPPED
        self._go_offline(at, batch)
        self._availability_due = NEVER
        return batch

    @property
    def _due(self) -> float:
        return min(
            self._stale_due,
            self._availability_due,
            self._status.held_due,
            self._settings.held_due,
            self._snapshot.held_due,
        )

    def _newest_repeat(self, now: float) -> float:
        """Return when the availability was last due for its repeat.

        After a suspend or a gap in a recording there may be thousands of missed ones. They would
        all be equal, so only the newest before the next change is published.
        """
        end = min(now, self._stale_due, *(stream.held_due for stream in self._streams))
        missed = floor((end - self._availability_due) / self._options.refresh)
        return self._availability_due + max(0, missed) * self._options.refresh

    def _on_link(self, problem: str, at: Instant) -> Batch:
        batch = self.advance(at)
        self._last = at
        self._link_problem = problem
        if self.online:
            # The last frame is younger than `stale_after`, but no other one can come now.
            self._reason = f"no new data: {problem}" if problem else ONLINE
        else:
            self._reason = problem or (WAITING if self._was_online else STARTING)
        return batch

    def _go_offline(self, at: Instant, batch: Batch) -> None:
        if self._reason != STOPPED:
            silence = f"no status frame for {self._options.stale_after:g} s"
            self._reason = f"{silence}: {self._link_problem}" if self._link_problem else silence
        self.online = False
        self.since = at
        self._stale_due = NEVER
        self._publish_availability(at, batch)
        for stream in self._streams:
            stream.expire(batch)

    def _repeat_availability(self, at: Instant, batch: Batch) -> None:
        self._publish_availability(at, batch)

    def _publish_availability(self, at: Instant, batch: Batch) -> None:
        self._availability_due = at.monotonic + self._options.refresh
        state = "online" if self.online else "offline"
        # `reason` is a member of the message behind the payload, not a part of the payload.
        payload = msgspec.Raw(f'"{state}","reason":{ascii_json(self._reason)}')
        batch.messages.append(self._availability.render(payload, at.isoformat().encode()))

    def _publish_held(self, at: Instant, batch: Batch) -> None:
        for stream in self._streams:
            if stream.held_due <= at.monotonic:
                stream.publish_held(at.monotonic, batch)

    def _publish_device(self, device_info: DeviceInfo, ts: bytes, batch: Batch) -> None:
        # The same object until it changes, so that nearly every frame skips the comparison.
        if device_info is not self._device_info:
            if device_info != self._device_info:
                batch.messages.append(self._device.render(device_info, ts))
            self._device_info = device_info

    def _publish_alarm(self, change: AlarmTransition, ts: bytes, batch: Batch) -> None:
        topic, body, _ = self._event.render(_alarm_change(change), ts)
        batch.messages.append((topic, body, None))  # true only once


def _alarm_change(change: AlarmTransition) -> AlarmChange:
    alarm = change.alarm
    return AlarmChange(
        event="alarm_raised" if change.is_raised else "alarm_cleared",
        number=alarm.number,
        text=alarm.text,
        advice=alarm_advice(alarm.number),
        unit=alarm.unit,
        cell=alarm.cell,
    )
