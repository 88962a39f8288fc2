"""Tests of single streams; what they do together is told in `test_report`."""

import json
from typing import Any

from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.envelopes import Envelopes
from recbms_zmq.reporting.reading_stream import ReadingStream, ReportOptions
from recbms_zmq.reporting.snapshot_stream import SnapshotStream
from recbms_zmq.sensors.normalize import Readings
from recbms_zmq.sensors.sensor import Sensor

ENVELOPES = Envelopes("main", "REC BMS", "5f3a9c01", bare=True)
COLUMNS = tuple(Sensor(key=key, name=key, value=len) for key in ("a", "b"))
TS = "2026-11-22T10:44:39.123Z"
NEVER = float("inf")


def row(*values: Any) -> Readings:
    return Readings(COLUMNS, list(values), TS)


def said(batch: Batch) -> dict[str, Any]:
    messages = [json.loads(body) for _, body, _ in batch.messages]
    return {message["key"]: message["payload"] for message in messages}


def take(stream: ReadingStream, now: float, *values: Any) -> Batch:
    batch = Batch([], [])
    stream.take(row(*values), now, batch)
    stream.send(now, batch)
    return batch


def test_without_a_minimal_interval_nothing_is_ever_due() -> None:
    stream = ReadingStream(ENVELOPES, ReportOptions())
    assert said(take(stream, 0, 1, 2)) == {"a": 1, "b": 2}
    assert stream.due == NEVER
    assert said(take(stream, 1, 1, 3)) == {"b": 3}
    assert stream.due == NEVER


def test_what_is_held_back_is_due_topic_by_topic() -> None:
    stream = ReadingStream(ENVELOPES, ReportOptions(min_interval=10))
    take(stream, 0, 1, None)
    take(stream, 4, 1, 1)
    take(stream, 5, 2, 2)
    assert stream.due == 10
    batch = Batch([], [])
    stream.flush(10, batch)
    assert (said(batch), stream.due) == ({"a": 2}, 14)
    stream.flush(14, batch)
    assert (said(batch), stream.due) == ({"a": 2, "b": 2}, NEVER)


def test_what_is_held_back_and_then_missing_is_due_no_more() -> None:
    stream = ReadingStream(ENVELOPES, ReportOptions(min_interval=10))
    take(stream, 0, 1, 1)
    assert said(take(stream, 1, None, 1)) == {"a": None}
    take(stream, 2, 2, 1)
    assert stream.due == 11
    take(stream, 3, None, 1)
    assert stream.due == NEVER


def test_the_topics_that_are_no_longer_true_are_named() -> None:
    stream = ReadingStream(ENVELOPES, ReportOptions())
    assert take(stream, 0, 1, 2).expired == []
    assert take(stream, 1, 1, None).expired == [b"recbms/main/b"]
    batch = Batch([], [])
    stream.reset(batch)
    assert batch == Batch([], [b"recbms/main/a", b"recbms/main/b"])


def test_a_refresh_says_what_is_due_and_when_more_will_be() -> None:
    stream = ReadingStream(ENVELOPES, ReportOptions(refresh=10))
    take(stream, 0, 1, 1)
    take(stream, 4, 1, 2)
    batch = Batch([], [])
    assert (stream.refresh(10, batch), said(batch)) == (14, {"a": 1})
    assert stream.refresh(14, Batch([], [])) == 20


def test_a_refresh_of_nothing_says_nothing() -> None:
    batch = Batch([], [])
    ReadingStream(ENVELOPES, ReportOptions()).refresh(0, batch)
    assert batch == Batch([], [])


def test_an_empty_snapshot_is_an_empty_object() -> None:
    stream = SnapshotStream(ENVELOPES, ReportOptions())
    batch = Batch([], [])
    stream.take(row(None, None))
    stream.send(0, batch)
    assert said(batch) == {"snapshot": {}}


def test_a_snapshot_has_the_settings_behind_the_readings_or_alone() -> None:
    stream = SnapshotStream(ENVELOPES, ReportOptions())
    settings = (Sensor(key="settings/x", name="X", value=len),)
    stream.take_settings(Readings(settings, ["°"], TS))
    batch = Batch([], [])
    stream.take(row(None, 1))
    stream.send(0, batch)
    assert said(batch) == {"snapshot": {"b": 1, "settings/x": "°"}}
    stream.take(row(None, None))
    stream.send(1, batch)
    assert said(batch) == {"snapshot": {"settings/x": "°"}}
