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
    """Messages to send, in this order, and topics that are no longer true after them."""

    messages: list[Outgoing]
    forgotten: list[bytes]


class Past(NamedTuple):
    """What is left of a topic: its count of messages, its last time, whether a value stands."""

    seq: int
    sent_at: float
    stands: bool


class Topic:
    """What was last said on one topic, and whether there is something to say now."""

    __slots__ = ("_every_frame", "_sent", "_sent_at", "envelope", "held")

    def __init__(self, envelope: Envelope, *, every_frame: bool = False) -> None:
        self.envelope = envelope
        self.held = False
        """Whether the last value has to wait for the end of the minimal interval."""
        self._every_frame = every_frame
        self._sent: Any = _NEVER
        self._sent_at = _LONG_AGO

    def reset(self) -> None:
        """Forget what was said, so that the next value is news and goes out at once."""
        self._sent = _NEVER
        self._sent_at = _LONG_AGO
        self.held = False

    def follow(self, before: "Past") -> None:
        """Go on where an earlier topic of this name ended."""
        self.envelope.seq = before.seq
        self._sent_at = before.sent_at
        if before.stands:
            self._sent = _SOMETHING

    @property
    def past(self) -> "Past":
        """What a later topic of this name has to know."""
        return Past(self.envelope.seq, self._sent_at, self._sent is not _NEVER)

    def wants(self, value: Any, now: float, options: ReportOptions) -> bool:
        """Tell whether this value of a new frame goes out now."""
        since = now - self._sent_at
        if (
            (value == self._sent or self._every_frame)
            and since < options.refresh
            and options.report == "changes"
        ):
            self.held = False
            return False
        self.held = since < options.min_interval
        return not self.held

    def say(self, value: Any, payload: str, ts: str, now: float) -> Outgoing:
        """Make the message, and remember it."""
        self._sent = value
        self._sent_at = now
        self.held = False
        return self.envelope.seal(payload, ts)

    def retract(self, ts: str, now: float, batch: Batch) -> None:
        """Say null once, and then nothing."""
        self.held = False
        if self._sent is _NEVER:
            return
        if self._sent is not UNKNOWN:
            batch.messages.append(self.envelope.seal("null", ts))
            self._sent_at = now
        batch.forgotten.append(self.envelope.topic)
        self._sent = _NEVER

    def due(self, interval: float) -> float:
        """Tell when `interval` has passed since the last message."""
        return self._sent_at + interval


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

    def take(self, readings: Readings, ts: str, now: float, batch: Batch) -> None:
        """Take over a frame's readings; say that those which are gone are unknown."""
        if readings.sensors is not self._sensors:
            self._change_columns(readings.sensors, ts, now, batch)
        self._values = readings.values
        self._ts = ts

    def send(self, now: float, batch: Batch) -> None:
        """Say what is to be said of a frame that was just taken."""
        options, ts, messages = self._options, self._ts, batch.messages
        for topic, value in zip(self._topics, self._values, strict=True):
            if value is None:
                topic.retract(ts, now, batch)
            elif topic.wants(value, now, options):
                messages.append(topic.say(value, payload_of(value), ts, now))
        if options.min_interval:
            self._note_held()

    def flush(self, now: float, batch: Batch) -> None:
        """Say the values that were held back for the minimal interval."""
        for topic, value in zip(self._topics, self._values, strict=True):
            if topic.held and value is not None and topic.due(self._options.min_interval) <= now:
                batch.messages.append(topic.say(value, payload_of(value), self._ts, now))
        self._note_held()

    def refresh(self, now: float, batch: Batch) -> float:
        """Say again what was last said too long ago; return when there will be more of it."""
        interval = max(self._options.refresh, self._options.min_interval)
        next_due = _NO_TIME
        for topic, value in zip(self._topics, self._values, strict=True):
            if value is not None:
                if topic.due(interval) <= now:
                    batch.messages.append(topic.say(value, payload_of(value), self._ts, now))
                next_due = min(next_due, topic.due(interval))
        return next_due

    def reset(self, batch: Batch) -> None:
        """Withdraw everything: nothing that was said is known to be true any more."""
        self.due = _NO_TIME
        for topic in self._topics:
            batch.forgotten.append(topic.envelope.topic)
            topic.reset()
        for key, past in self._retired.items():
            self._retired[key] = Past(past.seq, _LONG_AGO, stands=False)

    def _note_held(self) -> None:
        interval = self._options.min_interval
        self.due = min((t.due(interval) for t in self._topics if t.held), default=_NO_TIME)

    def _change_columns(
        self, sensors: tuple[Sensor, ...], ts: str, now: float, batch: Batch
    ) -> None:
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
                topic.retract(ts, now, batch)
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

    def take(self, readings: Readings, ts: str) -> None:
        """Take over a status frame's readings."""
        if readings.sensors is not self._sensors:
            self._sensors = readings.sensors
            self._keys = [sensor.key for sensor in readings.sensors]
            # What changes with every frame does not make a snapshot news.
            self._steady = itemgetter(
                *(n for n, sensor in enumerate(readings.sensors) if not sensor.every_frame)
            )
        self._values = readings.values
        self._ts = ts

    def send(self, now: float, batch: Batch) -> None:
        """Say what is to be said of a frame that was just taken."""
        news = self._news()
        if self._topic.wants(news, now, self._options):
            self._say(news, now, batch)
        self.due = self._topic.due(self._options.min_interval) if self._topic.held else _NO_TIME

    def flush(self, now: float, batch: Batch) -> None:
        """Say the snapshot that was held back for the minimal interval."""
        self._say(self._news(), now, batch)
        self.due = _NO_TIME

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
        batch.messages.append(self._topic.say(news, payload, self._ts, now))


def _members(keys: Iterable[str], values: list[Value | None]) -> str:
    """Encode as the inside of a JSON object, without what has no reading."""
    members = {key: value for key, value in zip(keys, values, strict=True) if value is not None}
    return ascii_json(members)[1:-1]
