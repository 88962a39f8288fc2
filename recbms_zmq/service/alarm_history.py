"""The history of alarms, as it is in the logs of a state directory; `alarm_record` writes them.

Each BMS has a log of JSON lines, `NAME.alarms.jsonl`, and its older part behind it. A line has the
state of one alarm. An alarm that is raised again within an hour is the same one, with a count; its
lines have the same `first_raised`, and the last of them is valid.
"""

import heapq
from collections.abc import Callable, Container, Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from recbms_zmq.config.files import read_regular
from recbms_zmq.sensors.alarm_tracker import Alarm
from recbms_zmq.service import state_files

_Key = tuple[int | None, int | None, int | None, str]
"""Number, unit, cell, and when it was raised first."""

MOST_ALARMS: Final = 1000
SUFFIX: Final = "alarms.jsonl"


class Entry(Struct, frozen=True, omit_defaults=True):
    """A line of a log.

    Attributes:
        ts: when the frame came that raised or cleared the alarm, ISO 8601.
        event: what has happened.
        number, text, unit, cell: of the alarm, as in its `event` messages.
        raised: when an alarm that is cleared was raised the last time.
        observed: whether frames came before it was cleared; without them it may have been earlier.
        times: how many times it was raised since `first_raised`.
        first_raised: when it was raised the first time, if that is another time.
        late: whether a line before it is of an alarm that was raised later. The times do not show
            that after a clock was set back.

    """

    ts: str
    event: Literal["alarm_raised", "alarm_cleared"]
    number: int | None = None
    text: str = ""
    unit: int | None = None
    cell: int | None = None
    raised: str | None = None
    observed: bool = True
    times: int = 1
    first_raised: str | None = None
    late: bool = False

    @property
    def alarm(self) -> Alarm:
        """The alarm itself."""
        return Alarm(self.number, self.text, self.unit, self.cell)

    @property
    def raised_at(self) -> str:
        """When it was raised the last time; if that is not known, when it was cleared."""
        return self.raised or self.ts

    @property
    def is_raised(self) -> bool:
        """Whether the alarm was active after this line."""
        return self.event == "alarm_raised"


class PastAlarm(Struct, frozen=True):
    """An alarm of the history.

    Attributes:
        device: id of the BMS.
        alarm: which one.
        raised: when it was raised the last time, ISO 8601.
        cleared: when it was cleared after that; None if that is not in the history.
        observed: whether frames came before it was cleared; else it may have been earlier.
        is_active: whether it was not cleared yet when the last line was written.
        times: how many times it was raised.
        first_raised: when it was raised the first time.

    """

    device: str
    alarm: Alarm
    raised: str
    cleared: str | None
    observed: bool
    is_active: bool
    times: int
    first_raised: str


class History(Struct, frozen=True):
    """What is in a state directory.

    Attributes:
        alarms: the last `MOST_ALARMS` of all BMS, in the order in which they were raised last.
        failures: why a log cannot be read, by its name.
        skipped: how many lines of a log are no alarms, by its name.
        is_used: whether a service keeps its state there, or did.

    """

    alarms: list[PastAlarm]
    failures: dict[str, str]
    skipped: dict[str, int]
    is_used: bool


def entries(log: bytes, skip: Callable[[bytes], None] = lambda _: None) -> Iterator[Entry]:
    """Return the entries of a log, without a last line that has no end.

    Args:
        log: content of the file.
        skip: called for each other line that cannot be read.

    """
    for line in log[: log.rfind(b"\n") + 1].splitlines():
        try:
            yield _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            skip(line)


def last_raised(log: Iterable[Entry]) -> Entry | None:
    """Return the newest state of the alarm that was raised last; None without entries."""
    last: Entry | None = None
    for entry in log:
        if last is None or not entry.late:
            last = entry
    return last


def read_history(directory: Path) -> History:
    """Return the alarms of all BMS in a state directory.

    Those of one BMS are in the order of its log, also if its clock jumped.

    Raises:
        OSError: the directory cannot be read.

    """
    end = f".{SUFFIX}"
    names = {path.name for path in directory.iterdir()}
    found = History(
        [], {}, {}, is_used=any(name.endswith(state_files.LOCK_SUFFIX) for name in names)
    )
    logs = []
    for name in sorted({name.removesuffix(".old") for name in names}):
        if not name.endswith(end):
            continue
        bad: list[bytes] = []
        try:
            log = entries(_read_log(directory / name), bad.append)
            logs.append(_alarms(name.removesuffix(end), log))
        except OSError as exc:
            found.failures[name] = exc.strerror or str(exc)
        if bad:
            found.skipped[name] = len(bad)
    found.alarms.extend(list(heapq.merge(*logs, key=lambda past: past.raised))[-MOST_ALARMS:])
    return found


def _read_log(path: Path) -> bytes:
    """Return the lines of a log and of its older part."""
    parts = []
    for each in (state_files.older(path), path):
        try:
            part = read_regular(each, follow=False)
        except FileNotFoundError:
            continue
        parts.append(part[: part.rfind(b"\n") + 1])
    return b"".join(parts)


def _alarms(device: str, log: Iterable[Entry]) -> list[PastAlarm]:
    """Return the last state of each alarm of one BMS: at most one is active at a time.

    In the order of the log, because a clock can jump. But a line that came late, after an alarm
    that was raised later, stays before it.
    """
    found: dict[_Key, PastAlarm] = {}
    order: list[_Key] = []
    active = newest = None
    for entry in log:
        alarm = entry.alarm
        raised = entry.raised_at
        first = entry.first_raised or raised
        key = (alarm.number, alarm.unit, alarm.cell, first)
        if active is not None and not entry.is_raised and not entry.raised:
            # When it was raised was not known where this was written, but the log may have it.
            before = found[active]
            if before.alarm.is_same(alarm):
                key, raised, first = active, before.raised, before.first_raised
        if active is not None and active != key and not entry.late:
            # That it was cleared is not in the log yet.
            before = found[active]
            found[active] = msgspec.structs.replace(before, observed=False, is_active=False)
            active = None
        known = found.get(key)
        if known is None:
            order.append(key)
        elif known.times != entry.times:
            later = {
                other
                for other, past in found.items()
                if past.raised > raised or (entry.late and other == newest)
            }
            _move_towards_end(order, order.index(key), later)
        newest = newest if entry.late else key
        if entry.is_raised:
            active = key
        elif active == key:
            active = None
        found[key] = PastAlarm(
            device,
            alarm,
            raised,
            None if entry.is_raised else entry.ts,
            entry.observed,
            entry.is_raised,
            entry.times,
            first,
        )
    return [found[key] for key in order]


def _move_towards_end(order: list[_Key], place: int, later: Container[_Key]) -> None:
    """Move what is at `place` to the end, but before what is `later` there."""
    key = order.pop(place)
    end = len(order)
    while end > place and order[end - 1] in later:
        end -= 1
    order.insert(end, key)


_decoder: Final = msgspec.json.Decoder(Entry)
