"""The alarms of a BMS in the log: one line when one is raised, one when it is cleared."""

import logging
from collections.abc import Iterable
from typing import Final

from recbms_zmq.clock import Instant
from recbms_zmq.sensors.alarm_tracker import Alarm, AlarmTransition
from recbms_zmq.wire.alarms import ALARMS

MOST_LINES: Final = 20
"""Lines of one error number in an hour. A voltage at its limit can raise an alarm every second, and
a log on an SD card must not grow with it; messages have every change."""
_MOST_NUMBERS: Final = 64
"""Error numbers that are counted: a BMS that sends nonsense has a new one in every frame."""
_HOUR: Final = 3600.0

_log = logging.getLogger(__name__)


class AlarmLog:
    """Logs when the alarm of a BMS changes.

    Args:
        name: id of the BMS.

    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines: dict[int | None, int] = {}
        self._since = float("-inf")

    def update(self, changes: Iterable[AlarmTransition], at: Instant) -> None:
        """Take the changes that a status frame made."""
        for is_raised, alarm in changes:
            if not self._may_log(alarm.number, at):
                continue
            if is_raised:
                known = ALARMS.get(alarm.number or 0)
                advice = (known and known.meaning) or "look it up in REC's manual"
                _log.warning("%s: alarm raised: %s; %s", self._name, _text(alarm), advice)
            else:
                _log.info("%s: alarm cleared: %s", self._name, _text(alarm))

    def _may_log(self, number: int | None, at: Instant) -> bool:
        if at.monotonic - self._since >= _HOUR:
            self._since = at.monotonic
            self._lines.clear()
        if number not in self._lines and len(self._lines) >= _MOST_NUMBERS:
            return False
        count = self._lines[number] = self._lines.get(number, 0) + 1
        if count == MOST_LINES + 1:
            _log.warning(
                "%s: %s comes and goes: it is not logged for up to an hour; "
                "messages have every change",
                self._name,
                "an alarm" if number is None else f"error {number}",
            )
        return count <= MOST_LINES


def _text(alarm: Alarm) -> str:
    """Return number, text, unit and cell: `error 2, Cell voltage too low, unit 2, cell 3`."""
    known = ALARMS.get(alarm.number or 0)
    words = [] if alarm.number is None else [f"error {alarm.number}"]
    words.append(alarm.text)
    words += [] if alarm.unit is None else [f"unit {alarm.unit}"]
    words += [] if alarm.cell is None else [f"{known.concerns if known else 'cell'} {alarm.cell}"]
    return ", ".join(words)
