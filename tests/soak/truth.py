"""Reads a message of a BMS by rules written a second time, from REC's names to our keys.

Nothing of the package is used here: a mistake of its decoder or its table must not hide itself. Of
a status the numbers are read that people act on: the pack's, every cell's and every temperature.
Texts, energy counters and what hangs on earlier frames are not.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

LONGEST: Final = 2**16
"""Bytes of a message that the journal keeps; only those made long by a fault are longer."""

Values = dict[str, Any]
_C_NUMBERS: Final = re.compile(r"(?<=[:,\[])-?(nan|inf)(?=[,}\]])")
PACK: Final = frozenset(
    (
        *("voltage", "current", "power", "soc", "soh", "temperature_max", "units"),
        *("cell_voltage_min", "cell_voltage_max", "cell_voltage_delta"),
        *("charging", "discharging", "problem", "error_number"),
        *("charge_power", "discharge_power", "temperature_min"),
        *("cell_voltage_average", "balancing"),
    )
)
"""Keys of the pack that are read here, and the beginnings of those of its units."""
UNIT: Final = (
    *("bms_temperature/", "temperature/", "cell_voltage/"),
    *("cell_resistance/", "cell_balancing/"),
)
_SETTINGS: Final = {  # REC's name: our key, factor, decimals
    "cmin": ("cell_voltage_limit_low", 1, 3),
    "cmax": ("cell_voltage_limit_high", 1, 3),
    "tmin": ("temperature_limit_low", 1, 1),
    "tmax": ("temperature_limit_high", 1, 1),
    "capa": ("capacity", 1, 1),
    "Ah": ("charge_taken_out", 1, 1),
    "socs": ("soc_manual_reset", 1, 1),
    "soch": ("soc_hysteresis", 1, 1),
}
SETTINGS: Final = frozenset(f"settings/{key}" for key, _, _ in _SETTINGS.values())


class Reading(NamedTuple):
    """A message's kind and its values by our keys. A key is missing where there is no value.

    `may_lack_unit`: whether fewer units are there than are counted, as far as they are counted.
    """

    kind: str
    values: Values
    may_lack_unit: bool = False


def read(data: bytes, *, addressed: bool = False, lacks_unit: bool = False) -> Reading | None:
    """Read a message; None if it is no frame.

    Args:
        data: as it was sent.
        addressed: whether units are known to have addresses: one without is left out. If not, it is
            known by its position.
        lacks_unit: whether a unit is known to be missing.

    """
    try:
        frame = json.loads(_C_NUMBERS.sub("null", data.decode("utf-8", "replace")))
    except (ValueError, RecursionError):
        return None
    if not isinstance(frame, dict):
        return None
    kind = frame.get("type", "status" if "bms_array" in frame else None)
    if kind == "settings":
        return Reading("settings", _settings(frame))
    if kind == "status":
        array = _object(frame.get("bms_array"))
        master, slaves = array.get("master"), array.get("slave")
        units = slaves if isinstance(slaves, dict | list) else {}
        if isinstance(master, dict) or units:
            values = _master(_object(master)) | _units(units, addressed, lacks_unit)
            _agree(values, "cell_voltage_min", "cell_voltage/", min, 3)
            _agree(values, "cell_voltage_max", "cell_voltage/", max, 3)
            _agree(values, "temperature_max", "temperature/", max, 1)
            low, high = values.get("cell_voltage_min"), values.get("cell_voltage_max")
            if low is not None and high is not None:
                values["cell_voltage_delta"] = _rounded(high - low, 3)
            there = [slave for _, slave in _numbered(units, 16) if isinstance(slave, dict)]
            return Reading("status", values, len(there) < values.get("units", 17))
    return None


def _agree(
    values: Values, key: str, prefix: str, choose: Callable[[list[float]], float], decimals: int
) -> None:
    """Replace the master's extreme by the units', if they differ by the last decimal only."""
    given = values.get(key)
    found = [v for k, v in values.items() if k.startswith(prefix) and v is not None]
    if given is not None and found and abs(choose(found) - given) < 1.5 * 10**-decimals:
        values[key] = choose(found)


def _master(master: Values) -> Values:
    volts, amperes = _number(master.get("vbat")), _number(master.get("ibat"))
    # What is derived agrees with what is shown: it is made of rounded values.
    volts, amperes = _rounded(volts, 2), _rounded(amperes, 2)
    low = _rounded(_number(master.get("mincell")), 3)
    high = _rounded(_number(master.get("maxcell")), 3)
    soc, soh = _number(master.get("soc")), _number(master.get("soh"))
    power = _rounded(_product(volts, amperes), 1)
    found = {
        "voltage": volts,
        "current": amperes,
        "power": power,
        "charge_power": None if power is None else max(0.0, power),
        "discharge_power": None if power is None else max(0.0, -power),
        "soc": _rounded(_product(soc, 100), 1),
        "soh": _rounded(_product(soh, 100), 1),
        "temperature_max": _rounded(_number(master.get("tmax")), 1),
        "cell_voltage_min": low,
        "cell_voltage_max": high,
        "units": _whole(master.get("st_naprav")),
    }
    if amperes is not None:
        found["charging"] = amperes > 0.1
        found["discharging"] = amperes < -0.1
    error = _object(master.get("erro"))
    present = _flag(error.get("present"))
    if present is not None:
        found["problem"] = present
        found["error_number"] = _whole(error.get("st")) if present else 0
    return _known(found)


def _units(slaves: Values | list[Any], addressed: bool, lacks_unit: bool) -> Values:
    found: Values = {}
    slots = _Slots(*([None] if lacks_unit else [] for _ in range(3)))
    addresses: set[int] = set()
    for position, slave in _numbered(slaves, 16):
        if not isinstance(slave, dict):
            continue
        unit = _whole(slave.get("address"))
        if unit is None or not 0 <= unit <= 255:
            if addressed:
                slots.add({}, None, None, has_cells=True)  # not known of this one either
                continue
            unit = position + 1
        if unit in addresses:
            continue
        addresses.add(unit)
        found[f"bms_temperature/{unit}"] = _rounded(_number(slave.get("temp_bms")), 1)
        sensors, counted = _whole(slave.get("st_temp")), _whole(slave.get("st_celic"))
        cells = None if counted is None or counted < 1 else counted
        for number, value in _numbered(slave.get("temp"), 16, sensors):
            found[f"temperature/{unit}/{number + 1}"] = _rounded(_number(value), 1)
        for number, value in _numbered(slave.get("nap"), 32, cells):
            found[f"cell_voltage/{unit}/{number + 1}"] = _rounded(_number(value), 3)
        for number, value in _numbered(slave.get("res"), 32, cells):
            milliohms = _product(_number(value), 1000)
            found[f"cell_resistance/{unit}/{number + 1}"] = _rounded(milliohms, 3)
        for number, value in _numbered(slave.get("bal"), 32, cells):
            found[f"cell_balancing/{unit}/{number + 1}"] = _flag(value)
        slots.add(slave, sensors, cells, has_cells=counted != 0)
    return _known(found | _of_all_units(slots))


class _Slots(NamedTuple):
    """What all units have, in order; None for what is missing."""

    temperatures: list[Any]
    voltages: list[Any]
    flags: list[Any]

    def add(self, unit: Values, sensors: int | None, cells: int | None, *, has_cells: bool) -> None:
        """Add what a unit has."""
        temperatures = _all(unit.get("temp"), 16, sensors)
        voltages, flags = (_all(unit.get(name), 32, cells) for name in ("nap", "bal"))
        nothing = [None] if has_cells else []
        self.temperatures.extend([] if sensors == 0 else temperatures or [None])
        self.voltages.extend(voltages or nothing)
        self.flags.extend(flags or nothing)
        self.flags.extend([None] * (len(voltages) - len(flags)))


def _of_all_units(slots: _Slots) -> Values:
    found: Values = {}
    temperatures = [_rounded(_number(value), 1) for value in slots.temperatures]
    voltages = [_rounded(_number(value), 3) for value in slots.voltages]
    flags = [_flag(value) for value in slots.flags]
    if temperatures and None not in temperatures:
        plugged_in = [t for t in temperatures if t is not None and t not in (-127, 85)]
        found["temperature_min"] = min(plugged_in, default=None)
    if voltages and None not in voltages:
        total = math.fsum(value for value in voltages if value is not None)
        found["cell_voltage_average"] = _rounded(total / len(voltages), 3)
    if True in flags:
        found["balancing"] = True
    elif flags and None not in flags:
        found["balancing"] = False
    return found


def _settings(frame: Values) -> Values:
    frame = dict(frame)
    socs = [_number(frame.get(name)) or 0.0 for name in ("socs", "soch")]
    if max(socs) <= 1.5:  # else they are in percent, also when a fault has made one of them so
        frame |= {name: _product(_number(frame.get(name)), 100) for name in ("socs", "soch")}
    return _known(
        {
            f"settings/{key}": _rounded(_product(_number(frame.get(name)), factor), decimals)
            for name, (key, factor, decimals) in _SETTINGS.items()
        }
    )


def _numbered(items: Any, most: int, count: int | None = None) -> list[tuple[int, Any]]:
    """Give the items of an object with the keys "0", "1", …, or of a list, with their numbers."""
    if isinstance(items, list):
        pairs = list(enumerate(items)) if len(items) <= most else []
    else:
        pairs = [(int(k), v) for k, v in _object(items).items() if k.isdecimal()]
    return [(n, item) for n, item in pairs if n < most and (count is None or n < count)]


def _all(items: Any, most: int, count: int | None) -> list[Any]:
    """Give the items in order, as many as are counted, None for one that is missing."""
    there = dict(_numbered(items, most))
    size = max(there, default=-1) + 1
    if count is not None and size and count <= most:
        size = max(count, 0)
    return [there.get(n) for n in range(size)]


def _object(value: Any) -> Values:
    return value if isinstance(value, dict) else {}


def _known(found: Values) -> Values:
    return {key: value for key, value in found.items() if value is not None}


def _number(value: Any) -> float | None:
    return value if type(value) in (int, float) and math.isfinite(value) else None


def _whole(value: Any) -> int | None:
    return value if type(value) is int else None


def _flag(value: Any) -> bool | None:
    return bool(value) if value in (0, 1) and type(value) in (int, bool) else None


def _product(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a * b


def _rounded(value: float | None, decimals: int) -> float | None:
    return None if value is None else float(f"{value:.{decimals}f}")
