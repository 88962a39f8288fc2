"""The review of a BMS's settings for `recbms-zmq check`. Pure.

Sources: REC's manuals for what a setting does; data sheets for the usual limits of a cell (LiFePO4
2.5 to 3.65 V, for Winston cells with a margin above; lithium-polymer and LiMn2O4 2.7 to 4.2 V; no
charging below 0 °C except for Winston cells; the one real settings frame has -10 °C). The data
sheet of the cells in question takes precedence.
"""

from math import isfinite
from typing import Final, Literal, NamedTuple, get_args

import msgspec

from recbms_zmq.sensors.settings_table import SETTINGS_SENSORS
from recbms_zmq.wire.chemistry import CHEMISTRIES
from recbms_zmq.wire.frames import Settings

Level = Literal["danger", "odd", "note"]


class Advice(NamedTuple):
    """One remark about the settings.

    `danger`: could harm the battery or stop it. `odd`: probably a mistake. `note`: right for some
    cells, wrong for others.
    """

    level: Level
    text: str


class _Order(NamedTuple):
    """A setting that must be below another one."""

    lower: str
    upper: str
    level: Level
    because: str

    def violation(self, settings: Settings) -> str | None:
        low, high = _value(settings, self.lower), _value(settings, self.upper)
        if low is None or high is None or low < high:
            return None
        pair = f"{_named(self.lower, low)} is not below {_named(self.upper, high)}"
        return f"{pair}: {self.because}"


class _Range(NamedTuple):
    """A setting that is usually between two values, both included."""

    setting: str
    least: float
    most: float
    level: Level
    because: str

    def violation(self, settings: Settings) -> str | None:
        value = _value(settings, self.setting)
        if value is None or self.least <= value <= self.most:
            return None
        usual = f"{self.least:g} to {self.most:g} {_ROWS[self.setting].unit}"
        return f"{_named(self.setting, value)} is outside the usual {usual}: {self.because}"


_LEVELS: Final = get_args(Level)
_ORDERS: Final = (
    _Order(
        "cell_voltage_limit_low",
        "cell_voltage_limit_high",
        "danger",
        "there is no voltage at which the BMS would stay on",
    ),
    _Order(
        "cell_voltage_limit_low",
        "discharge_protection_voltage",
        "odd",
        "nothing warns before the BMS switches off",
    ),
    _Order(
        "discharge_protection_voltage",
        "charge_end_voltage",
        "danger",
        "charging would end where discharging is no longer allowed",
    ),
    _Order(
        "charge_end_voltage",
        "cell_voltage_limit_high",
        "danger",
        "charging would only end when the BMS switches off",
    ),
    _Order(
        "balancing_start_voltage",
        "balancing_end_voltage",
        "odd",
        "the cells would not be balanced",
    ),
    _Order(
        "balancing_end_voltage",
        "cell_voltage_limit_high",
        "odd",
        "the BMS would switch off before balancing has ended",
    ),
    _Order(
        "temperature_limit_low",
        "temperature_limit_high",
        "danger",
        "there is no temperature at which the pack could be charged",
    ),
)
_RANGES: Final = (
    _Range("temperature_limit_high", 20, 65, "danger", "cells are harmed above about 60 °C"),
    _Range("temperature_limit_low", -10, 30, "odd", "see the cells' data sheet"),
    _Range(
        "temperature_limit_low",
        0,
        60,
        "note",
        "Winston cells can be charged below 0 °C, most others cannot; see the cells' data sheet",
    ),
    _Range("bms_temperature_limit", 40, 90, "odd", "the board would get too hot, or never work"),
    _Range("cell_voltage_difference_limit", 0.02, 0.5, "odd", "it would warn always, or never"),
    _Range("capacity", 1, 20_000, "danger", "the state of charge is computed with it"),
    _Range("charge_coefficient", 0.01, 3, "odd", "it limits the charging current"),
    _Range("discharge_coefficient", 0.01, 5, "odd", "it limits the discharging current"),
)
_LIFEPO4: Final = (
    _Range("cell_voltage_limit_low", 2.5, 3.2, "danger", "LiFePO4 is harmed below about 2.5 V"),
    _Range("cell_voltage_limit_high", 3.4, 3.8, "danger", "LiFePO4 is full at about 3.65 V"),
    _Range("charge_end_voltage", 3.35, 3.65, "odd", "LiFePO4 is full at about 3.65 V"),
)
_OTHER_LITHIUM: Final = (
    _Range("cell_voltage_limit_low", 2.7, 3.7, "danger", "such cells are harmed below about 2.7 V"),
    _Range("cell_voltage_limit_high", 3.9, 4.25, "danger", "such cells are full at about 4.2 V"),
    _Range("charge_end_voltage", 3.9, 4.2, "odd", "such cells are full at about 4.2 V"),
)
_OF_CHEMISTRY: Final = {
    1: _OTHER_LITHIUM,
    2: _OTHER_LITHIUM,
    3: _LIFEPO4,
    4: _LIFEPO4,
    5: _OTHER_LITHIUM,
}

_ROWS: Final = {row.key.removeprefix("settings/"): row for row in SETTINGS_SENSORS}
_REC_NAMES: Final = {f.name: f.encode_name for f in msgspec.structs.fields(Settings)}


def review(settings: Settings) -> list[Advice]:
    """Return what looks dangerous or inconsistent in the settings, the worst first."""
    code = settings.chemistry_code
    rules = (*_ORDERS, *_RANGES, *_OF_CHEMISTRY.get(code or 0, ()))
    found = [Advice(rule.level, text) for rule in rules if (text := rule.violation(settings))]
    if code is not None and code not in CHEMISTRIES:
        found.append(Advice("odd", f"chemistry (chem) is {code}, which is not in REC's manuals"))
    return sorted(found, key=lambda advice: _LEVELS.index(advice.level))


def _value(settings: Settings, name: str) -> float | None:
    value: float | None = getattr(settings, name)
    return value if value is not None and isfinite(value) else None


def _named(name: str, value: float) -> str:
    """Return our name of a setting, REC's name and the value."""
    row = _ROWS[name]
    return f"{row.name.removeprefix('Setting ')} ({_REC_NAMES[name]}, {value:g} {row.unit})"
