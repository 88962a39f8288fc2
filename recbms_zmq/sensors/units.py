"""The units of a status frame, in order: by their addresses, cells and sensors as lists.

A `UnitReader` reads those of one BMS.
"""

from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from recbms_zmq.wire.frames import MAX_CELLS, MAX_SENSORS, MAX_UNITS, Slave, Slaves

_T = TypeVar("_T")
_NUMBERS: Final = tuple(range(max(MAX_UNITS, MAX_CELLS, MAX_SENSORS)))
UNPLUGGED: Final = (-127.0, 85.0)
"""°C that a digital sensor reads without a connection, and before its first measurement."""
_STAND_IN: Final = 256
"""Added to the position of a unit whose address another one has: no address is as large."""
MOST_ADDRESS: Final = _STAND_IN + MAX_UNITS - 1
# What is the same in nearly all frames: all that `_measured` does not read.
_read_steady: Final = attrgetter(
    "address",
    "cell_count",
    "temperature_count",
    "temperatures",
    "cell_resistances",
    "cell_balancing",
)


# `gc=False`, as in `wire.frames`: made of each frame, without a cycle.
class Unit(Struct, frozen=True, gc=False):
    """One BMS unit. Lists have one item per cell or sensor, None where the frame has no value.

    A list is empty if the frame has no value for it at all.

    Attributes:
        position: in the frame, from 0.
        address: 0 to 255 on RS-485; 256 and more if another unit has the same address.
        cell_count, sensor_count: as the unit states them; None without a count that can be.
        bms_temperature: of the board, °C.
        temperatures: °C.
        cell_voltages: V.
        cell_resistances: Ω.
        cell_balancing: whether the cell is being balanced.
        has_all_voltages: whether every cell has a voltage.
        has_all_temperatures: whether every temperature sensor has a value.
        has_all_flags: whether it is known of every cell if it is being balanced.

    """

    position: int
    address: int
    cell_count: int | None
    sensor_count: int | None
    bms_temperature: float | None
    temperatures: Sequence[float | None]
    cell_voltages: Sequence[float | None]
    cell_resistances: Sequence[float | None]
    cell_balancing: Sequence[bool | None]
    has_all_voltages: bool
    has_all_temperatures: bool
    has_all_flags: bool


class Units(Struct, frozen=True, gc=False):
    """The units of a frame.

    Attributes:
        units: in the order of their addresses.
        addressed: whether the frame has addresses of units; None if it has no units.
        shared_addresses: addresses that several units have, with how many.
        cell_count: of all units; None if one of them has no count that can be.
        left_out: units without an address where others have one: they could be any of them.
        has_all_temperatures: whether every temperature sensor of these units has a value.
        hottest: °C, the highest temperature of a sensor; None without one.
        coldest: °C, the lowest one of the sensors that are plugged in; None without one.

    """

    units: tuple[Unit, ...]
    addressed: bool | None
    shared_addresses: tuple[tuple[int, int], ...]
    cell_count: int | None
    left_out: int
    has_all_temperatures: bool
    hottest: float | None
    coldest: float | None


class UnitReader:
    """Reads the units of one BMS from its frames.

    The order of the units and most of their lists are those of the frame before, and kept then:
    making them is a tenth of the cost of a frame.
    """

    def __init__(self) -> None:
        self._is_addressed = False
        self._steady: Any = None
        self._units: Units

    def read(self, slaves: Slaves | None) -> Units:
        """Put the units of a frame in order.

        Where units are known to have addresses, by the last frame with units, one that comes
        without its address is left out, because it could be any of them. So one broken frame
        decides for the next one only.
        """
        found = numbered(slaves or {})
        steady = self._is_addressed, [(position, _read_steady(slave)) for position, slave in found]
        if steady != self._steady:
            self._steady = steady
            self._units = _order(sorted(found), addressed=self._is_addressed)
        else:
            slave_at = dict(found)
            units = [_measured(unit, slave_at[unit.position]) for unit in self._units.units]
            self._units = _with_units(self._units, units)
        if self._units.addressed is not None:
            self._is_addressed = self._units.addressed
        return self._units


def _order(slaves: Sequence[tuple[int, Slave]], *, addressed: bool) -> Units:
    """Put slaves with their positions in order; see `UnitReader.read` for `addressed`."""
    units: dict[int, Unit] = {}
    for position, slave in slaves:
        address = slave.address
        if address is not None:
            # A pack whose address switches are set wrong must not lose a unit without a word.
            if address in units:
                address = _STAND_IN + position
            units[address] = _unit(position, address, slave)
    has_addresses = bool(units)
    if not has_addresses and not addressed:
        # Older firmware sends no addresses. REC counts the positions from 1.
        units = {position + 1: _unit(position, position + 1, slave) for position, slave in slaves}
    ordered = [units[address] for address in sorted(units)]
    temperatures = [t for unit in ordered for t in unit.temperatures if t is not None]
    plugged_in = [temperature for temperature in temperatures if temperature not in UNPLUGGED]
    has_stand_in = bool(ordered) and ordered[-1].address >= _STAND_IN
    return _with_units(
        Units(
            units=(),
            addressed=has_addresses if slaves else None,
            shared_addresses=_shared(slaves) if has_stand_in else (),
            cell_count=None,
            left_out=len(slaves) - len(units),
            has_all_temperatures=all(unit.has_all_temperatures for unit in ordered),
            hottest=max(temperatures, default=None),
            coldest=min(plugged_in, default=None),
        ),
        ordered,
    )


def _with_units(rest: Units, units: Sequence[Unit]) -> Units:
    cell_count = None if rest.left_out else _cell_count(units)
    return replace(rest, units=tuple(units), cell_count=cell_count)


def numbered(items: dict[int, _T | None] | list[_T | None]) -> list[tuple[int, _T]]:
    """Return the items that are there, with their positions from 0."""
    pairs = items.items() if isinstance(items, dict) else enumerate(items)
    return [(number, item) for number, item in pairs if item is not None]


def _shared(slaves: Sequence[tuple[int, Slave]]) -> tuple[tuple[int, int], ...]:
    """Return the addresses that several units have, with how many of them."""
    counts = Counter(slave.address for _, slave in slaves if slave.address is not None)
    return tuple(sorted((address, count) for address, count in counts.items() if count > 1))


def _cell_count(units: Sequence[Unit]) -> int | None:
    """Return the cells of all units; None if one of them has no count."""
    total = 0
    for unit in units:
        # A count of 0 is nonsense beside cells.
        if unit.cell_count is None or len(unit.cell_voltages) > unit.cell_count:
            return None
        total += unit.cell_count
    return total or None


def _unit(position: int, address: int, slave: Slave) -> Unit:
    cells, sensors = _count(slave.cell_count, MAX_CELLS), slave.temperature_count
    # There is no unit without cells, so a count of 0 hides none.
    most_cells = cells or None
    sensor_count = _count(sensors, MAX_SENSORS)
    # Slots beyond the count are unused, and can hold garbage: over RS-485 there are always 4
    # temperatures, and the unused ones have values that look like cell voltages.
    temperatures = _in_order(slave.temperatures, sensors, MAX_SENSORS)
    flags = _in_order(slave.cell_balancing, most_cells, MAX_CELLS)
    unit = Unit(
        position=position,
        address=address,
        cell_count=cells,
        sensor_count=sensor_count,
        bms_temperature=None,
        temperatures=temperatures,
        cell_voltages=(),
        cell_resistances=_in_order(slave.cell_resistances, most_cells, MAX_CELLS),
        cell_balancing=[None if flag is None else bool(flag) for flag in flags],
        has_all_voltages=False,
        has_all_temperatures=_is_whole(temperatures, sensor_count),
        has_all_flags=False,
    )
    return _measured(unit, slave)


def _measured(unit: Unit, slave: Slave) -> Unit:
    """Return a unit with what each frame measures."""
    flags = unit.cell_balancing
    voltages = _in_order(slave.cell_voltages, unit.cell_count or None, MAX_CELLS)
    return replace(
        unit,
        bms_temperature=slave.bms_temperature,
        cell_voltages=voltages,
        has_all_voltages=_is_whole(voltages, unit.cell_count),
        has_all_flags=_is_whole(flags, unit.cell_count) and len(flags) >= len(voltages),
    )


def _count(stated: int | None, most: int) -> int | None:
    """Return a count; None for one that no unit can have."""
    return stated if stated is not None and 0 <= stated <= most else None


def _is_whole(values: Sequence[Any], count: int | None) -> bool:
    """Return whether there is a value for everything that a unit has, which may be nothing."""
    return None not in values if values else count == 0


def _in_order(
    items: dict[int, _T] | list[_T] | None, count: int | None, most: int
) -> list[_T | None]:
    """Return items by their numbers, None where one is missing.

    Args:
        items: of the frame.
        count: how many the unit states; None if it states none. What is beyond is left out; what
            is missing is None, as far as the count is at most `most`.
        most: the largest count of a unit.

    """
    if not items:
        return []
    listed: list[_T | None]
    if not isinstance(items, dict) or tuple(items) == _NUMBERS[: len(items)]:
        listed = [*(items.values() if isinstance(items, dict) else items)]
    else:  # with gaps, or not in order
        listed = [*map(items.get, range(max(items) + 1))]
    if count is None or count == len(listed):
        return listed
    if len(listed) < count <= most:
        listed += [None] * (count - len(listed))
    return listed[: max(count, 0)]
