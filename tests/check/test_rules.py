from typing import Any

import msgspec
import pytest
from support.frames import SETTINGS

from recbms_zmq.check.rules import Advice, judge, next_step
from recbms_zmq.wire.decode import decode
from recbms_zmq.wire.frames import Settings

FROST = Advice(
    "note",
    "temperature limit low (tmin, -10 °C) allows charging below 0 °C: Winston cells bear that, "
    "most others do not; see your cells' data sheet",
)


def real(**changes: Any) -> Settings:
    frame = decode(SETTINGS).frame
    assert isinstance(frame, Settings)
    return msgspec.structs.replace(frame, **changes)


def test_the_real_settings_are_neither_dangerous_nor_odd() -> None:
    assert judge(real()) == [FROST]


@pytest.mark.parametrize("limit", [0.0, 5.0])
def test_without_charging_in_frost_nothing_is_noted(limit: float) -> None:
    assert judge(real(temperature_limit_low=limit)) == []


def test_settings_without_values_give_no_remarks() -> None:
    assert judge(Settings()) == []


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
            "chemistry (chem) is 9, which REC's manuals do not know",
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
def test_what_is_dangerous_or_odd_is_said_with_its_numbers(
    changes: dict[str, Any], level: str, text: str
) -> None:
    assert Advice(level, text) in judge(real(**changes))  # type: ignore[arg-type]


def test_the_worst_comes_first() -> None:
    levels = [advice.level for advice in judge(real(cell_voltage_limit_high=3.0))]
    assert levels == sorted(levels, key=["danger", "odd", "note"].index)
    assert levels[0] == "danger"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e300])
def test_numbers_that_are_none_are_not_judged_and_odd_ones_are(value: float) -> None:
    found = judge(real(temperature_limit_low=value))
    assert bool(found) == (value == -1e300)


@pytest.mark.parametrize(
    ("trouble", "word"),
    [
        ("connection refused", "the module's address"),
        ("no answer within 10 s", "Is the module on"),
        ("no route to host", "Is the module on"),
        ("name or service not known", "spelling"),
        ("no address associated with hostname", "spelling"),
        ("the BMS answered with HTTP status 404", "http://HOST/cell"),
        ("the BMS gave no valid answer", "http://HOST/cell"),
        ("the BMS answered with HTTP status 401", "password"),
        ("the BMS answered with HTTP status 302, which points elsewhere", "points to"),
        ("TLS failed: wrong version number", "ws://"),
        ("connection lost", "how many others"),
    ],
)
def test_there_is_something_to_do_about_a_failure(trouble: str, word: str) -> None:
    assert word in str(next_step(trouble))


def test_about_something_new_nothing_is_said() -> None:
    assert next_step("the moon is full") is None
