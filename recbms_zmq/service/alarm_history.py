"""The history of alarms: what was raised and cleared, in a log in the state directory.

Each BMS has a log of JSON lines, `NAME.alarms.jsonl`, and its older part behind it. Together they
hold the last 1,000 alarms at least. What is promised:

- An alarm is in the log within a second, and survives a restart, `kill -9` and a power cut. One
  that comes and goes all the time is written once a minute.
- One that is still active after a restart is not raised again. One that was cleared while no frames
  came is closed at the first frame, which is marked: when it was cleared is not known.
- While the disk cannot be written to, the last `_MOST_WAITING` changes wait in memory.

Without a state directory this module is not loaded by the service.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from recbms_zmq.clock import Instant
from recbms_zmq.config.files import read_regular
from recbms_zmq.sensors.alarm_tracker import Alarm, AlarmTransition, LastAlarm
from recbms_zmq.service import state_files
from recbms_zmq.service.state_store import Storage

MOST_ALARMS: Final = 1000
STORAGE: Final = Storage("alarms.jsonl", state_files.read_tail, state_files.append)
_MOST_TEXT: Final = 100  # characters, so that 2,000 lines fit in a log
_MOST_WAITING: Final = 1000
_SOON_IN_AN_HOUR: Final = 40
"""Changes that are written at once: an SD card has to last while an alarm comes and goes."""
_HOUR: Final = 3600.0


class Entry(Struct, frozen=True, omit_defaults=True):
    """A line of the log.

    Attributes:
        ts: when the frame came that raised or cleared the alarm, ISO 8601.
        event: what has happened.
        number, text, unit, cell: of the alarm, as in its `event` messages.
        raised: when an alarm that is cleared was raised.
        observed: whether frames came before it was cleared; without them it may have been earlier.

    """

    ts: str
    event: Literal["alarm_raised", "alarm_cleared"]
    number: int | None = None
    text: str = ""
    unit: int | None = None
    cell: int | None = None
    raised: str | None = None
    observed: bool = True

    @property
    def alarm(self) -> Alarm:
        """The alarm itself."""
        return Alarm(self.number, self.text, self.unit, self.cell)


class PastAlarm(Struct, frozen=True):
    """An alarm of the history.

    Attributes:
        device: id of the BMS.
        alarm: which one.
        raised: when it was raised, ISO 8601.
        cleared: when it was cleared; None if that is not in the history.
        observed: whether frames came before it was cleared; else it may have been earlier.
        is_active: whether it was not cleared yet when the last line was written.

    """

    device: str
    alarm: Alarm
    raised: str
    cleared: str | None
    observed: bool
    is_active: bool


class AlarmHistory:
    """The history of one BMS, a `state_store.Record`.

    Args:
        name: of the BMS.
        resume: takes the last alarm of an earlier run; the second argument is the same one, if it
            was not cleared.
        save_soon: called when an alarm should be written at once.

    """

    storage = STORAGE

    def __init__(
        self,
        name: str,
        resume: Callable[[LastAlarm, Alarm | None], None],
        save_soon: Callable[[], None],
    ) -> None:
        self.name = name
        self._resume = resume
        self._save_soon = save_soon
        self._raised: str | None = None
        self._lines: list[bytes] = []
        self._dumped = 0
        self._soon = 0
        self._soon_since = float("-inf")

    def update(self, changes: Sequence[AlarmTransition], at: Instant, was_online: bool) -> None:
        """Take the changes that a frame made; `was_online`: whether frames came before it."""
        before = len(self._lines)
        ts = at.isoformat()
        for is_raised, alarm, is_resumed in changes:
            if not is_raised:
                entry = _entry(ts, "alarm_cleared", alarm, self._raised, observed=was_online)
            elif not is_resumed:
                self._raised = ts
                entry = _entry(ts, "alarm_raised", alarm)
            else:
                continue  # the log has it
            self._lines.append(msgspec.json.encode(entry) + b"\n")
        if len(self._lines) == before:
            return
        # The oldest go first. Some of them may be on their way to the disk: then `saved` must not
        # remove newer ones in their place.
        surplus = max(0, len(self._lines) - _MOST_WAITING)
        del self._lines[:surplus]
        self._dumped = max(0, self._dumped - surplus)
        if at.monotonic - self._soon_since >= _HOUR:
            self._soon, self._soon_since = 0, at.monotonic
        self._soon += 1
        if self._soon <= _SOON_IN_AN_HOUR:
            self._save_soon()

    def load(self, content: bytes | None) -> None:
        """Resume the last alarm of the log; lines that cannot be read are skipped."""
        raised = None
        for entry in entries(content or b""):
            if entry.event == "alarm_raised":
                raised, is_active = entry, True
            elif raised is not None:
                is_active = False
        if raised is not None:
            self._raised = self._raised or raised.ts
            last = LastAlarm(raised.alarm.sentence, raised.ts)
            self._resume(last, raised.alarm if is_active else None)

    def dump(self, *, last: bool) -> bytes | None:  # noqa: ARG002 the end changes nothing
        """Return the lines that are not in the log yet; None if there are none."""
        self._dumped = len(self._lines)
        return b"".join(self._lines) or None

    def saved(self) -> None:
        """Forget the lines that are on the disk."""
        del self._lines[: self._dumped]
        self._dumped = 0

    def unsaved(self) -> None:
        """Keep the lines for the next try."""


def entries(log: bytes) -> Iterator[Entry]:
    """Return the entries of a log, without lines that cannot be read, or that have no end."""
    for line in log[: log.rfind(b"\n") + 1].splitlines():
        try:
            yield _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            continue


def read_history(directory: Path) -> list[PastAlarm]:
    """Return the last `MOST_ALARMS` alarms of all BMS in a state directory, in their order.

    Raises:
        OSError: a log or the directory cannot be read.

    """
    end = f".{STORAGE.suffix}"
    names = {path.name.removesuffix(".old") for path in directory.iterdir()}
    found: list[PastAlarm] = []
    for name in sorted(name for name in names if name.endswith(end)):
        found += _alarms(name.removesuffix(end), entries(_read_log(directory / name)))
    return sorted(found, key=lambda past: past.raised)[-MOST_ALARMS:]


def _read_log(path: Path) -> bytes:
    parts = []
    for each in (state_files.older(path), path):
        try:
            parts.append(read_regular(each, follow=False))
        except FileNotFoundError:
            continue
    return b"\n".join(parts)


def _alarms(device: str, log: Iterable[Entry]) -> Iterator[PastAlarm]:
    """Put the entries of one BMS together: at most one alarm is active at a time."""
    raised: Entry | None = None
    for entry in log:
        is_raised = entry.event == "alarm_raised"
        if raised is not None and (is_raised or not raised.alarm.is_same(entry.alarm)):
            # That it was cleared is not in the log.
            yield PastAlarm(device, raised.alarm, raised.ts, None, observed=False, is_active=False)
            raised = None
        if is_raised:
            raised = entry
            continue
        start = (raised and raised.ts) or entry.raised or entry.ts
        yield PastAlarm(device, entry.alarm, start, entry.ts, entry.observed, is_active=False)
        raised = None
    if raised is not None:
        yield PastAlarm(device, raised.alarm, raised.ts, None, observed=True, is_active=True)


def _entry(
    ts: str,
    event: Literal["alarm_raised", "alarm_cleared"],
    alarm: Alarm,
    raised: str | None = None,
    *,
    observed: bool = True,
) -> Entry:
    text = alarm.text[:_MOST_TEXT]
    return Entry(ts, event, alarm.number, text, alarm.unit, alarm.cell, raised, observed)


_decoder: Final = msgspec.json.Decoder(Entry)
