"""Keeps the history of alarms on disk: a log in the state directory; `alarm_history` reads it.

What is promised:

- An alarm is in the log within a second, and survives a restart, `kill -9` and a power cut.
- One that is raised again within `_SAME_WITHIN` after it was cleared is the same one: its lines
  count how many times it was raised. The first three changes are written at once, later ones after
  pauses that grow, and when there was no change for `_SETTLED`. So an alarm that comes and goes
  every few seconds has a dozen lines after a day, and does not push the others out. A clean end
  writes what is not written yet; `kill -9` loses it.
- One that is still active after a restart is not raised again. One that was cleared while no frames
  came is closed at the first frame, which is marked: when it was cleared is not known.
- While the disk cannot be written to, `_MOST_OPEN` + `_MOST_WAITING` alarms wait in memory.

Without a state directory this module is not loaded by the service.
"""

import time
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final

import msgspec

from recbms_zmq.clock import Instant
from recbms_zmq.sensors.alarm_tracker import Alarm, AlarmTransition, LastAlarm
from recbms_zmq.service import state_files
from recbms_zmq.service.alarm_history import SUFFIX, Entry, entries, last_raised
from recbms_zmq.service.state_store import Storage

_SAME_WITHIN: Final = 3600.0
_SETTLED: Final = 300.0
# A day of an alarm that comes and goes every two seconds: 10 lines instead of 86,000.
_FIRST_PAUSE: Final = 60.0
_GROWTH: Final = 4.0
_MOST_TEXT: Final = 100  # characters, so that 2,000 lines fit in a log
_MOST_OPEN: Final = 100
"""Alarms that can be raised again as the same ones: the lowest cell alone may be any of many."""
_MOST_WAITING: Final = 1000
_SOON_IN_AN_HOUR: Final = 40
"""Changes that are written at once: an SD card has to last also if each alarm is another one."""
_HOUR: Final = 3600.0

_Key = tuple[int | None, int | None, int | None]


class _Repeated:
    """An alarm that was raised once or more; times are ISO 8601.

    Attributes:
        alarm: as it was raised the first time.
        turn: counts the alarms of this run; the one that was raised last has the highest.
        changed: monotonic time of the last change.
        changes: how many times it was raised or cleared.
        is_active: whether it is not cleared.
        was_active: the same, as it is in the log.

    """

    def __init__(self, alarm: Alarm, first_raised: str, turn: int) -> None:
        self.alarm = alarm._replace(text=alarm.text[:_MOST_TEXT])
        self.turn = turn
        self.changed = float("-inf")
        self.changes = 0
        self.is_active = False
        self.was_active = False
        self._first_raised = first_raised
        self._raised = first_raised
        self._cleared = ""
        self._observed = True
        self._times = 0
        self._written = 0
        self._pause = 0.0
        self._next_write = float("-inf")

    @classmethod
    def resumed(cls, entry: Entry) -> "_Repeated":
        """Return an alarm that is active in the log of an earlier run."""
        self = cls(entry.alarm, entry.first_raised or entry.raised_at, 0)
        self._raised = entry.raised_at
        self._times = entry.times
        self.is_active = self.was_active = True
        return self

    @property
    def is_written(self) -> bool:
        return self.changes == self._written

    def raise_again(self, ts: str, now: float, turn: int) -> None:
        self._times += 1
        self.turn = turn
        self._raised = ts
        self._change(now, is_active=True)

    def clear(self, ts: str, now: float, *, observed: bool) -> None:
        self._times = max(1, self._times)  # raised before the log was read
        self._cleared, self._observed = ts, observed
        self._change(now, is_active=False)

    def _change(self, now: float, *, is_active: bool) -> None:
        self.changed, self.is_active = now, is_active
        self.changes += 1

    def is_due(self, now: float) -> bool:
        """Return whether a change has to be written now."""
        return not self.is_written and now >= self._next_write

    def written(self, changes: int, now: float, *, is_active: bool) -> None:
        """Note that the state after so many changes is in the log."""
        self._written, self.was_active = changes, is_active
        if self._times > 1:
            self._pause = max(_FIRST_PAUSE, self._pause * _GROWTH)
            self._next_write = now + self._pause

    def entry(self) -> Entry:
        alarm, active = self.alarm, self.is_active
        return Entry(
            ts=self._raised if active else self._cleared,
            event="alarm_raised" if active else "alarm_cleared",
            number=alarm.number,
            text=alarm.text,
            unit=alarm.unit,
            cell=alarm.cell,
            raised=None if active else self._raised,
            observed=active or self._observed,
            times=self._times,
            first_raised=self._first_raised if self._first_raised != self._raised else None,
        )


class AlarmRecord:
    """The history of one BMS, a `state_store.Record`.

    Args:
        name: of the BMS.
        resume: takes the last alarm of an earlier run; the second argument is the same one, if it
            was not cleared.
        save_soon: called when an alarm should be written at once.
        now: returns the monotonic time.

    """

    storage = Storage(SUFFIX, state_files.read_tail, state_files.append)

    def __init__(
        self,
        name: str,
        resume: Callable[[LastAlarm, Alarm | None], None],
        save_soon: Callable[[], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._resume = resume
        self._save_soon = save_soon
        self._now = now
        self._open: dict[_Key, _Repeated] = {}
        """In the order of their last changes, so that an active one is the last."""
        self._closed: list[tuple[int, Entry]] = []
        self._turns = 0
        self._last_turn = 0
        """The highest of the alarms in the log."""
        self._dumped: list[tuple[_Repeated, int, bool]] = []
        self._dumped_closed = 0
        self._dumped_at = 0.0
        self._dumped_turn = 0
        self._soon = 0
        self._soon_since = float("-inf")

    def update(self, changes: Sequence[AlarmTransition], at: Instant, was_online: bool) -> None:
        """Take the changes that a frame made; `was_online`: whether frames came before it."""
        ts, now = at.isoformat(), at.monotonic
        is_due = False
        for is_raised, alarm, is_resumed in changes:
            if is_raised and is_resumed:
                continue  # the log has it
            key = (alarm.number, alarm.unit, alarm.cell)
            repeated = self._open.pop(key, None)
            if is_raised and repeated is not None and now - repeated.changed > _SAME_WITHIN:
                self._close(repeated)
                repeated = None
            if repeated is None:
                repeated = _Repeated(alarm, ts, self._turns)
            self._open[key] = repeated
            if is_raised:
                self._turns += 1
                repeated.raise_again(ts, now, self._turns)
            else:
                repeated.clear(ts, now, observed=was_online)
            is_due = is_due or repeated.is_due(now)
        while len(self._open) > _MOST_OPEN:
            self._close(self._open.pop(next(iter(self._open))))
        if not is_due:
            return
        if now - self._soon_since >= _HOUR:
            self._soon, self._soon_since = 0, now
        self._soon += 1
        if self._soon <= _SOON_IN_AN_HOUR:
            self._save_soon()

    def load(self, content: bytes | None) -> None:
        """Resume the last alarm of the log; lines that cannot be read are skipped."""
        entry = last_raised(entries(content or b""))
        if entry is None:
            return
        alarm = entry.alarm
        if entry.is_raised:
            key = (alarm.number, alarm.unit, alarm.cell)
            self._open = {key: _Repeated.resumed(entry)} | self._open
        last = LastAlarm(alarm.sentence, entry.raised_at)
        self._resume(last, alarm if entry.is_raised else None)

    def dump(self, *, last: bool) -> bytes | None:
        """Return the lines that have to be in the log now; None if there are none."""
        self._dumped_at = now = self._now()
        changed = [each for each in self._open.values() if not each.is_written]
        is_settled = all(now - each.changed >= _SETTLED for each in changed)
        due = [each for each in changed if last or is_settled or each.is_due(now)]
        if due or self._closed:
            # In the log, too, at most one alarm is active.
            due = [each for each in changed if each in due or each.is_active < each.was_active]
        self._dumped = [(each, each.changes, each.is_active) for each in due]
        self._dumped_closed = len(self._closed)
        # The history is in the order of the log: one that was let go may have been raised after
        # one that was not.
        lines = [*self._closed, *((each.turn, each.entry()) for each in due)]
        lines.sort(key=itemgetter(0))
        self._dumped_turn = lines[-1][0] if lines else 0
        return b"".join([_line(entry, turn < self._last_turn) for turn, entry in lines]) or None

    def saved(self) -> None:
        """Note what is on the disk."""
        for repeated, changes, is_active in self._dumped:
            repeated.written(changes, self._dumped_at, is_active=is_active)
        del self._closed[: self._dumped_closed]
        self._dumped.clear()
        self._dumped_closed = 0
        self._last_turn = max(self._last_turn, self._dumped_turn)

    def unsaved(self) -> None:
        """Keep the lines for the next try."""

    def _close(self, repeated: _Repeated) -> None:
        """Let an alarm go: if it is raised again, it is another one."""
        if repeated.is_written:
            return
        self._closed.append((repeated.turn, repeated.entry()))
        surplus = max(0, len(self._closed) - _MOST_WAITING)
        del self._closed[:surplus]
        self._dumped_closed = max(0, self._dumped_closed - surplus)


def _line(entry: Entry, is_late: bool) -> bytes:
    if is_late:
        entry = msgspec.structs.replace(entry, late=True)
    return msgspec.json.encode(entry) + b"\n"
