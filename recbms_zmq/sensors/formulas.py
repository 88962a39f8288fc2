"""The formulas of the sensor table: what is computed from a `Pack`.

A formula returns None where a field that it needs is missing, which means no reading, and UNKNOWN
where the answer is "unknown". What is computed from other readings is computed from their rounded
values, so that all numbers on a display agree.

Sign: current and power are positive while the pack is charged.
"""

from collections.abc import Sequence

from recbms_zmq.sensors.display_text import Direction, plain_text
from recbms_zmq.sensors.pack import (
    PERCENT_DECIMALS,
    Alarm,
    ChargeState,
    Pack,
    shown,
)
from recbms_zmq.sensors.sensor import UNKNOWN, Unknown
from recbms_zmq.wire.alarms import NO_ALARM


def power(pack: Pack) -> float | None:
    """Return the power, W."""
    voltage, current = pack.voltage, pack.current
    return None if voltage is None or current is None else voltage * current


def cell_voltage_delta(pack: Pack) -> float | None:
    """Return the highest less the lowest cell voltage, V."""
    low, high = pack.cell_voltage_min, pack.cell_voltage_max
    return None if low is None or high is None else high - low


def capacity_remaining(pack: Pack) -> float | None:
    """Return the remaining capacity, Ah."""
    soc = shown(pack.soc, PERCENT_DECIMALS)
    return None if soc is None or pack.capacity is None else soc / 100 * pack.capacity


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
