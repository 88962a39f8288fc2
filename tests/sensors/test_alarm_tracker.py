"""Tests of the alarm tracker: what is raised, what is cleared, and which alarm was the last."""

import pytest

from recbms_zmq.sensors.alarm_tracker import Alarm, AlarmTracker, AlarmTransition, LastAlarm
from recbms_zmq.sensors.sensor import UNKNOWN

LOW = Alarm(2, "Cell voltage too low", 2, 3)
COLD = Alarm(7, "Temperature too low for charging", 2, 1)
ODD = Alarm(18, "Error 18: 3.1 V", None, None)
BEFORE = LastAlarm("Cell voltage too low (unit 2, cell 3)", "before")


def raised(alarm: Alarm) -> AlarmTransition:
    return AlarmTransition(is_raised=True, alarm=alarm)


def cleared(alarm: Alarm) -> AlarmTransition:
    return AlarmTransition(is_raised=False, alarm=alarm)


def test_the_changes_and_the_last_alarm_of_a_run() -> None:
    tracker = AlarmTracker()
    story = [
        (None, (), None),
        (LOW, (raised(LOW),), LastAlarm("Cell voltage too low (unit 2, cell 3)", "1")),
        (LOW._replace(text="other"), (), LastAlarm("Cell voltage too low (unit 2, cell 3)", "1")),
        (UNKNOWN, (), LastAlarm("Cell voltage too low (unit 2, cell 3)", "1")),
        (
            COLD,
            (cleared(LOW), raised(COLD)),
            LastAlarm("Temperature too low for charging (unit 2, sensor 1)", "4"),
        ),
        (
            None,
            (cleared(COLD),),
            LastAlarm("Temperature too low for charging (unit 2, sensor 1)", "4"),
        ),
        (ODD, (raised(ODD),), LastAlarm("Error 18: 3.1 V", "6")),
    ]
    for time, (alarm, changes, last) in enumerate(story):
        assert (tracker.update(alarm, str(time)), tracker.last) == (changes, last)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (LOW, BEFORE),  # it is still the same one, and keeps its time
        (COLD, LastAlarm("Temperature too low for charging (unit 2, sensor 1)", "now")),
        (None, BEFORE),
    ],
)
def test_the_last_alarm_of_an_earlier_run_stays_until_another_one_is_raised(
    first: Alarm | None, last: LastAlarm
) -> None:
    tracker = AlarmTracker()
    tracker.resume(BEFORE, LOW)
    assert tracker.update(UNKNOWN, "now") == ()
    assert tracker.update(first, "now") == ((raised(first),) if first else ())
    assert tracker.last == last


def test_an_alarm_that_was_cleared_before_the_restart_is_another_one_now() -> None:
    for active in (None, LOW):
        tracker = AlarmTracker()
        tracker.resume(BEFORE, active)
        if active is not None:
            tracker.update(None, "first")
        tracker.update(LOW, "now")
        assert tracker.last == BEFORE._replace(raised_at="now")
