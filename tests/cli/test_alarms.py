"""How long an alarm lasted, as `recbms-zmq alarms` prints it."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from recbms_zmq.cli import alarms
from recbms_zmq.sensors.alarm_tracker import Alarm
from recbms_zmq.service.alarm_history import PastAlarm

RAISED = datetime(2026, 11, 27, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.123, "0 s"),
        (59.999, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3 * 3600 + 5 * 60, "3 h 05 min"),
        (86_399, "23 h 59 min"),
        (2 * 86_400 + 4 * 3600, "2 d 4 h"),
    ],
)
def test_an_alarm_is_printed_with_its_duration(seconds: float, words: str) -> None:
    end = RAISED + timedelta(seconds=seconds)
    over = PastAlarm(
        device="house",
        alarm=Alarm(2, "Cell voltage too low", 2, 3),
        raised=RAISED.isoformat(),
        cleared=end.isoformat(),
        observed=True,
        is_active=False,
        times=1,
        first_raised=RAISED.isoformat(),
    )
    flapping = replace(over, times=5, first_raised="2026-11-27T05:00:00Z")
    record = alarms._record(flapping, end)
    assert (record["times"], record["first_raised"]) == (5, flapping.first_raised)
    since = f"{RAISED.replace(hour=5).astimezone():%Y-%m-%d %H:%M:%S}"
    assert alarms._lines(flapping, end)[0].endswith(f"{words}; 5 times since {since}")
    active = PastAlarm(over.device, over.alarm, over.raised, None, True, True, 1, over.first_raised)
    later = end + timedelta(days=1)
    printed = [
        (each[0].partition("cell 3): ")[2], record["duration"])
        for past, now in ((over, later), (active, end))
        for each, record in [(alarms._lines(past, now), alarms._record(past, now))]
    ]
    assert printed == [
        (f"cleared after {words}", seconds),
        (f"not cleared yet, {words}", seconds),
    ]
