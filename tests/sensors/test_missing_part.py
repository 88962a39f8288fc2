"""What is made of several values is unknown without one of them, never made of the rest.

Every field of a status frame is taken away in every way there is. Then what hangs on it is unknown,
and nothing else is different.
"""

import copy
import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from support.frames import SETTINGS, status

from recbms_zmq.sensors.normalize import Normalizer
from recbms_zmq.sensors.unit_census import FRAMES_TO_COUNT
from recbms_zmq.wire.decode import decode
from recbms_zmq.wire.frames import Settings

TREE: Final = json.loads(status(units=2, cells=3))
for position, unit in TREE["bms_array"]["slave"].items():
    unit |= {
        "st_temp": 2,
        "temp": {"0": 20.5, "1": 21.5 + int(position)},
        "bal": dict.fromkeys("012", False),
    }
MISSING: Final = object()
BAD: Final[tuple[Any, ...]] = ("x", [], None, {}, True, MISSING)

OF_ALL_VOLTAGES: Final = {"cell_voltage_average", "cell_min", "cell_max"}
OF_ALL_UNITS: Final = {"cells", "energy_remaining"}
OF_POWER: Final = {"power", "charge_power", "discharge_power"}
OF_TIME: Final = {"time_remaining", "time_remaining_minutes", "time_remaining_text", "time_to_full"}
MASTER: Final[dict[str, set[str]]] = {
    "vbat": {"voltage"} | OF_POWER,
    "ibat": {"current", "charge_state", "charging", "discharging"} | OF_POWER,
    "soc": {"soc", "capacity_remaining", "energy_remaining"},
    "soh": {"soh"},
    "mincell": {"cell_voltage_min", "cell_voltage_delta"},
    "maxcell": {"cell_voltage_max", "cell_voltage_delta"},
    "tmax": {"temperature_max"},
    "st_naprav": {"units"},
    "time_remaining": OF_TIME,
    "erro": {"problem", "error_number", "error_text"},
    "error": {"error_message"},
    "time": set(),
    "date": set(),
}
LISTS: Final = {
    "nap": ("cell_voltage", OF_ALL_VOLTAGES),
    "temp": ("temperature", {"temperature_min"}),
    "bal": ("cell_balancing", {"balancing"}),
    "res": ("cell_resistance", set()),
}
UNIT: Final[dict[str, set[str]]] = {
    "temp_bms": {"bms_temperature/{address}"},
    "st_celic": OF_ALL_UNITS,
    "st_temp": set(),
}


def cases() -> Iterator[tuple[str, set[str]]]:
    """Yield the path of every field, and the sensors that are unknown without it."""
    yield from ((f"master.{key}", lost) for key, lost in MASTER.items())
    yield "master", set().union(*MASTER.values())
    of_units: set[str] = set()
    for position, address in (("0", 2), ("1", 3)):
        place = f"slave.{position}"
        of_unit = {key.format(address=address) for key in UNIT["temp_bms"]}
        of_all = set(OF_ALL_UNITS)
        for name, (sensor, others) in LISTS.items():
            count = 2 if name == "temp" else 3
            items = [f"{sensor}/{address}/{number}" for number in range(1, count + 1)]
            yield f"{place}.{name}", {*items, *others}
            for number, item in enumerate(items):
                yield f"{place}.{name}.{number}", {item, *others}
            of_unit.update(items)
            of_all |= others
        for name, lost in UNIT.items():
            yield f"{place}.{name}", {key.format(address=address) for key in lost}
        yield f"{place}.address", of_unit | of_all
        yield place, of_unit | of_all
        of_units |= of_unit | of_all
    yield "slave", of_units


def readings(normalizer: Normalizer, tree: Any) -> dict[str, Any]:
    """Return the readings that have a value."""
    frame, _ = decode(json.dumps(tree))
    assert not isinstance(frame, Settings)
    found = normalizer.status(frame).items()
    return {sensor.key: value for sensor, value in found if value is not None}


def normalizer() -> Normalizer:
    settings, _ = decode(SETTINGS)
    assert isinstance(settings, Settings)
    made = Normalizer()
    made.settings(settings)
    return made


@pytest.mark.parametrize(("path", "lost"), list(cases()))
def test_without_a_part_the_whole_is_unknown_and_all_else_is_as_before(
    path: str, lost: set[str]
) -> None:
    *parents, key = path.split(".")
    expected = {k: v for k, v in readings(normalizer(), TREE).items() if k not in lost}
    assert len(expected) == len(readings(normalizer(), TREE)) - len(lost)
    for bad in BAD:
        tree = copy.deepcopy(TREE)
        container = tree["bms_array"]
        for parent in parents:
            container = container[parent]
        if type(bad) is type(container[key]) and type(bad) in (str, bool):
            continue  # this is not bad here
        if bad is MISSING:
            del container[key]
        else:
            container[key] = bad
        before = normalizer()
        for _ in range(FRAMES_TO_COUNT):
            readings(before, TREE)
        assert readings(before, tree) == expected, bad
        assert readings(normalizer(), tree) == expected, f"{bad} in the first frame"
