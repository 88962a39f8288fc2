"""The formulas of the sensor table: what is computed from a pack that was put in order.

All give None where a field they need is missing, which means no reading; and UNKNOWN where the
answer is "unknown".

Sign: current and power are positive while the pack is charged.
"""

from collections.abc import Sequence

from recbms_zmq.sensors.pack import Alarm, ChargeState, Direction, Pack, plain_text
from recbms_zmq.sensors.sensor import UNKNOWN, Unknown
from recbms_zmq.wire.alarms import NO_ALARM


def power(pack: Pack) -> float | None:
    """W, positive while charging."""
    voltage, current = pack.master.voltage, pack.master.current
    return None if voltage is None or current is None else voltage * current


def percent(ratio: float | None) -> float | None:
    """Make REC's ratio of 0 to 1 a percentage."""
    return None if ratio is None else ratio * 100


def cell_voltage_delta(pack: Pack) -> float | None:
    """V, highest less lowest cell of the whole pack."""
    low, high = pack.master.cell_voltage_min, pack.master.cell_voltage_max
    return None if low is None or high is None else high - low


def capacity_remaining(pack: Pack) -> float | None:
    """Ah."""
    soc = pack.master.state_of_charge
    return None if soc is None or pack.capacity is None else soc * pack.capacity


def is_in_state(pack: Pack, state: ChargeState) -> bool | None:
    """Tell whether the pack is in this charge state."""
    return None if pack.charge_state is None else pack.charge_state == state


def minutes_remaining(pack: Pack, direction: Direction | None = None) -> int | Unknown | None:
    """Minutes until full or empty; with a direction only if that is where it goes."""
    time = pack.time_remaining
    if time is None:
        return None
    if time.minutes is None or (direction is not None and direction != time.direction):
        return UNKNOWN
    return time.minutes


def hours_remaining(pack: Pack, direction: Direction | None = None) -> float | Unknown | None:
    """Hours until full or empty; with a direction only if that is where it goes."""
    minutes = minutes_remaining(pack, direction)
    return minutes / 60 if isinstance(minutes, int) else minutes


def error_present(pack: Pack) -> bool | None:
    """Tell whether an error is active."""
    return None if pack.alarm is UNKNOWN else pack.alarm is not None


def error_number(pack: Pack) -> int | None:
    """REC's error number, 0 while there is no error."""
    alarm = pack.alarm
    return 0 if alarm is None else alarm.number if isinstance(alarm, Alarm) else None


def error_text(pack: Pack) -> str | None:
    """REC's error in words."""
    alarm = pack.alarm
    return NO_ALARM if alarm is None else alarm.text if isinstance(alarm, Alarm) else None


def error_unit(pack: Pack) -> int | Unknown | None:
    """Address of the unit with the error; UNKNOWN without an error."""
    alarm = pack.alarm
    return UNKNOWN if alarm is None else alarm.unit if isinstance(alarm, Alarm) else None


def error_cell(pack: Pack) -> int | Unknown | None:
    """Return the cell or sensor with the error, counted from 1; UNKNOWN without an error."""
    alarm = pack.alarm
    return UNKNOWN if alarm is None else alarm.cell if isinstance(alarm, Alarm) else None


def error_message(pack: Pack) -> str | None:
    """Return the module's own text for the active error, empty when there is none."""
    text = pack.master.error_message
    return None if text is None else plain_text(text) if text else ""


def milliohm(values: Sequence[float | None]) -> list[float | None]:
    """Make REC's ohms milliohms."""
    return [None if value is None else value * 1000 for value in values]
