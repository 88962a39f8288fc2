"""The rows of the sensor table that come from the BMS's settings frame.

All are diagnostic, and disabled in Home Assistant until a user enables them: they are for the
installer. They read a `frames.Settings`. REC's ratios become percentages, and codes become words
where the words are known. `Settings.serial` has no row: it is the password of the module.
"""

from functools import lru_cache, partial
from operator import attrgetter
from typing import Any, Final, Literal

import msgspec

from recbms_zmq.sensors.display_text import plain_text
from recbms_zmq.sensors.scale import settings_percent
from recbms_zmq.sensors.sensor import Sensor, Value
from recbms_zmq.wire.chemistry import chemistry
from recbms_zmq.wire.frames import CellLocation, Settings
from recbms_zmq.wire.task_word import Task

Output = Literal["relay_1", "optocoupler_2"]


def task(settings: Settings, output: Output) -> Task | None:
    """Return what an output of the BMS is set to do."""
    word = settings.relay_1_task if output == "relay_1" else settings.optocoupler_2_task
    return None if word is None else Task.of(word)


def _task_word(settings: Settings, output: Output, part: str) -> Value | None:
    decoded = task(settings, output)
    return None if decoded is None else attrgetter(part)(decoded)


def _location(place: CellLocation | None) -> str | None:
    if place is None or place.unit_address is None or place.number is None:
        return None
    return f"{place.unit_address}/{place.number}"


def _clock(settings: Settings) -> str | None:
    parts = [part for part in (settings.clock_date, settings.clock_time) if part]
    return plain_text(" ".join(parts)) if parts else None


def _flag(value: bool | int | None) -> bool | None:
    return None if value is None else bool(value)


def _setting(key: str, name: str, value: Any = None, **rest: Any) -> Sensor:
    """Make a row; `value` may be left out where the frame's field has the key's name."""
    return Sensor(
        key=f"settings/{key}",
        name=f"Setting {name}",
        value=value or attrgetter(key),
        group="settings",
        entity_category="diagnostic",
        enabled_by_default=False,
        **rest,
    )


_VOLT: Final[dict[str, Any]] = {"unit": "V", "decimals": 3, "device_class": "voltage"}
_CELSIUS: Final[dict[str, Any]] = {"unit": "°C", "decimals": 1, "device_class": "temperature"}
_AMPERE: Final[dict[str, Any]] = {"unit": "A", "decimals": 2, "device_class": "current"}
_PERCENT: Final[dict[str, Any]] = {"unit": "%", "decimals": 1}
_BINARY: Final[dict[str, Any]] = {"component": "binary_sensor"}


def _outputs(output: Output, name: str) -> tuple[Sensor, ...]:
    """Make the rows of one output. Units of level, hysteresis and value depend on the mode."""
    part = partial(partial, _task_word, output=output)
    return (
        _setting(
            f"{output}_mode",
            f"{name} mode",
            part(part="mode"),
            about="What the output watches.",
        ),
        _setting(
            f"{output}_active",
            f"{name} active",
            part(part="active"),
            about="Whether it is active above or below its level.",
        ),
        _setting(
            f"{output}_disabled_by",
            f"{name} disabled by",
            part(part="disabled_by"),
            about="Numbers of the errors that disable it.",
        ),
        _setting(f"{output}_level", f"{name} level", decimals=3),
        _setting(f"{output}_hysteresis", f"{name} hysteresis", decimals=3),
        _setting(f"{output}_value", f"{name} value", decimals=3, about="What it sees now."),
    )


SETTINGS_SENSORS: Final[tuple[Sensor, ...]] = (
    _setting(
        "cell_voltage_limit_low",
        "cell voltage limit low",
        **_VOLT,
        about="The BMS switches off below.",
    ),
    _setting("cell_voltage_limit_low_hysteresis", "cell voltage limit low hysteresis", **_VOLT),
    _setting(
        "cell_voltage_limit_high",
        "cell voltage limit high",
        **_VOLT,
        about="The BMS switches off above.",
    ),
    _setting("cell_voltage_limit_high_hysteresis", "cell voltage limit high hysteresis", **_VOLT),
    _setting(
        "discharge_protection_voltage",
        "discharge protection voltage",
        **_VOLT,
        about="Of a cell: the soft limit above the low limit.",
    ),
    _setting(
        "cell_voltage_difference_limit",
        "cell voltage difference limit",
        **_VOLT,
        about="Cells may differ this much before the BMS warns.",
    ),
    _setting("charge_end_voltage", "end of charge voltage", **_VOLT, about="Per cell."),
    _setting("charge_end_hysteresis", "end of charge hysteresis", **_VOLT, about="Per cell."),
    _setting("float_voltage_coefficient", "float voltage coefficient", decimals=3),
    _setting("balancing_start_voltage", "balancing start voltage", **_VOLT),
    _setting("balancing_end_voltage", "balancing end voltage", **_VOLT),
    _setting(
        "temperature_limit_low",
        "temperature limit low",
        **_CELSIUS,
        about="No charging below.",
    ),
    _setting(
        "temperature_limit_high",
        "temperature limit high",
        **_CELSIUS,
        about="The BMS switches off above.",
    ),
    _setting(
        "bms_temperature_limit",
        "BMS temperature limit",
        **_CELSIUS,
        about="Of the board: the BMS switches off above.",
    ),
    # A difference in kelvin: Home Assistant's device class would convert it as a temperature.
    _setting("bms_temperature_hysteresis", "BMS temperature hysteresis", unit="K", decimals=1),
    _setting("capacity", "capacity", unit="Ah", decimals=1, about="Of the pack."),
    _setting(
        "charge_taken_out", "charge taken out", unit="Ah", decimals=1, about="Since it was full."
    ),
    _setting(
        "soc_hysteresis",
        "state of charge hysteresis",
        lambda settings: settings_percent(settings, settings.soc_hysteresis),
        **_PERCENT,
        about="At the end of charge.",
    ),
    _setting(
        "soc_manual_reset",
        "state of charge manual reset",
        lambda settings: settings_percent(settings, settings.soc_manual_reset),
        **_PERCENT,
        about="Reads back the present state of charge.",
    ),
    _setting(
        "cycles",
        "cycles",
        state_class="total_increasing",
        about="Full cycles: one counts if the state of charge fell to 35 % or less in it.",
    ),
    _setting("chemistry", "chemistry", chemistry),
    _setting("charge_coefficient", "charge coefficient", unit="1/h", decimals=3, about="C rate."),
    _setting(
        "discharge_coefficient", "discharge coefficient", unit="1/h", decimals=3, about="C rate."
    ),
    _setting(
        "inverter_count", "inverter count", about="Inverters or chargers connected to the BMS."
    ),
    _setting("inverter_charge_current_max", "charge current limit per inverter", **_AMPERE),
    _setting("inverter_discharge_current_max", "discharge current limit per inverter", **_AMPERE),
    _setting("current_offset", "current offset", **_AMPERE, about="Of the shunt at zero."),
    _setting("current_step", "current per ADC step", unit="A", decimals=6, about="Of the shunt."),
    _setting(
        "current_at_reading",
        "current at reading",
        **_AMPERE,
        about="When the settings were read; positive while charging.",
    ),
    *_outputs("relay_1", "relay 1"),
    *_outputs("optocoupler_2", "optocoupler 2"),
    _setting(
        "error_present",
        "error present",
        lambda settings: _flag(settings.error and settings.error.present),
        **_BINARY,
        device_class="problem",
    ),
    _setting(
        "error_number",
        "error number",
        lambda settings: settings.error and settings.error.number,
    ),
    _setting(
        "cell_lowest",
        "lowest cell",
        lambda settings: _location(settings.cell_lowest),
        about="As unit/cell.",
    ),
    _setting(
        "cell_highest",
        "highest cell",
        lambda settings: _location(settings.cell_highest),
        about="As unit/cell.",
    ),
    _setting(
        "temperature_highest",
        "warmest temperature sensor",
        lambda settings: _location(settings.temperature_highest),
        about="As unit/sensor.",
    ),
    _setting("can_speed_code", "CAN speed code", about="REC has not published the table."),
    _setting("rs485_speed_code", "RS-485 speed code", about="REC has not published the table."),
    _setting(
        "lcd_baud_rate",
        "LCD baud rate",
        lambda settings: settings.baud_rates and settings.baud_rates.lcd,
        unit="bit/s",
    ),
    _setting(
        "bms_baud_rate",
        "BMS baud rate",
        lambda settings: settings.baud_rates and settings.baud_rates.bms,
        unit="bit/s",
    ),
    _setting("clock", "clock", _clock, about="Of the BMS, as it sends it."),
    _setting("module_address", "module address", about="Probably that of the Wi-Fi module."),
    _setting(
        "temperature_unit_code",
        "temperature unit code",
        about="Of the module's web page; temperatures here are always °C.",
    ),
    _setting(
        "log_file_every_midnight",
        "log file every midnight",
        lambda settings: _flag(settings.log_file_every_midnight),
        **_BINARY,
        about="Whether the module begins a new log file every day.",
    ),
    _setting(
        "remote_switch",
        "remote switch",
        lambda settings: _flag(settings.remote_switch),
        **_BINARY,
        about="State of the module's remote DC switch.",
    ),
)


def settings_sensors(settings: Settings) -> tuple[Sensor, ...]:
    """Return the rows for this frame: the same, but with the units that its tasks work in."""
    relay, optocoupler = task(settings, "relay_1"), task(settings, "optocoupler_2")
    return _with_units(relay and relay.unit, optocoupler and optocoupler.unit)


@lru_cache(maxsize=64)
def _with_units(relay_1: str | None, optocoupler_2: str | None) -> tuple[Sensor, ...]:
    units = {
        f"settings/{output}_{part}": unit
        for output, unit in (("relay_1", relay_1), ("optocoupler_2", optocoupler_2))
        for part in ("level", "hysteresis", "value")
    }
    return tuple(
        msgspec.structs.replace(row, unit=units[row.key]) if row.key in units else row
        for row in SETTINGS_SENSORS
    )
