"""The error of a frame as an `Alarm`, and the changes from frame to frame: raised, cleared, last.

An alarm is the same one while its number, unit and cell stay the same. A frame without an error
state changes nothing.
"""

from typing import Final, NamedTuple

from recbms_zmq.sensors.display_text import plain_text
from recbms_zmq.sensors.sensor import UNKNOWN, Unknown
from recbms_zmq.wire.alarms import ALARMS, alarm_location, alarm_text
from recbms_zmq.wire.frames import Master


class Alarm(NamedTuple):
    """An error that is active. `unit` is an address; `cell` is a cell or sensor, from 1."""

    number: int | None
    text: str
    unit: int | None
    cell: int | None

    @property
    def sentence(self) -> str:
        """Text and location: `Cell voltage too low (unit 2, cell 3)`."""
        return f"{self.text}{alarm_location(self.number, self.unit, self.cell)}"

    def is_same(self, other: "Alarm | None") -> bool:
        """Return whether this is the same alarm, although its text may differ.

        The text of an error that is not in the table is the module's own, and can have a number in
        it that changes with every frame.
        """
        return other is not None and (self.number, self.unit, self.cell) == (
            other.number,
            other.unit,
            other.cell,
        )


class AlarmTransition(NamedTuple):
    """An alarm that was raised, or one that was cleared.

    Attributes:
        is_raised: or cleared.
        alarm: which one.
        is_resumed: whether an earlier run has raised it.

    """

    is_raised: bool
    alarm: Alarm
    is_resumed: bool = False


class LastAlarm(NamedTuple):
    """The alarm that was raised last: with its location, and when that was (ISO 8601)."""

    text: str
    raised_at: str


NO_TRANSITIONS: Final[tuple[AlarmTransition, ...]] = ()


class AlarmTracker:
    """Follows the alarm of one BMS from frame to frame."""

    def __init__(self) -> None:
        self.last: LastAlarm | None = None
        """The alarm that was raised last, also one that is active; None before the first."""
        self._active: Alarm | None = None
        self._is_resumed = False

    def resume(self, last: LastAlarm, active: Alarm | None) -> None:
        """Take over from an earlier run, unless an alarm was raised in this one.

        Args:
            last: the alarm that was raised last.
            active: the same alarm, if it had not been cleared yet. The first frame shows whether it
                is still active, and then it keeps its time.

        """
        if self.last is None:
            self.last = last
            self._active = active
            self._is_resumed = active is not None

    def update(self, alarm: Alarm | Unknown | None, ts: str) -> tuple[AlarmTransition, ...]:
        """Take the alarm of a frame that arrived at `ts`; return what has changed in this run.

        An alarm that is still active since an earlier run is raised in this one, too.
        """
        before = self._active
        # Without an error state nothing is known: a missing key must not clear an alarm.
        if alarm is UNKNOWN or (alarm is None and before is None):  # nearly always
            return NO_TRANSITIONS
        assert not isinstance(alarm, Unknown)
        is_resumed, self._is_resumed = self._is_resumed, False
        if before is not None and before.is_same(alarm):
            return (AlarmTransition(True, before, is_resumed=True),) if is_resumed else ()
        self._active = alarm
        changes = [] if before is None else [AlarmTransition(False, before, is_resumed)]
        if alarm is not None:
            changes.append(AlarmTransition(True, alarm))
            self.last = LastAlarm(alarm.sentence, ts)
        return tuple(changes)


def alarm_of(master: Master) -> Alarm | Unknown | None:
    """Return the active error of a frame; UNKNOWN if the frame has no error state."""
    error = master.error_state
    if error is None or error.present is None:
        return UNKNOWN
    if not error.present:
        return None
    text = alarm_text(error.number)
    if error.number not in ALARMS and master.error_message:
        text += f": {plain_text(master.error_message)}"
    return Alarm(error.number, text, error.unit_address, error.location)
