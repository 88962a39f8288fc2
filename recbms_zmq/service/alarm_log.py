"""The alarms of a BMS as sentences: one when one is raised, one when it is cleared."""

import logging
from collections.abc import Callable, Iterable
from typing import Final

from recbms_zmq.clock import Instant
from recbms_zmq.reporting.summary import describe_alarm
from recbms_zmq.sensors.alarm_tracker import AlarmTransition
from recbms_zmq.wire.alarms import alarm_guidance

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
        self._lines: dict[int | None, int] = {}
        self._is_full = False
        self._since = float("-inf")

    def update(self, changes: Iterable[AlarmTransition], at: Instant) -> None:
        """Take the changes that a status frame made."""
        for is_raised, alarm, _ in changes:
            if not self._may_log(alarm.number, at):
                continue
            text = describe_alarm(alarm)
            if is_raised:
                guidance = alarm_guidance(alarm.number)
                self._announce(logging.WARNING, f"alarm raised: {text}. {guidance}", at)
            else:
                self._announce(logging.INFO, f"alarm cleared: {text}", at)

    def _may_log(self, number: int | None, at: Instant) -> bool:
        if at.monotonic - self._since >= _HOUR:
            self._since = at.monotonic
            self._lines.clear()
            self._is_full = False
        if number not in self._lines and len(self._lines) >= _MOST_NUMBERS:
            if not self._is_full:
                self._is_full = True
                text = "no more error numbers are logged for up to an hour; messages have every one"
                self._announce(logging.WARNING, text, at)
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
