"""The stream of snapshots: all readings of a pack in one message, and when one is said."""

from collections.abc import Iterable
from operator import itemgetter
from typing import Any

from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.envelopes import Envelopes
from recbms_zmq.reporting.reading_stream import NO_TIME, ReportOptions, Topic
from recbms_zmq.sensors.normalize import Readings
from recbms_zmq.sensors.sensor import Sensor, Value
from recbms_zmq.text import ascii_json


class SnapshotStream:
    """One topic for all readings: those of the last status frame, and the settings.

    The settings are in every snapshot, so that all snapshots have the same keys; their part of
    the JSON is made once a settings frame.
    """

    def __init__(self, envelopes: Envelopes, options: ReportOptions) -> None:
        self._options = options
        self._topic = Topic(envelopes.of_kind("snapshot"))
        self._sensors: tuple[Sensor, ...] = ()
        self._keys: list[str] = []
        self._steady: Any = tuple
        self._values: list[Value | None] = []
        self._settings = ""
        self._standing: Any = None
        self._ts = ""
        self.due = NO_TIME
        """When `flush` has something to do."""

    def take_settings(self, readings: Readings) -> None:
        """Take over the settings; they go out with the next status."""
        self._settings = _members((s.key for s in readings.sensors), readings.values)

    def take(self, readings: Readings) -> None:
        """Take over a status frame's readings."""
        if readings.sensors is not self._sensors:
            self._sensors = readings.sensors
            self._keys = [sensor.key for sensor in readings.sensors]
            # What changes with every frame does not make a snapshot news.
            self._steady = itemgetter(
                *(n for n, sensor in enumerate(readings.sensors) if not sensor.every_frame)
            )
        self._values = readings.values
        self._ts = readings.arrival

    def send(self, now: float, batch: Batch) -> None:
        """Say what is to be said of a frame that was just taken."""
        self.due = NO_TIME
        everything = self._options.report == "all"
        if everything or now >= self._topic.refresh_due or self._news() != self._standing:
            free_at = self._topic.said_at + self._options.min_interval
            if now < free_at:
                self.due = free_at
            else:
                self._say(now, batch)

    def flush(self, now: float, batch: Batch) -> None:
        """Say the snapshot that was held back for the minimal interval."""
        self.due = NO_TIME
        self._say(now, batch)

    def reset(self, batch: Batch) -> None:
        """Withdraw the last snapshot."""
        self.due = NO_TIME
        self._topic.reset()
        self._standing = None
        batch.expired.append(self._topic.envelope.topic)

    def _news(self) -> Any:
        """Return what makes a snapshot differ from another one: names, values, settings."""
        return self._keys, self._steady(self._values), self._settings

    def _say(self, now: float, batch: Batch) -> None:
        self._standing = self._news()
        parts = [_members(self._keys, self._values), self._settings]
        payload = "{" + ",".join(part for part in parts if part) + "}"
        batch.messages.append(self._topic.say(payload, self._ts, now, self._options.refresh))


def _members(keys: Iterable[str], values: list[Value | None]) -> str:
    """Encode as the inside of a JSON object, without what has no reading."""
    members = dict(zip(keys, values, strict=True))
    if None in values:
        members = {key: value for key, value in members.items() if value is not None}
    return ascii_json(members)[1:-1]
