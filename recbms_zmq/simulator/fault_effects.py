"""What faults do to a frame: first to its content, then to its JSON text. Pure functions.

The second half works on any JSON and knows none of REC's keys.
"""

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from recbms_zmq.simulator.frames import error_message
from recbms_zmq.wire.frames import ErrorState, Settings, SettingsError, Slave, Status

RandomNumber = Callable[[], float]
"""Returns a random number: at least 0, less than 1."""


class WebsocketMessage(NamedTuple):
    """A websocket message. Text need not be UTF-8: that is one of the faults."""

    data: bytes
    is_binary: bool = False


_DEPTH: Final = 100_000  # arrays in arrays: far beyond the recursion limit of any parser
_MIB: Final = 2**20
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*')
_NOT_NUMBERS: Final = (b"NaN", b"nan", b"-nan", b"Infinity", b"-inf", b"1e999")
_OTHER_TYPES: Final[tuple[Any, ...]] = (None, True, "22.5", "", -1, 2.5, [], [[1]], {}, {"0": "x"})


# --- its content ---


def alarm(frame: Status | Settings, number: int) -> Status | Settings:
    """Make an error active, in the first unit."""
    if isinstance(frame, Settings):
        return replace(frame, error=SettingsError(1, number))
    units = _units(frame)
    state = ErrorState(1, (units[0].address or 0) if units else 0, number, 1)
    return _with_master(frame, error_state=state, error_message=error_message(number))


def clock(frame: Status | Settings) -> Status | Settings:
    """Set the BMS's clock to the date it starts with after its clock battery was empty."""
    date = "01.01.2000"
    if isinstance(frame, Settings):
        time = None if frame.clock_time is None else "00:00:00"
        return replace(frame, clock_date=date, clock_time=time)
    assert frame.bms_array is not None
    assert frame.bms_array.master is not None
    time = "00:00:00" if frame.bms_array.master.clock_time else ""
    return _with_master(frame, clock_date=date, clock_time=time)


def empty(frame: Status | Settings) -> Status | Settings:
    """Remove all units."""
    return frame if isinstance(frame, Settings) else _with_units(frame, [])


def shifted(frame: Status | Settings, times: int, *, is_out: bool) -> Status | Settings:
    """Let the first unit drop out and come back as the last, `times` times.

    Args:
        frame: with its units in order.
        times: how often the fault has begun.
        is_out: it is active: the unit is missing.

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


def damaged(
    name: str, message: WebsocketMessage, rng: RandomNumber, number: int | None = None
) -> WebsocketMessage:
    """Return the message after a fault of a frame; other faults change nothing.

    Args:
        name: of the fault.
        message: JSON, or the result of another fault.
        rng: chooses the place.
        number: of the fault.

    """
    data, is_binary = message
    if name == "binary":
        return WebsocketMessage(data, is_binary=True)
    if name == "huge":
        padding = b"x" * ((number or 1) * _MIB)
        return WebsocketMessage(b'%b,"padding":"%b"}' % (data[:-1], padding), is_binary)
    change = _CHANGES.get(name)
    return WebsocketMessage(change(data, rng), is_binary) if change else message


def _half(data: bytes, _rng: RandomNumber) -> bytes:
    return data[: len(data) // 2]


def _garbage(_data: bytes, rng: RandomNumber) -> bytes:
    length = int(rng() * 200)
    return bytes(32 + int(95 * rng()) for _ in range(length)) + b"\x00}"


def _bad_utf8(data: bytes, rng: RandomNumber) -> bytes:
    index = int(rng() * len(data))
    return data[:index] + b"\xc3\x28\xff" + data[index:]


def _deep(data: bytes, rng: RandomNumber) -> bytes:
    return _with_number(data, rng, b"[" * _DEPTH + b"]" * _DEPTH)


def _nan(data: bytes, rng: RandomNumber) -> bytes:
    return _with_number(data, rng, _NOT_NUMBERS[int(rng() * len(_NOT_NUMBERS))])


def _with_number(data: bytes, rng: RandomNumber, token: bytes) -> bytes:
    """Replace one of the numbers by a token."""
    numbers = [m.span() for m in _TOKEN.finditer(data) if not m[0].startswith(b'"')]
    if not numbers:
        return data
    start, end = numbers[int(rng() * len(numbers))]
    return data[:start] + token + data[end:]


def _wrong_types(data: bytes, rng: RandomNumber) -> bytes:
    def change(parent: dict[str, Any] | list[Any], key: Any) -> None:
        # A copy, because the next change may be inside it.
        parent[key] = copy.deepcopy(_OTHER_TYPES[int(rng() * len(_OTHER_TYPES))])

    return _with_members(data, rng, change)


def _missing_keys(data: bytes, rng: RandomNumber) -> bytes:
    def remove(parent: dict[str, Any] | list[Any], key: Any) -> None:
        if isinstance(parent, dict):
            del parent[key]

    return _with_members(data, rng, remove)


def _unknown_keys(data: bytes, rng: RandomNumber) -> bytes:
    def add(parent: dict[str, Any] | list[Any], _key: Any) -> None:
        if isinstance(parent, dict):
            parent[f"nova{int(rng() * 1000)}"] = {"a": [1, {"b": None}], "č": "ž"}

    return _with_members(data, rng, add)


def _unknown_type(data: bytes, _rng: RandomNumber) -> bytes:
    return re.sub(rb'"type":"[a-z]+"', b'"type":"novost"', data)


def _with_members(
    data: bytes, rng: RandomNumber, change: Callable[[dict[str, Any] | list[Any], Any], None]
) -> bytes:
    """Change one to three members of objects and arrays, but not the type of the message."""
    try:
        tree = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return data  # another fault has damaged it
    for _ in range(1 + int(rng() * 3)):
        members = [(parent, key) for parent, key in _members(tree) if key != "type"]
        if members:
            change(*members[int(rng() * len(members))])
    return msgspec.json.encode(tree)


def _members(tree: Any) -> Iterator[tuple[dict[str, Any] | list[Any], Any]]:
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from _members(tree[key])


_CHANGES: Final[dict[str, Callable[[bytes, RandomNumber], bytes]]] = {
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
