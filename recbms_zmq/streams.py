"""Streams of messages, one for each kind of frame: which of its values are said now.

A `Topic` knows what was last said on it; a stream puts a frame's values on their topics. Nothing
here knows availability or alarms, which are `report`'s.
"""

from collections.abc import Iterable
from operator import itemgetter
from typing import Any, Final, Literal, NamedTuple

from msgspec import Struct

from recbms_zmq.messages import Envelope, Envelopes, Outgoing, ascii_json, payload_of
from recbms_zmq.normalize import Readings
from recbms_zmq.sensor import UNKNOWN, Sensor, Value

_NEVER: Final[Any] = object()
_SOMETHING: Final[Any] = object()  # said on the topic, but not by what speaks there now
_LONG_AGO: Final = float("-inf")
_NO_TIME: Final = float("inf")


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


class Batch(NamedTuple):
    """Messages to send, in this order, and topics that are no longer true after them.

    A `complete` one has no line left out for a slow reader: its source waits for that reader.
    """

    messages: list[Outgoing]
    forgotten: list[bytes]
    complete: bool = False


class Past(NamedTuple):
    """What is left of a topic: its count of messages, its last time, whether a value stands."""

    seq: int
    said_at: float
    stands: bool


class Topic:
    """What was last said on one topic, and whether there is something to say now.

    Attributes:
        said_at, refresh_due: when something was last said, and when it is to be said again.
        held: whether the newest value has to wait for the end of the minimal interval.

    """

    __slots__ = ("_every_frame", "_said", "envelope", "held", "refresh_due", "said_at")

    def __init__(self, envelope: Envelope, *, every_frame: bool = False) -> None:
        self.envelope = envelope
        self._every_frame = every_frame
        self.reset()

    def reset(self) -> None:
        """Forget what was said, so that the next value is news and goes out at once."""
        self._said: Any = _NEVER
        self.said_at = self.refresh_due = _LONG_AGO
        self.held = False

    def follow(self, before: Past) -> None:
        """Go on where an earlier topic of this name ended."""
        self.envelope.seq = before.seq
        self.said_at = before.said_at
        if before.stands:
            self._said = _SOMETHING

    @property
    def past(self) -> Past:
        """What a later topic of this name has to know."""
        return Past(self.envelope.seq, self.said_at, self._said is not _NEVER)

    def has_news(self, value: Any, now: float) -> bool:
        """Tell whether this value, of a new frame, is worth saying under `changes`."""
        return now >= self.refresh_due or (value != self._said and not self._every_frame)

    def say(self, value: Any, payload: str, ts: str, now: float, refresh: float) -> Outgoing:
        """Make the message, and remember it."""
        self._said = value
        self.said_at = now
        self.refresh_due = now + refresh
        self.held = False
        return self.envelope.seal(payload, ts)

    def retract(self, ts: str, now: float, batch: Batch) -> None:
        """Say null once, and then nothing."""
        self.held = False
        if self._said is _NEVER:
            return
        if self._said is not UNKNOWN:
            batch.messages.append(self.envelope.seal("null", ts))
            self.said_at = now
        batch.forgotten.append(self.envelope.topic)
        self._said = _NEVER
        self.refresh_due = _LONG_AGO


class ReadingStream:
    """One topic for each reading of one kind of frame."""

    def __init__(self, envelopes: Envelopes, options: ReportOptions) -> None:
        self._envelopes = envelopes
        self._options = options
        self._sensors: tuple[Sensor, ...] = ()
        self._topics: list[Topic] = []
        self._values: list[Value | None] = []
        self._ts = ""
        self._retired: dict[str, Past] = {}  # topics that have vanished, by their keys
        self.due = _NO_TIME
        """When `flush` has something to do."""

    def take(self, readings: Readings, now: float, batch: Batch) -> None:
        """Take over a frame's readings; say that those which are gone are unknown."""
        self._ts = readings.arrival
        if readings.sensors is not self._sensors:
            self._change_columns(readings.sensors, now, batch)
        self._values = readings.values

    def send(self, now: float, batch: Batch) -> None:
        """Say what is to be said of a frame that was just taken."""
        everything = self._options.report == "all"
        interval = self._options.min_interval
        for topic, value in zip(self._topics, self._values, strict=True):
            if value is None:
                topic.retract(self._ts, now, batch)
            elif everything or topic.has_news(value, now):
                if now < topic.said_at + interval:
                    topic.held = True
                else:
                    self._say(topic, value, now, batch)
            else:
                topic.held = False
        if interval:
            self._note_held()

    def flush(self, now: float, batch: Batch) -> None:
        """Say the values that were held back for the minimal interval."""
        for topic, value in zip(self._topics, self._values, strict=True):
            if topic.held and value is not None and self._free_at(topic) <= now:
                self._say(topic, value, now, batch)
        self._note_held()

    def refresh(self, now: float, batch: Batch) -> float:
        """Say again what was last said too long ago; return when there will be more of it."""
        next_due = _NO_TIME
        for topic, value in zip(self._topics, self._values, strict=True):
            if value is not None:
                if max(topic.refresh_due, self._free_at(topic)) <= now:
                    self._say(topic, value, now, batch)
                next_due = min(next_due, max(topic.refresh_due, self._free_at(topic)))
        return next_due

    def reset(self, batch: Batch) -> None:
        """Withdraw everything: nothing that was said is known to be true any more."""
        self.due = _NO_TIME
        for topic in self._topics:
            batch.forgotten.append(topic.envelope.topic)
            topic.reset()
        for key, past in self._retired.items():
            self._retired[key] = Past(past.seq, _LONG_AGO, stands=False)

    def _say(self, topic: Topic, value: Value, now: float, batch: Batch) -> None:
        payload, refresh = payload_of(value), self._options.refresh
        batch.messages.append(topic.say(value, payload, self._ts, now, refresh))

    def _free_at(self, topic: Topic) -> float:
        return topic.said_at + self._options.min_interval

    def _note_held(self) -> None:
        self.due = min((self._free_at(t) for t in self._topics if t.held), default=_NO_TIME)

    def _change_columns(self, sensors: tuple[Sensor, ...], now: float, batch: Batch) -> None:
        """Put the topics in the new order: keep those that stay, retract those that go."""
        # The unit is part of the identity: with another one it is another message.
        old = {
            (sensor.key, sensor.unit): topic
            for sensor, topic in zip(self._sensors, self._topics, strict=True)
        }
        topics = [old.pop((sensor.key, sensor.unit), None) for sensor in sensors]
        staying = {sensor.key for sensor in sensors}
        for (key, _), topic in old.items():
            if key not in staying:
                topic.retract(self._ts, now, batch)
            self._retired[key] = topic.past
        self._topics = [
            self._topic(sensor) if topic is None else topic
            for sensor, topic in zip(sensors, topics, strict=True)
        ]
        self._sensors = sensors

    def _topic(self, sensor: Sensor) -> Topic:
        topic = Topic(self._envelopes.of_sensor(sensor), every_frame=sensor.every_frame)
        if sensor.key in self._retired:
            topic.follow(self._retired.pop(sensor.key))
        return topic


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
        self._ts = ""
        self.due = _NO_TIME
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
        news = self._news()
        self.due = _NO_TIME
        if self._options.report == "all" or self._topic.has_news(news, now):
            free_at = self._topic.said_at + self._options.min_interval
            if now < free_at:
                self.due = free_at
            else:
                self._say(news, now, batch)

    def flush(self, now: float, batch: Batch) -> None:
        """Say the snapshot that was held back for the minimal interval."""
        self.due = _NO_TIME
        self._say(self._news(), now, batch)

    def reset(self, batch: Batch) -> None:
        """Withdraw the last snapshot."""
        self.due = _NO_TIME
        self._topic.reset()
        batch.forgotten.append(self._topic.envelope.topic)

    def _news(self) -> Any:
        """Return what makes a snapshot differ from another one: names, values, settings."""
        return self._keys, self._steady(self._values), self._settings

    def _say(self, news: Any, now: float, batch: Batch) -> None:
        parts = [_members(self._keys, self._values), self._settings]
        payload = "{" + ",".join(part for part in parts if part) + "}"
        refresh = self._options.refresh
        batch.messages.append(self._topic.say(news, payload, self._ts, now, refresh))


def _members(keys: Iterable[str], values: list[Value | None]) -> str:
    """Encode as the inside of a JSON object, without what has no reading."""
    members = {key: value for key, value in zip(keys, values, strict=True) if value is not None}
    return ascii_json(members)[1:-1]
