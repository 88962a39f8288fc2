"""Streams of readings, one for each kind of frame: which of its values are said now.

A stream has a topic for each column of its frames, and remembers what stands there: the value that
was last said, None if none is to be believed. Nothing here knows availability or alarms, which are
`report`'s; snapshots are in `snapshots`.
"""

from collections.abc import Iterable
from itertools import compress
from operator import ne
from typing import Any, Final, Literal, NamedTuple

from msgspec import Struct

from recbms_zmq.reporting.batch import Batch, Outgoing
from recbms_zmq.reporting.envelopes import Envelope, Envelopes
from recbms_zmq.sensors.normalize import Readings
from recbms_zmq.sensors.sensor import UNKNOWN, Sensor, Value
from recbms_zmq.text import ascii_json

_SOMETHING: Final[Any] = object()  # stands on the topic, but is not of what speaks there now
_LONG_AGO: Final = float("-inf")
NO_TIME: Final = float("inf")


class ReportOptions(Struct, frozen=True):
    """What to report. Times are in seconds.

    Attributes:
        emit: a message per reading, one for all of them, or both.
        report: readings that have changed, or all with every frame.
        refresh: after this long a reading is sent again though it has not changed.
        min_interval: no topic is sent more often than this, but for null, which is said at once
            so that nothing false stands in the meantime.
        stale_after: without a status frame for this long the BMS counts as offline.

    """

    emit: Literal["readings", "snapshot", "both"] = "readings"
    report: Literal["changes", "all"] = "changes"
    refresh: float = 60.0
    min_interval: float = 0.0
    stale_after: float = 30.0


class Past(NamedTuple):
    """What is left of a topic: its count of messages, its last time, whether a value stands."""

    seq: int
    said_at: float
    stands: bool


class Topic:
    """One topic, and when it was used.

    Attributes:
        every_frame: its value changes by its nature with every frame, so a change is no news.
        said_at, refresh_due: when something was last said, and when it is to be said again.

    """

    __slots__ = ("envelope", "every_frame", "refresh_due", "said_at")

    def __init__(self, envelope: Envelope, *, every_frame: bool = False) -> None:
        self.envelope = envelope
        self.every_frame = every_frame
        self.reset()

    def reset(self) -> None:
        """Let the next value go out at once."""
        self.said_at = self.refresh_due = _LONG_AGO

    def say(self, payload: str, ts: str, now: float, refresh: float) -> Outgoing:
        """Make the next message."""
        self.said_at = now
        self.refresh_due = now + refresh
        return self.envelope.render(payload, ts)


class ReadingStream:
    """One topic for each reading of one kind of frame.

    `_topics`, `_values` and `_standing` have one item for each column of the last frame. Most
    columns of most frames say nothing new, and are told from the others without a step of Python.
    """

    def __init__(self, envelopes: Envelopes, options: ReportOptions) -> None:
        self._envelopes = envelopes
        self._options = options
        self._sensors: tuple[Sensor, ...] = ()
        self._topics: list[Topic] = []
        self._values: list[Value | None] = []
        self._standing: list[Any] = []
        self._held: list[int] = []  # columns whose value waits for the end of the minimal interval
        self._ts = ""
        self._retired: dict[str, Past] = {}  # topics that have vanished, by their keys
        self._refresh_due = _LONG_AGO  # no topic is due before this
        self.due = NO_TIME
        """When `flush` has something to do."""

    def take(self, readings: Readings, now: float, batch: Batch) -> None:
        """Take over a frame's readings; say that those which are gone are unknown."""
        self._ts = readings.arrival
        if readings.sensors is not self._sensors:
            self._change_columns(readings.sensors, now, batch)
        self._values = readings.values

    def send(self, now: float, batch: Batch) -> None:
        """Say what is to be said of a frame that was just taken."""
        if self._options.report == "all":
            self._say(range(len(self._values)), now, batch)
        else:
            self._say_news(now, batch)

    def refresh(self, now: float, batch: Batch) -> float:
        """Say again what was last said too long ago; return when there may be more of it."""
        waiting = self._held
        self._say_news(now, batch)
        self._hold(sorted({*waiting, *self._held}))  # no frame has come in their place
        return self._refresh_due

    def flush(self, now: float, batch: Batch) -> None:
        """Say the values that were held back for the minimal interval."""
        self._say(self._held, now, batch)

    def reset(self, batch: Batch) -> None:
        """Withdraw everything: nothing that was said is known to be true any more."""
        self.due = NO_TIME
        self._held = []
        self._standing = [None] * len(self._topics)
        for topic in self._topics:
            batch.expired.append(topic.envelope.topic)
            topic.reset()
        for key, past in self._retired.items():
            self._retired[key] = Past(past.seq, _LONG_AGO, stands=False)

    def _say_news(self, now: float, batch: Batch) -> None:
        """Say what differs from what stands, and what has to be said again."""
        values, standing = self._values, self._standing
        if now < self._refresh_due:
            changed = compress(range(len(values)), map(ne, values, standing))
            self._say(changed, now, batch, steady=True)
            return
        columns = [
            column
            for column, topic in enumerate(self._topics)
            if now >= topic.refresh_due or values[column] != standing[column]
        ]
        self._say(columns, now, batch, steady=True)
        # A value that is new to its column is due again after the refresh, like all said now.
        due = [
            topic.refresh_due
            for topic, value in zip(self._topics, values, strict=True)
            if value is not None
        ]
        self._refresh_due = min([*due, now + self._options.refresh])

    def _say(
        self, columns: Iterable[int], now: float, batch: Batch, *, steady: bool = False
    ) -> None:
        """Say what these columns hold, or hold it back.

        With `steady`, what changes with every frame is left out until it is due again.
        """
        refresh, interval = self._options.refresh, self._options.min_interval
        topics, values, standing, ts = self._topics, self._values, self._standing, self._ts
        held = []
        for column in columns:
            topic, value = topics[column], values[column]
            if value is None:
                self._retract(topic, standing[column], now, batch)
                standing[column] = None
            elif steady and topic.every_frame and now < topic.refresh_due:
                continue
            elif now < topic.said_at + interval:
                held.append(column)
            else:
                standing[column] = value
                batch.messages.append(topic.say(ascii_json(value), ts, now, refresh))
        self._hold(held)

    def _hold(self, columns: list[int]) -> None:
        self._held = columns
        interval = self._options.min_interval
        self.due = min((self._topics[n].said_at + interval for n in columns), default=NO_TIME)

    def _retract(self, topic: Topic, stands: Any, now: float, batch: Batch) -> None:
        """Say null once, and then nothing."""
        if stands is None:
            return
        if stands is not UNKNOWN:
            batch.messages.append(topic.envelope.render("null", self._ts))
            topic.said_at = now
        batch.expired.append(topic.envelope.topic)
        topic.refresh_due = _LONG_AGO

    def _change_columns(self, sensors: tuple[Sensor, ...], now: float, batch: Batch) -> None:
        """Put the topics in the new order: keep those that stay, retract those that go."""
        # The unit is part of the identity: with another one it is another message.
        old = {
            (sensor.key, sensor.unit): entry
            for sensor, *entry in zip(self._sensors, self._topics, self._standing, strict=True)
        }
        kept = [old.pop((sensor.key, sensor.unit), None) for sensor in sensors]
        staying = {sensor.key for sensor in sensors}
        for (key, _), (topic, stands) in old.items():
            if key not in staying:
                self._retract(topic, stands, now, batch)
            still_stands = key in staying and stands is not None
            self._retired[key] = Past(topic.envelope.seq, topic.said_at, still_stands)
        entries = [
            self._begin(sensor) if entry is None else entry
            for sensor, entry in zip(sensors, kept, strict=True)
        ]
        self._topics = [topic for topic, _ in entries]
        self._standing = [stands for _, stands in entries]
        self._sensors = sensors
        self._held = []

    def _begin(self, sensor: Sensor) -> list[Any]:
        """Make a topic, and what stands on it; go on where an earlier one of its name ended."""
        topic = Topic(self._envelopes.of_sensor(sensor), every_frame=sensor.every_frame)
        before = self._retired.pop(sensor.key, None)
        if before is None:
            return [topic, None]
        topic.envelope.seq = before.seq
        topic.said_at = before.said_at
        return [topic, _SOMETHING if before.stands else None]
