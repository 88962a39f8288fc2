"""A status frame as a `Pack`: the units, the extremes, the error, the texts.

`Pack.of` does once per frame what several sensors need. `formulas` computes the sensors from it.

Sign: current is positive while the pack is charged.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

from msgspec import Struct

from recbms_zmq.errors import NoBatteryData
from recbms_zmq.sensors.alarm_tracker import Alarm, LastAlarm, alarm_of
from recbms_zmq.sensors.display_text import TimeRemaining, parse_time_remaining
from recbms_zmq.sensors.energy import NOT_KNOWN, Counters
from recbms_zmq.sensors.rounding import shown
from recbms_zmq.sensors.sensor import UNKNOWN, Unknown
from recbms_zmq.sensors.unit_census import NOT_COUNTED, UnitCount
from recbms_zmq.sensors.units import Unit, Units, numbered
from recbms_zmq.wire.frames import BmsArray, ErrorState, Master, Status

_NO_DATA: Final = {"clock_time", "clock_date", "address", "temperature_count"}
"""Fields that a module can fill in without a BMS behind it."""
ChargeState = Literal["charging", "discharging", "idle"]

VOLTAGE_DECIMALS: Final = 2
CURRENT_DECIMALS: Final = 2
POWER_DECIMALS: Final = 1
CELL_DECIMALS: Final = 3
TEMPERATURE_DECIMALS: Final = 1
PERCENT_DECIMALS: Final = 1
CAPACITY_DECIMALS: Final = 1
"""Decimals of the readings from which other ones are computed. Those are computed from the rounded
values, so that the numbers on a display agree: 3.412 V less 3.405 V are 0.007 V."""


class Known(NamedTuple):
    """What is known of a pack beside its status frame; None for what is not.

    Attributes:
        capacity: Ah, as it is published.
        nominal_cell_voltage: V; UNKNOWN for a chemistry that is not in REC's manuals.
        cycles: full cycles.
        last_alarm: the alarm that was raised last.
        units: how many there are.

    """

    capacity: float | None = None
    nominal_cell_voltage: float | Unknown | None = None
    cycles: int | None = None
    last_alarm: LastAlarm | None = None
    units: UnitCount = NOT_COUNTED


NOTHING_KNOWN: Final = Known()


# `gc=False`, as in `wire.frames`: one of each frame, without a cycle.
class Pack(Struct, frozen=True, gc=False):
    """A status frame in order.

    Attributes:
        master: the numbers of the whole pack as they came.
        voltage, current, power: V, A and W, as they are published.
        soc, soh: state of charge and health, %, as they are published.
        units: in the order of their addresses.
        shared_addresses: addresses that several units have, with how many.
        left_out: units that came without an address where others have one.
        is_unit_missing: whether the frame lacks a unit of the pack.
        has_all_voltages: whether the frame has the voltage of every cell of all units.
        arrival: when the frame came, ISO 8601.
        known: what is known beside the frame.
        cell_count: of all units; None if one of them has no count, or is not there.
        charge_state: None without a current.
        time_remaining: None if the frame has none.
        alarm: the active error; None without one, UNKNOWN when the frame has no error state.
        cell_voltages: V, of all cells that have one, unit by unit.
        cell_voltage_min, cell_voltage_max: V, rounded so that they agree with the cells.
        temperature_max: °C, rounded so that it agrees with the sensors.
        temperature_min: °C, of the sensors that are plugged in; None if a sensor has no value.
        is_balancing: whether any cell is being balanced; None if that is not known of all cells.
        cell_lowest, cell_highest: `unit/cell`, the first of several that are equal.
        energy: the counters up to this frame.

    """

    master: Master
    voltage: float | None
    current: float | None
    power: float | None
    soc: float | None
    soh: float | None
    units: tuple[Unit, ...]
    shared_addresses: tuple[tuple[int, int], ...]
    left_out: int
    is_unit_missing: bool
    has_all_voltages: bool
    arrival: str
    known: Known
    cell_count: int | None
    charge_state: ChargeState | None
    time_remaining: TimeRemaining | None
    alarm: Alarm | Unknown | None
    cell_voltages: Sequence[float]
    cell_voltage_min: float | None
    cell_voltage_max: float | None
    temperature_max: float | None
    temperature_min: float | None
    is_balancing: bool | None
    cell_lowest: str | Unknown
    cell_highest: str | Unknown
    energy: Counters

    @classmethod
    def of(
        cls,
        master: Master,
        units: Units,
        arrival: str = "",
        *,
        soc: float | None = None,
        soh: float | None = None,
        idle_current: float = 0.1,
        known: Known = NOTHING_KNOWN,
        energy: Counters = NOT_KNOWN,
    ) -> "Pack":
        """Put a status frame in order.

        Args:
            master: of the frame.
            units: of the frame.
            arrival: when it came, ISO 8601.
            soc: state of charge of the frame, %.
            soh: state of health of the frame, %.
            idle_current: A, up to which the pack is idle.
            known: what is known beside the frame.
            energy: the counters up to this frame.

        """
        ordered = units.units
        # What is made of all cells or sensors is unknown without one of them.
        is_unit_missing = known.units.is_one_missing(
            ordered, len(ordered) + units.left_out, master.voltage
        )
        has_all_units = not is_unit_missing and not units.left_out
        has_all_voltages = has_all_flags = has_all_units
        all_voltages: list[float | None] = []
        flags: list[bool | None] = []
        for unit in ordered:
            all_voltages += unit.cell_voltages
            flags += unit.cell_balancing
            has_all_voltages = has_all_voltages and unit.has_all_voltages
            has_all_flags = has_all_flags and unit.has_all_flags
        has_all_temperatures = has_all_units and units.has_all_temperatures
        voltages = [v for v in all_voltages if v is not None]
        low, high = (min(voltages), max(voltages)) if voltages else (None, None)
        lowest: str | Unknown = UNKNOWN
        highest: str | Unknown = UNKNOWN
        if low is not None and high is not None and has_all_voltages:
            lowest = _cell(voltages.index(low), ordered)
            highest = _cell(voltages.index(high), ordered)
        current = shown(master.current, CURRENT_DECIMALS)
        voltage = shown(master.voltage, VOLTAGE_DECIMALS)
        power = None
        if voltage is not None and current is not None:
            power = shown(voltage * current, POWER_DECIMALS)
        text = master.time_remaining
        return cls(
            master=master,
            voltage=voltage,
            current=current,
            power=power,
            soc=shown(soc, PERCENT_DECIMALS),
            soh=shown(soh, PERCENT_DECIMALS),
            units=ordered,
            shared_addresses=units.shared_addresses,
            left_out=units.left_out,
            is_unit_missing=is_unit_missing,
            has_all_voltages=has_all_voltages,
            arrival=arrival,
            known=known,
            cell_count=None if is_unit_missing else units.cell_count,
            charge_state=_charge_state(current, idle_current),
            time_remaining=None if text is None else parse_time_remaining(text),
            alarm=alarm_of(master),
            cell_voltages=voltages,
            cell_voltage_min=_agreeing(master.cell_voltage_min, low, CELL_DECIMALS),
            cell_voltage_max=_agreeing(master.cell_voltage_max, high, CELL_DECIMALS),
            temperature_max=_agreeing(master.temperature_max, units.hottest, TEMPERATURE_DECIMALS),
            temperature_min=units.coldest if has_all_temperatures else None,
            is_balancing=_is_balancing(flags, is_known=has_all_flags),
            cell_lowest=lowest,
            cell_highest=highest,
            energy=energy,
        )


def require_data(frame: Status) -> BmsArray:
    """Return the array of a frame that has data of a battery.

    Raises:
        NoBatteryData: there is none. The module sends such frames when it answers, but has no
            link to the BMS.

    """
    array = frame.bms_array
    if array is not None:
        if array.master is not None and (array.master.voltage is not None or _data(array.master)):
            return array
        if any(_data(slave) for _, slave in numbered(array.slaves or {})):
            return array
    raise NoBatteryData


def _data(struct: Struct) -> bool:
    """Return whether any field has data."""
    fields = (name for name in struct.__struct_fields__ if name not in _NO_DATA)
    return any(_is_data(getattr(struct, name)) for name in fields)


def _is_data(value: Any) -> bool:
    if isinstance(value, ErrorState):
        return value.present is not None
    if isinstance(value, (dict, list)):
        return any(
            item is not None for item in (value.values() if isinstance(value, dict) else value)
        )
    return value is not None and value != ""


def _agreeing(given: float | None, extreme: float | None, decimals: int) -> float | None:
    """Return the master's lowest or highest value, rounded so that it agrees with the units' one.

    The module may send one measurement with one digit more or less, and then it is rounded in two
    ways. So a difference of one in the last decimal is none; a larger one stays as it came.
    """
    ours = shown(given, decimals)
    if ours is None or extreme == given:
        return ours
    theirs = shown(extreme, decimals)
    # 1.5, not 1: neither number is exact in binary.
    return ours if theirs is None or abs(theirs - ours) >= 1.5 * 10.0**-decimals else theirs


def _is_balancing(flags: Sequence[bool | None], *, is_known: bool) -> bool | None:
    """Return whether any cell is being balanced; None if that is not known of all cells."""
    if True in flags:
        return True
    return False if is_known and flags else None


def _cell(index: int, units: Sequence[Unit]) -> str:
    """Name a cell by its index among all cells, from 0."""
    for unit in units:
        if index < len(unit.cell_voltages):
            break
        index -= len(unit.cell_voltages)
    return f"{unit.address}/{index + 1}"


def _charge_state(current: float | None, idle_current: float) -> ChargeState | None:
    """Return the direction of the current; up to the idle current, and at 0 A, a pack is idle.

    The current is the published one: 0.10 A is not above an idle current of 0.1 A.
    """
    if current is None:
        return None
    if abs(current) <= idle_current:
        return "idle"
    return "charging" if current > 0 else "discharging"
