"""What one status frame says of the pack, put in order.

`Pack.of` resolves the units (by address), their cells (as lists), the active error and the texts,
once a frame. What is computed from it for the sensors is in `formulas`.

Sign: current is positive while the pack is charged.
"""

import html
import re
from collections.abc import Sequence
from functools import lru_cache
from math import isfinite
from typing import Final, Literal, NamedTuple, TypeVar

from msgspec import Struct

from recbms_zmq.errors import MalformedFrame
from recbms_zmq.sensors.energy import NOT_KNOWN, Counters
from recbms_zmq.sensors.sensor import UNKNOWN, Unknown
from recbms_zmq.wire.alarms import ALARMS, alarm_text
from recbms_zmq.wire.frames import MAX_CELLS, MAX_SENSORS, MAX_UNITS, Master, Slave, Status
from recbms_zmq.wire.redaction import redact_text

_T = TypeVar("_T")
_NUMBERS: Final = tuple(range(max(MAX_UNITS, MAX_CELLS, MAX_SENSORS)))
ChargeState = Literal["charging", "discharging", "idle"]
Direction = Literal["full", "empty"]
MAX_TEXT: Final = 200
"""Characters of a text that comes from the BMS; the real ones have about 20."""


class Alarm(NamedTuple):
    """An error that is active now. `unit` is an address; `cell` a cell or sensor, from 1."""

    number: int | None
    text: str
    unit: int | None
    cell: int | None


class TimeRemaining(NamedTuple):
    """REC's display text, taken apart. `minutes` is None for a text without a time."""

    text: str
    minutes: int | None
    direction: Direction | None


class Unit(Struct, frozen=True, gc=False):
    """One BMS unit. Lists hold one item a cell or sensor, None where the frame has no value."""

    address: int
    bms_temperature: float | None
    temperatures: Sequence[float | None]
    cell_voltages: Sequence[float | None]
    cell_resistances: Sequence[float | None]
    cell_balancing: Sequence[bool | None]


class Pack(Struct, frozen=True, gc=False):
    """A status frame, put in order.

    Attributes:
        master: the whole pack's numbers as they came.
        units: in the order of their addresses.
        addressed: whether the frame tells addresses of units; None if it has no units.
        arrival: when the frame came, ISO 8601.
        capacity: Ah, once the settings are known.
        cell_count: of all units; None if one of them does not say.
        charge_state: None without a current.
        time_remaining: None if the frame has none.
        alarm: the active error; None when there is none, UNKNOWN when the frame does not say.
        cell_lowest, cell_highest: `unit/cell`, the first of several that are equal.
        energy: the counters up to this frame.

    """

    master: Master
    units: tuple[Unit, ...]
    addressed: bool | None
    arrival: str
    capacity: float | None
    cell_count: int | None
    charge_state: ChargeState | None
    time_remaining: TimeRemaining | None
    alarm: Alarm | Unknown | None
    cell_lowest: str | Unknown
    cell_highest: str | Unknown
    energy: Counters

    @classmethod
    def of(
        cls,
        frame: Status,
        arrival: str = "",
        *,
        idle_current: float = 0.1,
        capacity: float | None = None,
        energy: Counters = NOT_KNOWN,
        addressed: bool = False,
    ) -> "Pack":
        """Put a status frame in order.

        Args:
            frame: as decoded.
            arrival: when it came, ISO 8601.
            idle_current: amperes up to which the pack counts as idle.
            capacity: of the pack, Ah, if it is known.
            energy: the counters up to this frame.
            addressed: whether the units are known to have addresses: one that comes without its
                address is then left out, because nobody can say which one it is.

        Raises:
            MalformedFrame: the frame says nothing about a pack.

        """
        array = frame.bms_array
        if array is None or (array.master is None and not array.slaves):
            raise MalformedFrame("a status without any data")
        master = array.master or Master()
        units: dict[int, Unit] = {}
        counts: list[int | None] = []
        slaves = _numbered(array.slaves or {})
        tells_addresses = any(slave.address is not None for _, slave in slaves)
        is_whole = True
        for position, slave in slaves:
            if slave.address is None and (addressed or tells_addresses):
                is_whole = False
                counts.append(None)
                continue
            # Older firmware tells no addresses: the position has to do, counted as REC counts.
            address = position + 1 if slave.address is None else slave.address
            if address not in units:  # of two with one address only the first can be believed
                units[address] = _unit(address, slave)
                counts.append(slave.cell_count)
        ordered = tuple(units[address] for address in sorted(units))
        lowest, highest = _extreme_cells(ordered) if is_whole else (UNKNOWN, UNKNOWN)
        text = master.time_remaining
        return cls(
            master=master,
            units=ordered,
            addressed=tells_addresses if slaves else None,
            arrival=arrival,
            capacity=capacity,
            cell_count=_sum(counts),
            charge_state=_charge_state(master.current, idle_current),
            time_remaining=None if text is None else parse_time_remaining(text),
            alarm=_alarm(master),
            cell_lowest=lowest,
            cell_highest=highest,
            energy=energy,
        )


def _numbered(items: dict[int, _T | None] | list[_T | None]) -> list[tuple[int, _T]]:
    pairs = items.items() if isinstance(items, dict) else enumerate(items)
    return [(number, item) for number, item in pairs if item is not None]


def _sum(counts: Sequence[int | None]) -> int | None:
    """Add up; without one of the counts the sum is not known."""
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def _unit(address: int, slave: Slave) -> Unit:
    # A unit without cells makes no sense, so such a count hides none.
    cells = slave.cell_count if slave.cell_count and slave.cell_count > 0 else None
    return Unit(
        address=address,
        bms_temperature=slave.bms_temperature,
        # Slots beyond the number of sensors or cells are unused, and may hold garbage.
        temperatures=_in_order(slave.temperatures, slave.temperature_count),
        cell_voltages=_in_order(slave.cell_voltages, cells),
        cell_resistances=_in_order(slave.cell_resistances, cells),
        cell_balancing=[
            None if flag is None else bool(flag) for flag in _in_order(slave.cell_balancing, cells)
        ],
    )


def _in_order(items: dict[int, _T] | list[_T] | None, count: int | None) -> list[_T | None]:
    """Return the first `count` items (None: all) by their numbers, None where one is missing."""
    if items is None:
        return []
    listed: list[_T | None]
    if not isinstance(items, dict) or tuple(items) == _NUMBERS[: len(items)]:
        listed = [*(items.values() if isinstance(items, dict) else items)]
    else:  # with gaps, or in disorder
        listed = [*map(items.get, range(max(items) + 1))]
    return listed if count is None or count == len(listed) else listed[: max(count, 0)]


def _extreme_cells(units: Sequence[Unit]) -> tuple[str | Unknown, str | Unknown]:
    """Return lowest and highest cell, if all are known: a cell without a voltage may be either."""
    voltages = [voltage for unit in units for voltage in unit.cell_voltages if voltage is not None]
    if not voltages or len(voltages) < sum(len(unit.cell_voltages) for unit in units):
        return UNKNOWN, UNKNOWN
    lowest, highest = voltages.index(min(voltages)), voltages.index(max(voltages))
    return _cell(lowest, units), _cell(highest, units)


def _cell(index: int, units: Sequence[Unit]) -> str:
    """Name a cell by its place among all cells, from 0."""
    for unit in units:
        if index < len(unit.cell_voltages):
            break
        index -= len(unit.cell_voltages)
    return f"{unit.address}/{index + 1}"


def _charge_state(current: float | None, idle_current: float) -> ChargeState | None:
    """Tell the direction of the current; at 0 A, and up to the idle current, a pack is idle."""
    if current is None or not isfinite(current):
        return None
    if abs(current) <= idle_current:
        return "idle"
    return "charging" if current > 0 else "discharging"


def _alarm(master: Master) -> Alarm | Unknown | None:
    error = master.error_state
    if error is None or error.present is None:
        return UNKNOWN
    if not error.present:
        return None
    text = alarm_text(error.number)
    if error.number not in ALARMS and master.error_message:
        text += f": {plain_text(master.error_message)}"
    return Alarm(error.number, text, error.unit_address, error.location)


# Before it no other number and no minus: `-1h 05 min` or `2 d 3h 05 min` must not be half read.
_TIME = re.compile(r"[^\d-]*(\d{1,6}) ?h ?([0-5]?\d) ?min\D*", re.IGNORECASE | re.ASCII)


@lru_cache(maxsize=256)  # the text changes once a minute, the frame every second
def parse_time_remaining(text: str) -> TimeRemaining:
    """Take apart `Full in:<br> 31h 00 min`, `Empty in: 8 h 29 min`, or any other text."""
    plain = plain_text(text)
    time = _TIME.fullmatch(plain)
    word = re.match(r"(full|empty)\b", plain, re.IGNORECASE)
    direction: Direction | None = None
    if word:
        direction = "full" if word[1].lower() == "full" else "empty"
    return TimeRemaining(plain, int(time[1]) * 60 + int(time[2]) if time else None, direction)


def plain_text(text: str) -> str:
    """Return a display text without HTML, spaces folded, at most `MAX_TEXT` characters long.

    The serial number goes too, should the BMS name itself by it.
    """
    without_tags = re.sub(r"<[^<>]*>", " ", text[: 4 * MAX_TEXT])
    return redact_text(" ".join(html.unescape(without_tags).split()))[:MAX_TEXT]
