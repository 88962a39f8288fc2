"""The units of a status frame, in order: by their addresses, cells and sensors as lists."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from msgspec import Struct

from recbms_zmq.wire.frames import MAX_CELLS, MAX_SENSORS, MAX_UNITS, Slave, Slaves

_T = TypeVar("_T")
_NUMBERS: Final = tuple(range(max(MAX_UNITS, MAX_CELLS, MAX_SENSORS)))
UNPLUGGED: Final = (-127.0, 85.0)
"""°C that a digital sensor reads without a connection, and before its first measurement."""
_STAND_IN: Final = 256
"""Added to the position of a unit whose address another one has: no address is as large."""
MOST_ADDRESS: Final = _STAND_IN + MAX_UNITS - 1


# `gc=False`, as in `wire.frames`: made of each frame, without a cycle.
class Unit(Struct, frozen=True, gc=False):
    """One BMS unit. Lists have one item per cell or sensor, None where the frame has no value.

    A list is empty if the frame has no value for it at all.

    Attributes:
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

    """

    units: tuple[Unit, ...]
    addressed: bool | None
    shared_addresses: tuple[tuple[int, int], ...]
    cell_count: int | None
    left_out: int


def order_units(slaves: Slaves | None, *, addressed: bool) -> Units:
    """Put the units of a frame in order; see `Pack.of` for `addressed`."""
    numbered_slaves = sorted(numbered(slaves or {}))
    units: dict[int, Unit] = {}
    for position, slave in numbered_slaves:
        address = slave.address
        if address is not None:
            # A pack whose address switches are set wrong must not lose a unit without a word.
            if address in units:
                address = _STAND_IN + position
            units[address] = _unit(address, slave)
    has_addresses = bool(units)
    if not has_addresses and not addressed:
        # Older firmware sends no addresses. REC counts the positions from 1.
        units = {position + 1: _unit(position + 1, slave) for position, slave in numbered_slaves}
    ordered = tuple([units[address] for address in sorted(units)])
    has_stand_in = bool(ordered) and ordered[-1].address >= _STAND_IN
    left_out = len(numbered_slaves) - len(units)
    return Units(
        units=ordered,
        addressed=has_addresses if numbered_slaves else None,
        shared_addresses=_shared(numbered_slaves) if has_stand_in else (),
        cell_count=None if left_out else _cell_count(ordered),
        left_out=left_out,
    )


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


def _unit(address: int, slave: Slave) -> Unit:
    cells, sensors = _count(slave.cell_count, MAX_CELLS), slave.temperature_count
    # There is no unit without cells, so a count of 0 hides none.
    most_cells = cells or None
    sensor_count = _count(sensors, MAX_SENSORS)
    # Slots beyond the count are unused, and can hold garbage: over RS-485 there are always 4
    # temperatures, and the unused ones have values that look like cell voltages.
    temperatures = _in_order(slave.temperatures, sensors, MAX_SENSORS)
    voltages = _in_order(slave.cell_voltages, most_cells, MAX_CELLS)
    flags = _in_order(slave.cell_balancing, most_cells, MAX_CELLS)
    return Unit(
        address=address,
        cell_count=cells,
        sensor_count=sensor_count,
        bms_temperature=slave.bms_temperature,
        temperatures=temperatures,
        cell_voltages=voltages,
        cell_resistances=_in_order(slave.cell_resistances, most_cells, MAX_CELLS),
        cell_balancing=[None if flag is None else bool(flag) for flag in flags],
        has_all_voltages=_is_whole(voltages, cells),
        has_all_temperatures=_is_whole(temperatures, sensor_count),
        has_all_flags=_is_whole(flags, cells) and len(flags) >= len(voltages),
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
