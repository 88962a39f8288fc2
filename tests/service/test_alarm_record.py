"""Tests of one alarm of the history: when it is written, and with which times."""

import msgspec

from recbms_zmq.sensors.alarm_tracker import Alarm
from recbms_zmq.service.alarm_record import _Repeated

ALARM = Alarm(2, "Cell voltage too low", 1, 3)


def test_an_alarm_that_comes_and_goes_is_written_ever_more_seldom() -> None:
    repeated = _Repeated(ALARM, "2026-11-26T10:00:00.000Z", 0)
    now = 0.0
    for pause in (0, 60, 240, 960, 3840):
        repeated.raise_again("2026-11-26T10:00:00.000Z", now, 1)
        repeated.written(repeated.changes, now, is_active=True)
        repeated.clear("2026-11-26T10:00:01.000Z", now, observed=True)
        assert [repeated.is_due(now + after) for after in (pause - 1, pause)] == [not pause, True]
        now += 10_000


def test_an_alarm_of_which_only_the_end_was_seen_is_written_with_the_time_of_its_end() -> None:
    repeated = _Repeated(ALARM, "2026-11-26T10:00:00.000Z", 0)
    repeated.clear("2026-11-26T10:00:00.000Z", 0.0, observed=False)
    assert msgspec.json.decode(msgspec.json.encode(repeated.entry())) == {
        "ts": "2026-11-26T10:00:00.000Z",
        "event": "alarm_cleared",
        "number": 2,
        "text": "Cell voltage too low",
        "unit": 1,
        "cell": 3,
        "raised": "2026-11-26T10:00:00.000Z",
        "observed": False,
    }
