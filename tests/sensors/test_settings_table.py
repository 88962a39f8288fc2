"""Tests of what the settings frame gives; the real one is in `test_normalize`."""

from typing import Any

import pytest

from recbms_zmq.sensors.normalize import Normalizer
from recbms_zmq.sensors.settings_table import SETTINGS_SENSORS
from recbms_zmq.wire.frames import BaudRates, CellLocation, Settings, SettingsError


def readings_of(**settings: Any) -> dict[str, Any]:
    readings = Normalizer().settings(Settings(**settings))
    return {sensor.key.removeprefix("settings/"): value for sensor, value in readings.items()}


def units_of(**settings: Any) -> dict[str, str | None]:
    readings = Normalizer().settings(Settings(**settings))
    return {
        sensor.key.removeprefix("settings/"): sensor.unit
        for sensor in readings.sensors
        if sensor.key.endswith(("_level", "_hysteresis", "_value"))
        and sensor.key.startswith(("settings/relay", "settings/opto"))
    }


@pytest.mark.parametrize(
    ("mode", "unit"), [(1, "V"), (2, "°C"), (3, "A"), (4, None), (5, "V"), (6, "V"), (0, None)]
)
def test_level_hysteresis_and_value_have_the_unit_of_what_the_output_watches(
    mode: int, unit: str | None
) -> None:
    assert units_of(relay_1_task=mode << 24) == {
        "relay_1_level": unit,
        "relay_1_hysteresis": unit,
        "relay_1_value": unit,
        "optocoupler_2_level": None,
        "optocoupler_2_hysteresis": None,
        "optocoupler_2_value": None,
    }
    assert units_of(optocoupler_2_task=mode << 24)["optocoupler_2_value"] == unit


def test_the_rows_are_the_same_ones_while_the_units_are() -> None:
    normalizer = Normalizer()
    first = normalizer.settings(Settings(relay_1_task=1 << 24)).sensors
    again = normalizer.settings(Settings(relay_1_task=1 << 24 | 7)).sensors
    assert again is first
    assert [row.key for row in first] == [row.key for row in SETTINGS_SENSORS]


def test_a_location_needs_its_unit_and_its_number() -> None:
    assert readings_of(
        cell_lowest=CellLocation(unit_address=2, number=1),
        cell_highest=CellLocation(unit_address=2),
        temperature_highest=CellLocation(number=1),
    ) == {"cell_lowest": "2/1"}


@pytest.mark.parametrize(
    ("date", "time", "clock"),
    [
        ("28.09.2025", None, "28.09.2025"),
        ("28.09.2025", "12:34:56", "28.09.2025 12:34:56"),
        (None, "12:34:56", "12:34:56"),
        ("<b>28.09.2025", "", "28.09.2025"),
    ],
)
def test_the_clock_is_that_of_the_bms(date: str | None, time: str | None, clock: str) -> None:
    assert readings_of(clock_date=date, clock_time=time) == {"clock": clock}


def test_an_empty_clock_is_no_reading() -> None:
    assert readings_of(clock_date="", clock_time="") == {}


def test_flags_are_true_or_false() -> None:
    assert readings_of(
        error=SettingsError(present=1, number=7), log_file_every_midnight=0, remote_switch=True
    ) == {
        "error_present": True,
        "error_number": 7,
        "log_file_every_midnight": False,
        "remote_switch": True,
    }


def test_structs_without_members_give_no_reading() -> None:
    assert (
        readings_of(
            error=SettingsError(),
            baud_rates=BaudRates(),
            cell_lowest=CellLocation(),
        )
        == {}
    )
