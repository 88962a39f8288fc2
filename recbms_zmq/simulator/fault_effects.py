"""What faults do to a frame: first to what it says, then to its text. Pure functions.

Everything but the states of the battery works on JSON as such and knows no key of REC's.
"""

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from recbms_zmq.simulator.frames import error_message
from recbms_zmq.wire.frames import ErrorState, Settings, SettingsError, Slave, Status

Draw = Callable[[], float]
"""Gives random numbers from 0 to 1."""


class Message(NamedTuple):
    """A message of the websocket; text, which need not be UTF-8, unless it is binary."""

    data: bytes
    is_binary: bool = False


_DEPTH: Final = 100_000
_MIB: Final = 2**20
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*')
_NOT_NUMBERS: Final = (b"NaN", b"nan", b"-nan", b"Infinity", b"-inf", b"1e999")
_OTHER_TYPES: Final[tuple[Any, ...]] = (None, True, "22.5", "", -1, 2.5, [], [[1]], {}, {"0": "x"})


# --- what the frame says ---


def alarm(frame: Status | Settings, number: int) -> Status | Settings:
    """Make an error active, in its first unit."""
    if isinstance(frame, Settings):
        return replace(frame, error=SettingsError(1, number))
    units = _units(frame)
    state = ErrorState(1, (units[0].address or 0) if units else 0, number, 1)
    return _with_master(frame, error_state=state, error_message=error_message(number))


def clock(frame: Status | Settings) -> Status | Settings:
    """Set the BMS's own clock to where it begins without a battery."""
    date = "01.01.2000"
    if isinstance(frame, Settings):
        time = None if frame.clock_time is None else "00:00:00"
        return replace(frame, clock_date=date, clock_time=time)
    assert frame.bms_array is not None
    assert frame.bms_array.master is not None
    time = "00:00:00" if frame.bms_array.master.clock_time else ""
    return _with_master(frame, clock_date=date, clock_time=time)


def empty(frame: Status | Settings) -> Status | Settings:
    """Leave out all units."""
    return frame if isinstance(frame, Settings) else _with_units(frame, [])


def shifted(frame: Status | Settings, times: int, *, is_out: bool) -> Status | Settings:
    """Let the first unit drop out and come back as the last, `times` times.

    Args:
        frame: with its units in order.
        times: how often it has begun.
        is_out: the last time has not ended: that unit is missing.

    """
    if isinstance(frame, Settings) or not times:
        return frame
    units = _units(frame)
    turn = times % len(units)
    units = (units[turn:] + units[:turn])[: -1 if is_out else None]
    return _with_master(_with_units(frame, units), unit_count=len(units))


def _units(frame: Status) -> list[Slave]:
    assert frame.bms_array is not None
    slaves = frame.bms_array.slaves
    found = slaves.values() if isinstance(slaves, dict) else slaves or []
    return [slave for slave in found if slave is not None]


def _with_units(frame: Status, units: list[Slave]) -> Status:
    assert frame.bms_array is not None
    listed: list[Slave | None] = list(units)
    is_list = isinstance(frame.bms_array.slaves, list)
    slaves = listed if is_list else dict(enumerate(listed))
    return Status(replace(frame.bms_array, slaves=slaves))


def _with_master(frame: Status, **changes: Any) -> Status:
    assert frame.bms_array is not None
    assert frame.bms_array.master is not None
    return Status(replace(frame.bms_array, master=replace(frame.bms_array.master, **changes)))


# --- its text ---


def damaged(name: str, message: Message, draw: Draw, number: int | None = None) -> Message:
    """Do to a message what a fault of a frame does; other faults change nothing.

    Args:
        name: of the fault.
        message: JSON, or what another fault has left of it.
        draw: decides where it hits.
        number: of the fault.

    """
    data, is_binary = message
    if name == "binary":
        return Message(data, is_binary=True)
    if name == "huge":
        padding = b"x" * ((number or 1) * _MIB)
        return Message(b'%b,"padding":"%b"}' % (data[:-1], padding), is_binary)
    change = _CHANGES.get(name)
    return Message(change(data, draw), is_binary) if change else message


def _half(data: bytes, _draw: Draw) -> bytes:
    return data[: len(data) // 2]


def _garbage(_data: bytes, draw: Draw) -> bytes:
    length = int(draw() * 200)
    return bytes(32 + int(95 * draw()) for _ in range(length)) + b"\x00}"


def _bad_utf8(data: bytes, draw: Draw) -> bytes:
    place = int(draw() * len(data))
    return data[:place] + b"\xc3\x28\xff" + data[place:]


def _deep(data: bytes, draw: Draw) -> bytes:
    return _with_number(data, draw, b"[" * _DEPTH + b"]" * _DEPTH)


def _nan(data: bytes, draw: Draw) -> bytes:
    return _with_number(data, draw, _NOT_NUMBERS[int(draw() * len(_NOT_NUMBERS))])


def _with_number(data: bytes, draw: Draw, token: bytes) -> bytes:
    """Put a token in the place of one of the numbers."""
    numbers = [m.span() for m in _TOKEN.finditer(data) if not m[0].startswith(b'"')]
    if not numbers:
        return data
    start, end = numbers[int(draw() * len(numbers))]
    return data[:start] + token + data[end:]


def _wrong_types(data: bytes, draw: Draw) -> bytes:
    def change(place: dict[str, Any] | list[Any], key: Any) -> None:
        # A copy: the next change may be one in it.
        place[key] = copy.deepcopy(_OTHER_TYPES[int(draw() * len(_OTHER_TYPES))])

    return _with_members(data, draw, change)


def _missing_keys(data: bytes, draw: Draw) -> bytes:
    def remove(place: dict[str, Any] | list[Any], key: Any) -> None:
        if isinstance(place, dict):
            del place[key]

    return _with_members(data, draw, remove)


def _unknown_keys(data: bytes, draw: Draw) -> bytes:
    def add(place: dict[str, Any] | list[Any], _key: Any) -> None:
        if isinstance(place, dict):
            place[f"nova{int(draw() * 1000)}"] = {"a": [1, {"b": None}], "č": "ž"}

    return _with_members(data, draw, add)


def _unknown_type(data: bytes, _draw: Draw) -> bytes:
    return re.sub(rb'"type":"[a-z]+"', b'"type":"novost"', data, count=1)


def _with_members(
    data: bytes, draw: Draw, change: Callable[[dict[str, Any] | list[Any], Any], None]
) -> bytes:
    """Change one to three members of an object or array, anywhere but the type of the message."""
    try:
        tree = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return data  # another fault was here before
    for _ in range(1 + int(draw() * 3)):
        members = [(place, key) for place, key in _members(tree) if key != "type"]
        if members:
            change(*members[int(draw() * len(members))])
    return msgspec.json.encode(tree)


def _members(tree: Any) -> Iterator[tuple[dict[str, Any] | list[Any], Any]]:
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from _members(tree[key])


_CHANGES: Final[dict[str, Callable[[bytes, Draw], bytes]]] = {
    "half-frame": _half,
    "garbage": _garbage,
    "bad-utf8": _bad_utf8,
    "deep": _deep,
    "nan": _nan,
    "wrong-types": _wrong_types,
    "missing-keys": _missing_keys,
    "unknown-keys": _unknown_keys,
    "unknown-type": _unknown_type,
}
