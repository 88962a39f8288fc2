from typing import Any

import msgspec
import pytest
from support.frames import SETTINGS

from recbms_zmq.check.rules import Advice, review
from recbms_zmq.wire.decode import decode
from recbms_zmq.wire.frames import Settings

FROST = Advice(
    "note",
    "temperature limit low (tmin, -10 °C) is outside the usual 0 to 60 °C: Winston cells can be "
    "charged below 0 °C, most others cannot; see the cells' data sheet",
)


def real(**changes: Any) -> Settings:
    frame = decode(SETTINGS).frame
    assert isinstance(frame, Settings)
    return msgspec.structs.replace(frame, **changes)


def test_the_real_settings_give_one_note_on_charging_in_frost() -> None:
    assert review(real()) == [FROST]


@pytest.mark.parametrize("limit", [0.0, 5.0])
def test_without_charging_in_frost_nothing_is_noted(limit: float) -> None:
    assert review(real(temperature_limit_low=limit)) == []


def test_settings_without_values_give_no_remarks() -> None:
    assert review(Settings()) == []


@pytest.mark.parametrize(
    ("changes", "level", "text"),
    [
        (
            {"cell_voltage_limit_low": 3.65, "discharge_protection_voltage": None},
            "danger",
            (
                "cell voltage limit low (cmin, 3.65 V) is not below cell voltage limit high "
                "(cmax, 3.65 V): there is no voltage at which the BMS would stay on"
            ),
        ),
        (
            {"charge_end_voltage": 3.7},
            "danger",
            (
                "end of charge voltage (char, 3.7 V) is not below cell voltage limit high "
                "(cmax, 3.65 V): charging would only end when the BMS switches off"
            ),
        ),
        (
            {"cell_voltage_limit_high": 4.2},
            "danger",
            (
                "cell voltage limit high (cmax, 4.2 V) is outside the usual 3.4 to 3.8 V: "
                "LiFePO4 is full at about 3.65 V"
            ),
        ),
        (
            {"chemistry_code": 5},
            "danger",
            (
                "cell voltage limit high (cmax, 3.65 V) is outside the usual 3.9 to 4.25 V: "
                "such cells are full at about 4.2 V"
            ),
        ),
        (
            {"chemistry_code": 9},
            "odd",
            "chemistry (chem) is 9, which is not in REC's manuals",
        ),
        (
            {"temperature_limit_high": 80.0},
            "danger",
            (
                "temperature limit high (tmax, 80 °C) is outside the usual 20 to 65 °C: "
                "cells are harmed above about 60 °C"
            ),
        ),
        (
            {"balancing_start_voltage": 3.6},
            "odd",
            (
                "balancing start voltage (bmin, 3.6 V) is not below balancing end voltage "
                "(bvol, 3.58 V): the cells would not be balanced"
            ),
        ),
        (
            {"capacity": 0.0},
            "danger",
            (
                "capacity (capa, 0 Ah) is outside the usual 1 to 20000 Ah: "
                "the state of charge is computed with it"
            ),
        ),
    ],
)
def test_each_rule_names_the_setting_its_value_and_the_reason(
    changes: dict[str, Any], level: str, text: str
) -> None:
    assert Advice(level, text) in review(real(**changes))  # type: ignore[arg-type]


def test_the_worst_comes_first() -> None:
    levels = [advice.level for advice in review(real(cell_voltage_limit_high=3.0))]
    assert levels == sorted(levels, key=["danger", "odd", "note"].index)
    assert levels[0] == "danger"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e300])
def test_values_that_are_not_finite_are_skipped(value: float) -> None:
    found = review(real(temperature_limit_low=value))
    assert bool(found) == (value == -1e300)


ANY = (None,)
LIFEPO4 = (3, 4)
OTHERS = (1, 2, 5)


@pytest.mark.parametrize(
    ("chemistries", "setting", "usual", "unusual"),
    [
        (ANY, "temperature_limit_high", (20, 55, 65), (19, 66)),
        (ANY, "bms_temperature_limit", (40, 70, 90), (39, 91)),
        (ANY, "cell_voltage_difference_limit", (0.02, 0.3, 0.5), (0.01, 0.51)),
        (ANY, "capacity", (1, 320, 20_000), (0.9, 20_001)),
        (ANY, "charge_coefficient", (0.01, 0.5, 3), (0, 3.1)),
        (ANY, "discharge_coefficient", (0.01, 0.5, 5), (0, 5.1)),
        (LIFEPO4, "cell_voltage_limit_low", (2.5, 2.8, 3.2), (2.0, 2.4, 3.3)),
        (LIFEPO4, "cell_voltage_limit_high", (3.4, 3.65, 3.8), (3.3, 3.9, 4.2)),
        (LIFEPO4, "charge_end_voltage", (3.35, 3.45, 3.65), (3.3, 3.7, 4.1)),
        (OTHERS, "cell_voltage_limit_low", (2.7, 3.0, 3.7), (2.5, 2.6, 3.8)),
        (OTHERS, "cell_voltage_limit_high", (3.9, 4.2, 4.25), (3.65, 3.8, 4.3)),
        (OTHERS, "charge_end_voltage", (3.9, 4.1, 4.2), (3.65, 3.8, 4.25)),
    ],
)
def test_what_suits_the_cells_is_accepted_and_what_suits_other_cells_is_not(
    chemistries: tuple[int | None, ...],
    setting: str,
    usual: tuple[float, ...],
    unusual: tuple[float, ...],
) -> None:
    for code in chemistries:
        for value in (*usual, *unusual):
            settings = msgspec.structs.replace(Settings(), chemistry_code=code, **{setting: value})
            found = [advice for advice in review(settings) if "outside the usual" in advice.text]
            assert len(found) == (value in unusual), (code, value, found)
