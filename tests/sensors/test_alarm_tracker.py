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
    ("first", "changes", "last"),
    [
        # It is still the same one, and keeps its time.
        (LOW, (AlarmTransition(True, LOW, is_resumed=True),), BEFORE),
        (
            COLD,
            (AlarmTransition(False, LOW, is_resumed=True), raised(COLD)),
            LastAlarm("Temperature too low for charging (unit 2, sensor 1)", "now"),
        ),
        (None, (AlarmTransition(False, LOW, is_resumed=True),), BEFORE),
    ],
)
def test_an_alarm_of_an_earlier_run_continues_or_has_been_cleared(
    first: Alarm | None, changes: tuple[AlarmTransition, ...], last: LastAlarm
) -> None:
    tracker = AlarmTracker()
    tracker.resume(BEFORE, LOW)
    assert tracker.update(UNKNOWN, "now") == ()
    assert tracker.update(first, "now") == changes
    assert tracker.last == last
    assert tracker.update(first, "later") == ()
    assert tracker.update(LOW._replace(cell=9), "later")[-1] == raised(LOW._replace(cell=9))


@pytest.mark.parametrize("active", [None, LOW])
def test_an_alarm_that_comes_again_after_it_was_cleared_has_a_new_time(
    active: Alarm | None,
) -> None:
    tracker = AlarmTracker()
    tracker.resume(BEFORE, active)
    tracker.update(None, "first")
    assert tracker.last == BEFORE
    assert tracker.update(LOW, "now") == (raised(LOW),)
    assert tracker.last == BEFORE._replace(raised_at="now")


def test_a_history_that_is_read_late_does_not_replace_what_is_newer() -> None:
    tracker = AlarmTracker()
    tracker.update(COLD, "now")
    tracker.resume(BEFORE, LOW)
    assert tracker.last == LastAlarm("Temperature too low for charging (unit 2, sensor 1)", "now")
    assert tracker.update(None, "later") == (cleared(COLD),)
