"""When snapshots are published: all readings of a pack in one message.

A snapshot is due when one of its values differs from the last one sent, when the refresh is due,
or with every frame under `report: all`. Values that differ in every frame by their nature
(`every_frame`) do not make it due. If the last one was sent less than `min_interval` ago, it is
held, and `publish_held` sends the newest one. After `expire` the next one goes out at once.
"""

from collections.abc import Iterable
from itertools import compress
from operator import ne
from typing import Any

import msgspec

from recbms_zmq.config.options import ReportOptions
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.envelopes import LONG_AGO, Envelopes
from recbms_zmq.reporting.reading_stream import NEVER
from recbms_zmq.sensors.normalize import Readings
from recbms_zmq.sensors.sensor import Sensor, Value
from recbms_zmq.text import ascii_json


class SnapshotStream:
    """One topic for all readings: those of the last status frame, and the settings.

    The settings are in every snapshot, so that all snapshots have the same keys. Their part of
    the JSON is encoded once for each settings frame.
    """

    def __init__(self, envelopes: Envelopes, options: ReportOptions) -> None:
        self._options = options
        self._topic = envelopes.of_kind("snapshot")
        self._sensors: tuple[Sensor, ...] = ()
        self._keys: list[str] = []
        self._is_compared: list[bool] = []
        self._values: list[Value | None] = []
        self._members: dict[str, Value] = {}  # of the values
        self._settings = ""
        self._last_sent: Any = None  # keys, settings, values
        self._ts = b""
        self._refresh_due = LONG_AGO
        self._may_differ = True  # from the last one sent
        self.held_due = NEVER
        """Monotonic time at which `publish_held` has something to do, or `NEVER`."""

    def update_settings(self, readings: Readings) -> None:
        """Take the readings of a settings frame; they are published with the next status."""
        keys = (sensor.key for sensor in readings.sensors)
        self._settings = _inside(_members(keys, readings.values))
        self._may_differ = True

    def update(self, readings: Readings) -> None:
        """Take the readings of a status frame."""
        if readings.sensors is not self._sensors:
            self._sensors = readings.sensors
            self._keys = [sensor.key for sensor in readings.sensors]
            self._is_compared = [not sensor.every_frame for sensor in readings.sensors]
            self._members = {}
        self._values = readings.values
        self._ts = readings.arrival.encode()
        changed = readings.changed
        self._update_members(range(len(self._values)) if changed is None else changed)
        if changed is None or any(map(self._is_compared.__getitem__, changed)):
            self._may_differ = True

    def publish(self, now: float, batch: Batch) -> None:
        """Add a snapshot of the frame that `update` took, if it is due."""
        self.held_due = NEVER
        everything = self._options.report == "all"
        if everything or now >= self._refresh_due or self._differs():
            allowed = self._topic.sent_at + self._options.min_interval
            if now < allowed:
                self.held_due = allowed
            else:
                self._publish(now, batch)

    def publish_held(self, now: float, batch: Batch) -> None:
        """Add the snapshot that was held."""
        self.held_due = NEVER
        self._publish(now, batch)

    def expire(self, batch: Batch) -> None:
        """Expire the topic."""
        self.held_due = NEVER
        self._topic.sent_at = self._refresh_due = LONG_AGO
        self._last_sent = None
        batch.expired.append(self._topic)

    def _update_members(self, changed: Iterable[int]) -> None:
        keys, values, members = self._keys, self._values, self._members
        for column in changed:
            key, value = keys[column], values[column]
            if value is None or key not in members:
                # One comes or goes: they are in the order of the columns.
                self._members = _members(keys, values)
                break
            members[key] = value

    def _differs(self) -> bool:
        if self._may_differ and self._last_sent is not None:
            # The keys too: another unit can have the same values.
            *rest, values = self._last_sent
            self._may_differ = rest != [self._keys, self._settings] or any(
                compress(map(ne, self._values, values), self._is_compared)
            )
        return self._may_differ

    def _publish(self, now: float, batch: Batch) -> None:
        self._last_sent = self._keys, self._settings, self._values
        self._may_differ = False
        parts = [_inside(self._members), self._settings]
        payload = msgspec.Raw("{" + ",".join(part for part in parts if part) + "}")
        self._topic.sent_at = now
        self._refresh_due = now + self._options.refresh
        batch.messages.append(self._topic.render(payload, self._ts))


def _members(keys: Iterable[str], values: list[Value | None]) -> dict[str, Value]:
    """Return the values by their keys, without those that have no reading."""
    pairs = zip(keys, values, strict=True)
    return {key: value for key, value in pairs if value is not None}


def _inside(members: dict[str, Value]) -> str:
    """Encode as the inside of a JSON object."""
    return ascii_json(members)[1:-1]
