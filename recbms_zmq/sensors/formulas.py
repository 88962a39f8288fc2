"""The formulas of the sensor table: what is computed from a `Pack`.

A formula returns None where a field that it needs is missing, which means no reading, and UNKNOWN
where the answer is "unknown". What is computed from other readings is computed from their rounded
values, so that all numbers on a display agree.

Sign: current and power are positive while the pack is charged.
"""

from collections.abc import Sequence
from math import fsum
from typing import Any

from recbms_zmq.sensors.alarm_tracker import Alarm
from recbms_zmq.sensors.display_text import Direction, plain_text
from recbms_zmq.sensors.pack import CAPACITY_DECIMALS, ChargeState, Pack
from recbms_zmq.sensors.rounding import shown
from recbms_zmq.sensors.sensor import UNKNOWN, Unknown
from recbms_zmq.wire.alarms import NO_ALARM


def charge_power(pack: Pack) -> float | None:
    """Return the power that goes into the pack, W, at least 0."""
    return None if pack.power is None else pack.power if pack.power > 0 else 0.0


def discharge_power(pack: Pack) -> float | None:
    """Return the power that comes out of the pack, W, at least 0."""
    return None if pack.power is None else -pack.power if pack.power < 0 else 0.0


def cell_voltage_delta(pack: Pack) -> float | None:
    """Return the highest less the lowest cell voltage, V."""
    low, high = pack.cell_voltage_min, pack.cell_voltage_max
    return None if low is None or high is None else high - low


def cell_voltage_average(voltages: Sequence[float | None]) -> float | None:
    """Return the mean of the cell voltages, V; None if one of them is unknown."""
    if not voltages or None in voltages:
        return None
    known: Any = voltages
    try:
        return fsum(known) / len(known)  # the same in any order of the units
    except OverflowError:  # the sum is beyond a float
        return None


def capacity_remaining(pack: Pack) -> float | None:
    """Return the remaining capacity, Ah."""
    soc, capacity = pack.soc, pack.known.capacity
    return None if soc is None or capacity is None else soc / 100 * capacity


def energy_remaining(pack: Pack) -> float | Unknown | None:
    """Return the remaining energy, kWh; UNKNOWN with a chemistry that is not in REC's manuals.

    All cells of all units are in series, because the pack voltage is the sum of all cells (REC's
    manuals). So the same charge goes through each cell, at its nominal voltage.
    """
    voltage, cells = pack.known.nominal_cell_voltage, pack.cell_count
    if voltage is None or cells is None:
        return None
    charge = shown(capacity_remaining(pack), CAPACITY_DECIMALS)
    if charge is None:
        return None
    return UNKNOWN if isinstance(voltage, Unknown) else charge * cells * voltage / 1000


def last_alarm(pack: Pack) -> str | Unknown:
    """Return the alarm that was raised last, with its location."""
    return UNKNOWN if pack.known.last_alarm is None else pack.known.last_alarm.text


def last_alarm_time(pack: Pack) -> str | Unknown:
    """Return when that alarm was raised, ISO 8601."""
    return UNKNOWN if pack.known.last_alarm is None else pack.known.last_alarm.raised_at


def is_in_state(pack: Pack, state: ChargeState) -> bool | None:
    """Return whether the pack is in this charge state."""
    return None if pack.charge_state is None else pack.charge_state == state


def minutes_remaining(pack: Pack, direction: Direction | None = None) -> int | Unknown | None:
    """Return the minutes until full or empty; with a direction, UNKNOWN in the other one."""
    time = pack.time_remaining
    if time is None:
        return None
    if time.minutes is None or (direction is not None and direction != time.direction):
        return UNKNOWN
    return time.minutes


def hours_remaining(pack: Pack, direction: Direction | None = None) -> float | Unknown | None:
    """Return the hours until full or empty; with a direction, UNKNOWN in the other one."""
    minutes = minutes_remaining(pack, direction)
    return minutes / 60 if isinstance(minutes, int) else minutes


def error_present(pack: Pack) -> bool | None:
    """Return whether an error is active."""
    return None if pack.alarm is UNKNOWN else pack.alarm is not None


def error_number(pack: Pack) -> int | None:
    """Return REC's error number, 0 without an error."""
    alarm = pack.alarm
    return 0 if alarm is None else alarm.number if isinstance(alarm, Alarm) else None


def error_text(pack: Pack) -> str | None:
    """Return the error in words."""
    alarm = pack.alarm
    return NO_ALARM if alarm is None else alarm.text if isinstance(alarm, Alarm) else None


def error_unit(pack: Pack) -> int | Unknown | None:
    """Return the address of the unit with the error; UNKNOWN without an error."""
    alarm = pack.alarm
    return UNKNOWN if alarm is None else alarm.unit if isinstance(alarm, Alarm) else None


def error_cell(pack: Pack) -> int | Unknown | None:
    """Return the cell or sensor with the error, from 1; UNKNOWN without an error."""
    alarm = pack.alarm
    return UNKNOWN if alarm is None else alarm.cell if isinstance(alarm, Alarm) else None


def error_message(pack: Pack) -> str | None:
    """Return the module's own text for the active error, empty without an error."""
    text = pack.master.error_message
    return None if text is None else plain_text(text) if text else ""


def milliohm(values: Sequence[float | None]) -> list[float | None]:
    """Convert Ω to mΩ."""
    return [None if value is None else value * 1000 for value in values]
