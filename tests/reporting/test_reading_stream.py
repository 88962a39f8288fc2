"""Tests of single streams: each row of the page in `reading_stream`, and the invariants."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbms_zmq.config.options import ReportOptions
from recbms_zmq.reporting import reading_stream
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.envelopes import Envelopes
from recbms_zmq.reporting.reading_stream import ReadingStream
from recbms_zmq.reporting.snapshot_stream import SnapshotStream
from recbms_zmq.sensors.normalize import Readings
from recbms_zmq.sensors.sensor import UNKNOWN, Sensor

ENVELOPES = Envelopes("main", "REC BMS", "5f3a9c01", bare=True)
TS = "2026-11-22T10:44:39.123Z"
NEVER = float("inf")
REFRESH, INTERVAL = 60, 10


def sensor(key: str, unit: str | None = None, *, every_frame: bool = False) -> Sensor:
    return Sensor(key=key, name=key, value=len, unit=unit, every_frame=every_frame)


SOC, SOC_IN_KWH = (sensor("soc"),), (sensor("soc", "kWh"),)
LAST_UPDATE = (sensor("last_update", every_frame=True),)
COLUMNS = (sensor("a"), sensor("b"))


def topics(expired: list[Any]) -> list[bytes]:
    return [each.topic for each in expired]


def payloads(batch: Batch) -> dict[str, Any]:
    messages = [json.loads(body) for _, body, _ in batch.messages]
    return {message["key"]: message["payload"] for message in messages}


class Driver:
    """A stream of one topic, driven as a reporter drives it; `sent` are its values so far."""

    def __init__(self) -> None:
        self.stream = ReadingStream(
            ENVELOPES, ReportOptions(refresh=REFRESH, min_interval=INTERVAL)
        )
        self.sent: list[Any] = []
        self.retained: set[Any] = set()

    def frame(self, now: float, value: Any, columns: tuple[Sensor, ...] = SOC) -> None:
        batch = Batch([], [])
        self.stream.update(Readings(columns, [value] if columns else [], TS), now, batch)
        self.stream.publish(now, batch)
        self._keep(batch)

    def no_column(self, now: float) -> None:
        self.frame(now, None, ())

    def publish_held(self, now: float) -> None:
        batch = Batch([], [])
        self.stream.publish_held(now, batch)
        self._keep(batch)

    def expire(self) -> None:
        batch = Batch([], [])
        self.stream.expire(batch)
        self._keep(batch)

    def _keep(self, batch: Batch) -> None:
        # Sinks retain the messages first, and then drop what has expired.
        self.retained.update(retained for _, _, retained in batch.messages)
        self.retained.difference_update(batch.expired)
        self.sent += [json.loads(body)["payload"] for _, body, _ in batch.messages]

    @property
    def state(self) -> str:
        if not self.stream._sensors:
            return "retired"
        if self.stream.held_due != NEVER:
            return "held"
        assert len(self.retained) <= 1
        return "current" if self.retained else "expired"


def starting_in(state: str) -> Driver:
    """Make a topic in this state; it was sent at 0 s, its last value was 1, a held one is 2."""
    driver = Driver()
    if state in ("current", "held"):
        driver.frame(0, 1)
        if state == "held":
            driver.frame(0, 2)
    else:
        driver.frame(-INTERVAL, 1)
        if state == "expired":
            driver.frame(0, None)
        else:
            driver.no_column(0)
    assert driver.state == state
    driver.sent.clear()
    return driver


WHAT_HAPPENS: dict[tuple[str, str], Callable[[Driver], None]] = {
    ("current", "the same value, before the refresh is due"): lambda d: d.frame(REFRESH - 1, 1),
    ("current", "the same value, the refresh is due"): lambda d: d.frame(REFRESH, 1),
    ("current", "another value"): lambda d: d.frame(INTERVAL, 2),
    ("current", "another value, too soon"): lambda d: d.frame(INTERVAL - 1, 2),
    ("current", "no reading"): lambda d: d.frame(1, None),
    ("current", "the column is gone"): lambda d: d.no_column(1),
    ("current", "the column has another unit"): lambda d: d.frame(INTERVAL, 1, SOC_IN_KWH),
    ("held", "the interval is over"): lambda d: d.publish_held(INTERVAL),
    ("held", "another value, still too soon"): lambda d: d.frame(INTERVAL - 1, 3),
    ("held", "the value last sent"): lambda d: d.frame(INTERVAL - 1, 1),
    ("held", "no reading"): lambda d: d.frame(1, None),
    ("expired", "no reading"): lambda d: d.frame(INTERVAL, None),
    ("expired", "a value"): lambda d: d.frame(INTERVAL, 1),
    ("expired", "a value, too soon after the null"): lambda d: d.frame(INTERVAL - 1, 1),
    ("expired", "the column is gone"): lambda d: d.no_column(INTERVAL),
    ("retired", "the column is back without a reading"): lambda d: d.frame(1, None),
    ("retired", "the column is back"): lambda d: d.frame(INTERVAL, 1),
    ("retired", "the column is back, too soon"): lambda d: d.frame(INTERVAL - 1, 1),
}
VALUES: dict[tuple[str, str], list[Any]] = {
    ("current", "another value"): [2],
    ("held", "the interval is over"): [2],
}
ROWS = [
    tuple(re.split(r"  +", line.strip()))
    for line in (reading_stream.__doc__ or "").splitlines()
    if re.match(r"    (current|held|expired|retired) .*  (current|held|expired|retired)$", line)
]
EVERY_FRAME = ("current", "another value of a sensor with every_frame", "nothing", "current")


@pytest.mark.parametrize(
    ("state", "happens", "published", "after"), [row for row in ROWS if row != EVERY_FRAME]
)
def test_a_topic_behaves_as_its_row_of_the_page(
    state: str, happens: str, published: str, after: str
) -> None:
    driver = starting_in(state)
    WHAT_HAPPENS[state, happens](driver)
    expected = {"nothing": [], "null": [None]}.get(published)
    assert driver.sent == (VALUES.get((state, happens), [1]) if expected is None else expected)
    assert driver.state == after


def test_each_row_of_the_page_is_tested() -> None:
    assert {(state, happens) for state, happens, _, _ in ROWS if happens != EVERY_FRAME[1]} == (
        WHAT_HAPPENS.keys()
    )
    assert EVERY_FRAME in ROWS


def test_a_sensor_that_differs_in_every_frame_is_sent_at_the_refresh_only() -> None:
    driver = Driver()
    for now in range(2 * REFRESH + 1):
        driver.frame(now, str(now), LAST_UPDATE)
    assert driver.sent == ["0", "60", "120"]
    driver.frame(121, None, LAST_UPDATE)
    driver.frame(121 + INTERVAL, "131", LAST_UPDATE)  # back: not held up by the old refresh
    assert driver.sent[3:] == [None, "131"]


@pytest.mark.parametrize("state", ["current", "held", "expired"])
def test_after_expire_the_next_value_is_sent_at_once(state: str) -> None:
    driver = starting_in(state)
    driver.expire()
    assert (driver.sent, driver.state) == ([], "expired")
    driver.frame(0, 1)
    assert (driver.sent, driver.state) == ([1], "current")


def test_after_expire_a_retired_topic_that_is_back_is_sent_at_once() -> None:
    driver = starting_in("retired")
    driver.expire()
    driver.frame(0, 1)
    assert (driver.sent, driver.state) == ([1], "current")


def test_a_value_that_was_unknown_expires_without_a_second_null() -> None:
    driver = Driver()
    driver.frame(0, UNKNOWN)
    driver.frame(1, None)
    assert (driver.sent, driver.state) == ([None], "expired")


def test_sequence_numbers_go_on_after_retirement_and_a_change_of_the_unit() -> None:
    stream = ReadingStream(ENVELOPES, ReportOptions())
    seqs = []
    for columns in (SOC, (), SOC, SOC_IN_KWH):
        batch = Batch([], [])
        stream.update(Readings(columns, [1] if columns else [], TS), 0, batch)
        stream.publish(0, batch)
        seqs += [json.loads(body)["seq"] for _, body, _ in batch.messages]
    assert seqs == [1, 2, 3, 4]


def publish(stream: ReadingStream, now: float, *values: Any) -> Batch:
    batch = Batch([], [])
    stream.update(Readings(COLUMNS, list(values), TS), now, batch)
    stream.publish(now, batch)
    return batch


def test_each_topic_is_held_for_its_own_interval() -> None:
    stream = ReadingStream(ENVELOPES, ReportOptions(min_interval=10))
    publish(stream, 0, 1, None)
    publish(stream, 4, 1, 1)
    publish(stream, 5, 2, 2)
    assert stream.held_due == 10
    batch = Batch([], [])
    stream.publish_held(10, batch)
    assert (payloads(batch), stream.held_due) == ({"a": 2}, 14)
    stream.publish_held(14, batch)
    assert (payloads(batch), stream.held_due) == ({"a": 2, "b": 2}, NEVER)


def test_expired_topics_are_listed() -> None:
    stream = ReadingStream(ENVELOPES, ReportOptions())
    assert publish(stream, 0, 1, 2).expired == []
    first = publish(stream, 1, 1, None)
    assert topics(first.expired) == [b"recbms/main/b"]
    batch = Batch([], [])
    stream.expire(batch)
    assert batch.messages == []
    assert topics(batch.expired) == [b"recbms/main/a", b"recbms/main/b"]
    assert batch.expired[1] in first.expired
    gone = Batch([], [])
    stream.update(Readings((), [], TS), 2, gone)
    assert gone.expired == []  # they are already


def test_a_refresh_publishes_what_is_due_and_returns_when_more_will_be() -> None:
    stream = ReadingStream(ENVELOPES, ReportOptions(refresh=10))
    publish(stream, 0, 1, 1)
    publish(stream, 4, 1, 2)
    batch = Batch([], [])
    assert (stream.refresh(10, batch), payloads(batch)) == (14, {"a": 1})
    assert stream.refresh(14, Batch([], [])) == 20


def test_a_refresh_without_a_frame_publishes_nothing() -> None:
    batch = Batch([], [])
    ReadingStream(ENVELOPES, ReportOptions()).refresh(0, batch)
    assert batch == Batch([], [])


def test_a_snapshot_has_the_settings_behind_the_readings_or_alone() -> None:
    stream = SnapshotStream(ENVELOPES, ReportOptions())

    def snapshot(now: float, *values: Any) -> dict[str, Any]:
        batch = Batch([], [])
        stream.update(Readings(COLUMNS, list(values), TS))
        stream.publish(now, batch)
        return payloads(batch)

    assert snapshot(0, None, None) == {"snapshot": {}}
    stream.update_settings(Readings((sensor("settings/x"),), ["°"], TS))
    assert snapshot(1, None, 1) == {"snapshot": {"b": 1, "settings/x": "°"}}
    assert snapshot(2, None, None) == {"snapshot": {"settings/x": "°"}}


ANY_VALUE = st.sampled_from([1, 1, 1, 2, 2, None, UNKNOWN])
SHAPES = [(sensor("a"), sensor("b"), sensor("c", every_frame=True)), (sensor("b"), sensor("d"))]


@given(
    options=st.builds(
        ReportOptions,
        report=st.sampled_from(["changes", "all"]),
        refresh=st.sampled_from([5.0, 12.0]),
        min_interval=st.sampled_from([0.0, 4.0]),
    ),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["frame"] * 8 + ["held", "refresh", "expire", "shape"]),
            st.sampled_from([0, 1, 1, 2, 7]),
            st.lists(ANY_VALUE, min_size=3, max_size=3),
        ),
        min_size=5,
        max_size=12,
    ),
)
def test_with_the_changed_columns_alone_the_same_is_published_as_with_all(
    options: ReportOptions, steps: list[tuple[str, int, list[Any]]]
) -> None:
    everything: list[list[Any]] = [[], []]
    for log, knows_changes in zip(everything, (False, True), strict=True):
        readings, snapshots = ReadingStream(ENVELOPES, options), SnapshotStream(ENVELOPES, options)
        shape, now = SHAPES[0], 0
        before: list[Any] = []
        for step, seconds, found in steps:
            batch = Batch([], [])
            now += seconds
            if step == "expire":
                readings.expire(batch)
                snapshots.expire(batch)
            elif step == "refresh":
                readings.refresh(now, batch)
            elif step == "held":
                for stream in (readings, snapshots):
                    if stream.held_due <= now:
                        stream.publish_held(now, batch)
            else:
                if step == "shape":
                    shape = SHAPES[shape is SHAPES[0]]
                values = found[: len(shape)]
                changed = None
                if knows_changes and step == "frame" and before:
                    changed = [n for n, value in enumerate(values) if value != before[n]]
                before = values
                frame = Readings(shape, values, TS, changed=changed)
                readings.update(frame, now, batch)
                readings.publish(now, batch)
                snapshots.update(frame)
                snapshots.publish(now, batch)
            bodies = [body for _, body, _ in batch.messages]
            log.append((bodies, topics(batch.expired), readings.held_due, snapshots.held_due))
    assert everything[0] == everything[1]
