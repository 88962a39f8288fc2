"""What an experienced eye would say: of a BMS's settings, and of a connection that fails.

Pure judgement, for `recbms-zmq check`: nothing here reads a clock or a socket, and nothing of it
is a measurement. Sources: REC's manuals for what a setting does; for the usual limits of a cell
its chemistry's data sheets (LiFePO4 2.5 to 3.65 V, with a margin above for Winston; lithium-polymer
and LiMn2O4 2.7 to 4.2 V; no charging below 0 °C, but for Winston cells; the one real settings frame
has -10 °C). A cell's own data sheet knows better.
"""

import re
from collections.abc import Iterator
from math import isfinite
from typing import Final, Literal, NamedTuple

import msgspec

from recbms_zmq.sensors.settings_table import SETTINGS_SENSORS
from recbms_zmq.wire.chemistry import CHEMISTRIES
from recbms_zmq.wire.frames import Settings


class Advice(NamedTuple):
    """One remark.

    `danger` could harm the battery or stop it, `odd` is worth a second look, and `note` is right
    for some cells and wrong for others.
    """

    level: Literal["danger", "odd", "note"]
    text: str


class _Order(NamedTuple):
    """A setting that has to be below another one."""

    lower: str
    upper: str
    level: Literal["danger", "odd"]
    because: str


class _Range(NamedTuple):
    """A setting that is usually between two values."""

    setting: str
    least: float
    most: float
    level: Literal["danger", "odd"]
    because: str


_LEVELS: Final = ("danger", "odd", "note")
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
    _Range(
        "temperature_limit_low",
        -10,
        30,
        "odd",
        "hardly any lithium cell may be charged below -10 °C; see your cells' data sheet",
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


def judge(settings: Settings) -> list[Advice]:
    """Say which settings look dangerous or inconsistent, the worst first."""
    found = [*_misordered(settings), *_out_of_range(settings), *_cold(settings)]
    code = settings.chemistry_code
    if code is not None and code not in CHEMISTRIES:
        found.append(Advice("odd", f"chemistry (chem) is {code}, which REC's manuals do not know"))
    return sorted(found, key=lambda advice: _LEVELS.index(advice.level))


def _misordered(settings: Settings) -> Iterator[Advice]:
    for rule in _ORDERS:
        low, high = _value(settings, rule.lower), _value(settings, rule.upper)
        if low is not None and high is not None and low >= high:
            pair = f"{_named(rule.lower, low)} is not below {_named(rule.upper, high)}"
            yield Advice(rule.level, f"{pair}: {rule.because}")


def _out_of_range(settings: Settings) -> Iterator[Advice]:
    for rule in (*_RANGES, *_OF_CHEMISTRY.get(settings.chemistry_code or 0, ())):
        value = _value(settings, rule.setting)
        if value is not None and not rule.least <= value <= rule.most:
            usual = f"{rule.least:g} to {rule.most:g} {_ROWS[rule.setting].unit}"
            text = f"{_named(rule.setting, value)} is outside the usual {usual}: {rule.because}"
            yield Advice(rule.level, text)


def _cold(settings: Settings) -> Iterator[Advice]:
    limit = _value(settings, "temperature_limit_low")
    if limit is not None and -10 <= limit < 0:
        yield Advice(
            "note",
            f"{_named('temperature_limit_low', limit)} allows charging below 0 °C: Winston cells "
            "bear that, most others do not; see your cells' data sheet",
        )


def _value(settings: Settings, name: str) -> float | None:
    value: float | None = getattr(settings, name)
    return value if value is not None and isfinite(value) else None


def _named(name: str, value: float) -> str:
    """Name a setting as we do and as REC's page does, with its value."""
    row = _ROWS[name]
    return f"{row.name.removeprefix('Setting ')} ({_REC_NAMES[name]}, {value:g} {row.unit})"


_STEPS: Final = (
    (
        r"connection refused",
        "Something is at this address, but serves no web page there: is it the module's address?",
    ),
    (
        r"no answer within|timed out|no route to host|unreachable|host is down",
        "Is the module on, and this machine in its network? Try to open its web page in a browser.",
    ),
    (
        (
            r"name or service not known|nodename|no address|temporary failure in name resolution"
            r"|name resolution"
        ),
        "The name cannot be resolved: check its spelling, or give the IP address instead.",
    ),
    (
        r"HTTP status (200|404|400|426)|does not speak websocket|no valid answer",
        (
            "Module firmware before SW164_2 (January 2025) has no websocket: try http://HOST/cell. "
            "If that fails as well, this is not the module, or the path is wrong."
        ),
    ),
    (r"HTTP status (401|403)", "It asks for a password: give it as ws://USER:PASSWORD@HOST/ws."),
    (r"HTTP status 30", "It points elsewhere: give the address that it points to."),
    (r"TLS failed", "REC's module has no TLS of its own: is it ws:// rather than wss://?"),
    (r"too many|--max-frame", "What answers here sends far more than a BMS does."),
    (r"connection lost|closed", "The module dropped the connection: how many others read it?"),
)


def next_step(trouble: str) -> str | None:
    """Say what to do about a reason for which there is no connection, None if there is no idea."""
    for pattern, step in _STEPS:
        if re.search(pattern, trouble, re.IGNORECASE):
            return step
    return None
