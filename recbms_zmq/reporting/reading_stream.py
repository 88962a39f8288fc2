"""When the readings of one kind of frame are published.

A `ReadingStream` has one topic for each reading of a kind of frame (status or settings). `update`
hands over a frame, `publish` adds to a batch what is due because of it. Without a new frame,
`refresh` adds what was published too long ago, and `publish_held` what `min_interval` held back.
`expire` is for `offline`. Time is an argument and never goes back.

States of a topic
-----------------
current    the value last sent is true
held       a newer value waits for the end of `min_interval` since the topic was last sent
expired    no value of it is true: at the start, after a null, after `expire`
retired    the frames have no column for it any more

What happens, what is published, and the state after it (`report` is `changes`)::

    current   the same value, before the refresh is due    nothing         current
    current   the same value, the refresh is due           the value       current
    current   another value                                the value       current
    current   another value, too soon                      nothing         held
    current   another value of a sensor with every_frame   nothing         current
    current   no reading                                   null            expired
    current   the column is gone                           null            retired
    current   the column has another unit                  the value       current
    held      the interval is over                         the held value  current
    held      another value, still too soon                nothing         held
    held      the value last sent                          nothing         current
    held      no reading                                   null            expired
    expired   no reading                                   nothing         expired
    expired   a value                                      the value       current
    expired   a value, too soon after the null             nothing         held
    expired   the column is gone                           nothing         retired
    retired   the column is back without a reading         nothing         expired
    retired   the column is back                           the value       current
    retired   the column is back, too soon                 nothing         held

`expire` makes every topic expired and publishes nothing; the next value of each goes out at once.
Null is published at once as well, also within `min_interval`, so that no false value remains; if
the value last sent was UNKNOWN, which is null already, it is not repeated. With `report: all`
every value of every frame is due. A refresh is due `refresh` seconds after the topic was last
sent, but it needs a frame: what a BMS does not repeat is not refreshed by a guess.

What is remembered
------------------
`_sensors`      columns of the last frame; the same object as long as the pack keeps its shape
`_values`       values of the last frame, by column
`_changed`      columns of the values that have changed since the last `publish`
`_topics`       envelopes, by column: the last message, and `sent_at`
`_due`          by column: when its value is due for a refresh
`_last_sent`    by column: the value last sent, None if expired, `_OTHER` if the topic has a value
                of an earlier column with another unit, which equals no value
`_held`         columns that are held
`_retired`      sequence numbers and times of retired topics, by key
`_refresh_due`  no topic is due for a refresh before this, and each value that differs from the last
                one sent is in a column of `_changed`, is held, or has `every_frame`
`held_due`      when `publish_held` has something to do

Invariants
----------
1. An envelope is listed in `Batch.expired` exactly when its `_last_sent` becomes None, or its
   column has another unit, so what the sinks retain is what `_last_sent` has, without `_OTHER`.
2. The sequence numbers of a topic have no gap and no repeat, also across retirement.
3. Two values of one topic are at least `min_interval` apart, except after `expire`.
4. The newest value is sent at the latest when the interval is over, unless it equals the last one.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from recbms_zmq.config.options import ReportOptions
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.envelopes import LONG_AGO, Envelope, Envelopes
from recbms_zmq.sensors.normalize import Readings
from recbms_zmq.sensors.sensor import UNKNOWN, Sensor, Value

_OTHER: Final[Any] = object()
NEVER: Final = float("inf")  # a time that compares like any other one


class RetiredTopic(NamedTuple):
    """What is kept of a topic without a column; `has_value`: subscribers have a value of it."""

    seq: int
    sent_at: float
    has_value: bool


class ReadingStream:
    """The topics of one kind of frame; the module's page has the rules and the fields."""

    def __init__(self, envelopes: Envelopes, options: ReportOptions) -> None:
        self._envelopes = envelopes
        self._options = options
        self._sensors: tuple[Sensor, ...] = ()
        self._topics: list[Envelope] = []
        self._due: list[float] = []
        self._values: list[Value | None] = []
        self._changed: set[int] = set()
        self._last_sent: list[Any] = []
        self._held: list[int] = []
        self._ts = b""
        self._retired: dict[str, RetiredTopic] = {}
        self._refresh_due = LONG_AGO
        self.held_due = NEVER
        """Monotonic time at which `publish_held` has something to do, or `NEVER`."""

    def update(self, readings: Readings, now: float, batch: Batch) -> None:
        """Take a frame's readings; add null for the topics whose column is gone."""
        self._ts = readings.arrival.encode()
        if readings.sensors is not self._sensors:
            self._change_columns(readings.sensors, now, batch)
        self._values = readings.values
        if readings.changed is None:
            self._refresh_due = LONG_AGO  # so that all columns are compared
        else:
            self._changed.update(readings.changed)

    def publish(self, now: float, batch: Batch) -> None:
        """Add what is due of the frame that `update` took."""
        if self._options.report == "all":
            self._publish_columns(range(len(self._values)), now, batch)
        else:
            self._publish_changes(now, batch)

    def refresh(self, now: float, batch: Batch) -> float:
        """Add what is due without a new frame; return when more may be due.

        For settings: a BMS sends them now and then, and they stay true in between.
        """
        held = self._held
        self._publish_changes(now, batch)
        # No frame has replaced the held values, so they are still held.
        self._hold(sorted({*held, *self._held}))
        return self._refresh_due

    def publish_held(self, now: float, batch: Batch) -> None:
        """Add the held values whose interval is over."""
        self._publish_columns(self._held, now, batch)

    def expire(self, batch: Batch) -> None:
        """Expire every topic: without frames no value is known to be true."""
        self.held_due = NEVER
        self._held = []
        self._last_sent = [None] * len(self._topics)
        self._due = [LONG_AGO] * len(self._topics)
        self._refresh_due = LONG_AGO
        for topic in self._topics:
            batch.expired.append(topic)
            topic.sent_at = LONG_AGO
        for key, retired in self._retired.items():
            self._retired[key] = RetiredTopic(retired.seq, LONG_AGO, has_value=False)

    def _publish_changes(self, now: float, batch: Batch) -> None:
        """Add the values that differ from the last ones sent, and those due for a refresh."""
        values, last_sent, due = self._values, self._last_sent, self._due
        is_refresh = now >= self._refresh_due
        # Most columns of most frames are unchanged. Comparing all of them is the largest cost of a
        # frame of a large pack.
        columns = range(len(values)) if is_refresh else sorted(self._changed.union(self._held))
        self._changed.clear()
        self._publish_columns(
            [n for n in columns if values[n] != last_sent[n] or now >= due[n]],
            now,
            batch,
            skip_every_frame=True,
        )
        if is_refresh:
            next_due = [at for at, value in zip(due, values, strict=True) if value is not None]
            # A value that a later frame is the first to have is due `refresh` after that frame,
            # which is not before the time that is computed here.
            self._refresh_due = min([*next_due, now + self._options.refresh])

    def _publish_columns(
        self, columns: Iterable[int], now: float, batch: Batch, *, skip_every_frame: bool = False
    ) -> None:
        """Add the values of these columns; hold those that were sent too lately.

        `skip_every_frame` leaves `every_frame` columns out until their refresh is due.
        """
        refresh, interval = self._options.refresh, self._options.min_interval
        topics, values, last_sent, ts = self._topics, self._values, self._last_sent, self._ts
        sensors, due, next_due = self._sensors, self._due, now + refresh
        held = []
        for column in columns:
            topic, value = topics[column], values[column]
            if value is None:
                self._publish_null(topic, last_sent[column], now, batch)
                last_sent[column] = None
                # Otherwise an `every_frame` value that comes back would wait for the old refresh.
                due[column] = LONG_AGO
            elif skip_every_frame and now < due[column] and sensors[column].every_frame:
                continue
            elif interval and now < topic.sent_at + interval:
                held.append(column)
            else:
                last_sent[column] = value
                topic.sent_at, due[column] = now, next_due
                batch.messages.append(topic.render(value, ts))
        if held or self._held:
            self._hold(held)

    def _hold(self, columns: list[int]) -> None:
        self._held = columns
        interval = self._options.min_interval
        self.held_due = NEVER
        if columns:
            self.held_due = min([self._topics[n].sent_at + interval for n in columns])

    def _publish_null(self, topic: Envelope, last_sent: Any, now: float, batch: Batch) -> None:
        """Expire a topic, and add a null unless it is expired or null already."""
        if last_sent is None:
            return
        if last_sent is not UNKNOWN:
            batch.messages.append(topic.render(None, self._ts))
            # A null counts for `min_interval`: a field that flaps would be sent with every frame.
            topic.sent_at = now
        batch.expired.append(topic)

    def _change_columns(self, sensors: tuple[Sensor, ...], now: float, batch: Batch) -> None:
        """Keep the topics that stay, retire those that go, begin those that are new."""
        # The unit is part of the identity, because it is in the constant part of the messages.
        old = {
            (sensor.key, sensor.unit): entry
            for sensor, *entry in zip(
                self._sensors, self._topics, self._last_sent, self._due, strict=True
            )
        }
        kept = [old.pop((sensor.key, sensor.unit), None) for sensor in sensors]
        staying = {sensor.key for sensor in sensors}
        for (key, _), (topic, last_sent, _) in old.items():
            if key not in staying:
                self._publish_null(topic, last_sent, now, batch)
            has_value = key in staying and last_sent is not None
            if has_value:
                batch.expired.append(topic)  # the message of another unit takes its place
            self._retired[key] = RetiredTopic(topic.seq, topic.sent_at, has_value)
        entries = [
            self._begin(sensor) if entry is None else entry
            for sensor, entry in zip(sensors, kept, strict=True)
        ]
        self._topics = [topic for topic, _, _ in entries]
        self._last_sent = [last_sent for _, last_sent, _ in entries]
        self._due = [due for _, _, due in entries]
        self._refresh_due = LONG_AGO
        self._sensors = sensors
        self._hold([])
        self._changed.clear()

    def _begin(self, sensor: Sensor) -> list[Any]:
        """Return a topic, its last value, and when that is due for a refresh.

        The topic goes on from the retired one of the same key.
        """
        topic = self._envelopes.of_sensor(sensor)
        before = self._retired.pop(sensor.key, None)
        if before is None:
            return [topic, None, LONG_AGO]
        # A gap or a repeat of `seq` would look like a lost message to a subscriber.
        topic.seq = before.seq
        topic.sent_at = before.sent_at
        return [topic, _OTHER if before.has_value else None, LONG_AGO]
