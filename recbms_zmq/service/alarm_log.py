"""The alarms of a BMS as sentences: one when one is raised, one when it is cleared."""

import logging
from collections.abc import Callable
from typing import Final

from recbms_zmq.clock import Instant
from recbms_zmq.reporting.summary import describe_alarm
from recbms_zmq.sensors.pack import Alarm
from recbms_zmq.sensors.sensor import Unknown
from recbms_zmq.wire.alarms import ALARMS

MOST_LINES: Final = 20
"""Lines of one error number in an hour. A voltage at its limit can raise an alarm every second, and
a log on an SD card must not grow with it; messages have every change."""
_MOST_NUMBERS: Final = 64
"""Error numbers that are counted: a BMS that sends nonsense has a new one in every frame."""
_HOUR: Final = 3600.0


class AlarmLog:
    """Announces when the alarm of a BMS changes.

    Args:
        announce: takes a level of `logging`, a sentence, and when it happened.

    """

    def __init__(self, announce: Callable[[int, str, Instant], None]) -> None:
        self._announce = announce
        self._alarm: Alarm | None = None
        self._lines: dict[int | None, int] = {}
        self._since = float("-inf")

    def update(self, alarm: Alarm | Unknown | None, at: Instant) -> None:
        """Take the alarm of a status frame; an unknown one changes nothing."""
        before = self._alarm
        if isinstance(alarm, Unknown) or (before is not None and before.is_same(alarm)):
            return
        self._alarm = alarm
        if before is not None and self._may_log(before.number, at):
            self._announce(logging.INFO, f"alarm cleared: {describe_alarm(before)}", at)
        if alarm is not None and self._may_log(alarm.number, at):
            known = ALARMS.get(alarm.number or 0)
            advice = (known and known.meaning) or "look it up in REC's manual"
            self._announce(logging.WARNING, f"alarm raised: {describe_alarm(alarm)}; {advice}", at)

    def _may_log(self, number: int | None, at: Instant) -> bool:
        if at.monotonic - self._since >= _HOUR:
            self._since = at.monotonic
            self._lines.clear()
        if number not in self._lines and len(self._lines) >= _MOST_NUMBERS:
            return False
        count = self._lines[number] = self._lines.get(number, 0) + 1
        if count == MOST_LINES + 1:
            what = "an alarm" if number is None else f"error {number}"
            self._announce(
                logging.WARNING,
                f"{what} comes and goes: it is not logged for up to an hour; "
                "messages have every change",
                at,
            )
        return count <= MOST_LINES
