"""REC's frames of a simulated pack, in the variants that firmware versions send.

Values get the noise and the resolution of REC's converters here. Numbers are printed as the real
module prints them: single-precision floats with 7 significant digits (settings: 6), whole numbers
without a point. Pure: the same pack at the same time gives the same bytes.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

import msgspec

from recbms_zmq.simulator.pack import SimulatedPack, SimulatedUnit
from recbms_zmq.simulator.random_numbers import spread
from recbms_zmq.wire.alarms import ALARMS
from recbms_zmq.wire.frames import (
    BaudRates,
    BmsArray,
    CellLocation,
    ErrorState,
    Master,
    Settings,
    SettingsError,
    Slave,
    Status,
)

Firmware = Literal["current", "arrays", "old", "new"]
"""`current`: keys and shapes of the real frames. `arrays`: lists instead of objects with the keys
"0", "1", …. `old`: without `bal` and `address`. `new`: with `mcu_time`, `re1l` and `time`."""
FIRMWARE: Final[tuple[Firmware, ...]] = get_args(Firmware)

_FIRST_DAY: Final = datetime(2025, 9, 28)  # noqa: DTZ001 - the BMS's clock knows no time zone
_CALENDAR: Final = 10_000 * 86_400  # s after which the simulated calendar starts over
# Significant digits, as in the real frames.
_STATUS_DIGITS: Final = 7
_SETTINGS_DIGITS: Final = 6
_VOLTAGE_STEP: Final = 0.00033344  # V; the voltages of the real frame are multiples of it apart
_VOLTAGE_NOISE: Final = 0.0007  # V
_CURRENT_NOISE: Final = 0.04  # A, two steps of the shunt
_TEMPERATURE_STEP: Final = 1 / 16  # °C, of the DS18B20 sensors that REC uses
_BOARD_STEP: Final = 0.03  # °C
_IDLE: Final = 0.1  # A
_MILLISECOND: Final = 0.001  # s; the noise changes once in each
_VOLTAGE, _CURRENT, _BOARD = range(200, 203)  # streams of random numbers


class Measured(msgspec.Struct, frozen=True):
    """The BMS's measurements at one time: clock, A, V and °C, by unit, then cell or sensor."""

    time: float
    current: float
    voltages: list[list[float]]
    temperatures: list[list[float]]
    boards: list[float]

    @classmethod
    def of(cls, pack: SimulatedPack, seed: int, time: float, elapsed: float) -> "Measured":
        """Measure the pack: its exact values, with noise, in the converters' steps.

        Args:
            pack: advanced to this time.
            seed: of the noise.
            time: simulated seconds.
            elapsed: real seconds: noise has the pace of real time at any simulated speed.

        """
        moment = int(elapsed / _MILLISECOND)
        current = pack.current + _CURRENT_NOISE * spread(seed, _CURRENT, moment)
        return cls(
            time=max(time, pack.time),
            current=_stepped(current, pack.limits.current_step),
            voltages=[
                [
                    _stepped(
                        cell.voltage(pack.current)
                        + _VOLTAGE_NOISE * spread(seed, _VOLTAGE, moment, unit.address, number),
                        _VOLTAGE_STEP,
                    )
                    for number, cell in enumerate(unit.cells)
                ]
                for unit in pack.units
            ],
            temperatures=[
                [_stepped(value, _TEMPERATURE_STEP) for value in unit.temperatures]
                for unit in pack.units
            ],
            boards=[
                unit.bms_temperature + _BOARD_STEP * spread(seed, _BOARD, moment, unit.address)
                for unit in pack.units
            ],
        )


def status(pack: SimulatedPack, measured: Measured, firmware: Firmware) -> Status:
    """Build the status frame."""
    voltages = [_float(v) for unit in measured.voltages for v in unit]
    alarm = pack.protection.shown
    last = pack.protection.last
    slaves: list[Slave | None] = [
        _slave(unit, measured, position, firmware) for position, unit in enumerate(pack.units)
    ]
    return Status(
        BmsArray(
            Master(
                time_remaining=time_remaining(pack.average_current, pack.soc, pack.limits.capacity),
                unit_count=len(pack.units),
                clock_time=_clock(measured.time, "%H:%M:%S") if firmware == "new" else "",
                clock_date=_clock(measured.time, "%d.%m.%Y"),
                cell_voltage_min=min(voltages),
                cell_voltage_max=max(voltages),
                current=_float(measured.current),
                temperature_max=_float(max(map(max, measured.temperatures))),
                voltage=_float(sum(voltages)),
                state_of_charge=_float(pack.soc),
                state_of_health=0.9963,
                error_state=ErrorState(
                    present=1 if alarm else 0,
                    # REC keeps the unit of a cleared alarm.
                    unit_address=last.unit_address if last else 0,
                    number=alarm.number if alarm else 0,
                    location=alarm.location if alarm else 0,
                ),
                error_message=error_message(alarm.number) if alarm else "",
            ),
            slaves if firmware == "arrays" else dict(enumerate(slaves)),
        )
    )


def settings(pack: SimulatedPack, measured: Measured, firmware: Firmware) -> Settings:
    """Build the settings frame."""
    voltages = [v for unit in measured.voltages for v in unit]
    low, high = min(voltages), max(voltages)
    alarm = pack.protection.shown
    limits: dict[str, Any] = {k: _short(v) for k, v in pack.limits._asdict().items()}
    series = "1A" if pack.is_abms else "1Q" if len(pack.units) == 1 else "9M"
    return Settings(
        **limits,
        current_offset=0,
        optocoupler_2_level=3.55,
        optocoupler_2_hysteresis=0.15,
        relay_1_level=3.2 if firmware == "new" else None,
        relay_1_hysteresis=0.15,
        soc_manual_reset=_short(pack.soc),
        cycles=pack.cycles,
        can_speed_code=2,
        chemistry_code=3,
        relay_1_task=1979711486,
        optocoupler_2_task=380239933,
        relay_1_value=_short(low),
        optocoupler_2_value=_short(high),
        float_voltage_coefficient=0.1,
        rs485_speed_code=2,
        error=SettingsError(1 if alarm else 0, alarm.number if alarm else 0),
        cell_lowest=_location(pack, measured.voltages, low),
        cell_highest=_location(pack, measured.voltages, high),
        temperature_highest=_location(
            pack, measured.temperatures, max(map(max, measured.temperatures))
        ),
        baud_rates=BaudRates(56000, 115200),
        clock_time=_clock(measured.time, "%H:%M:%S") if firmware == "new" else None,
        clock_date=_clock(measured.time, "%d.%m.%Y"),
        serial=f"{series}-0000",  # made up
        module_address=64,
        temperature_unit_code=0,
        charge_taken_out=round(pack.charge_since_full),
        current_at_reading=_short(measured.current),
        log_file_every_midnight=True,
        remote_switch=False,
    )


def time_remaining(current: float, soc: float, capacity: float) -> str:
    """Return REC's display text. Hours are padded on the right, minutes with 0.

    REC's text without a current is not known; here it is empty.

    Args:
        current: A, positive while charging.
        soc: 0 to 1.
        capacity: Ah.

    """
    if abs(current) <= _IDLE:
        return ""
    word, charge = ("Full", 1 - soc) if current > 0 else ("Empty", soc)
    minutes = int(charge * capacity / abs(current) * 60)
    return f"{word} in:<br> {minutes // 60:<2d}h {minutes % 60:02d} min"


def error_message(number: int) -> str:
    """Return a text for an error. The module's real texts are not known."""
    text = ALARMS[number].text if number in ALARMS else "Something new"
    return f"{text}<br> (simulated)"


def _slave(unit: SimulatedUnit, measured: Measured, position: int, firmware: Firmware) -> Slave:
    def container(values: Sequence[Any]) -> Any:
        return list(values) if firmware == "arrays" else dict(enumerate(values))

    is_old = firmware == "old"
    return Slave(
        address=None if is_old else unit.address,
        temperature_count=unit.sensor_count,
        bms_temperature=_float(measured.boards[position]),
        cell_count=len(unit.cells),
        temperatures=container([_float(v) for v in measured.temperatures[position]]),
        cell_resistances=container([_float(cell.measured_resistance) for cell in unit.cells]),
        cell_voltages=container([_float(v) for v in measured.voltages[position]]),
        cell_balancing=None if is_old else container([cell.balancing for cell in unit.cells]),
    )


def _location(pack: SimulatedPack, values: list[list[float]], value: float) -> CellLocation:
    position = next(n for n, of_unit in enumerate(values) if value in of_unit)
    return CellLocation(pack.units[position].address, values[position].index(value) + 1)


def _clock(time: float, form: str) -> str:
    return (_FIRST_DAY + timedelta(seconds=time % _CALENDAR)).strftime(form)


def _stepped(value: float, step: float) -> float:
    return round(value / step) * step


def _float(value: float, digits: int = _STATUS_DIGITS) -> float:
    """Return the value as C's `%.7g` prints it: whole numbers become integers.

    A reader that expects a fraction in every number fails here as it does with the real module.
    """
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() else short


def _short(value: float) -> float:
    return _float(value, _SETTINGS_DIGITS)
