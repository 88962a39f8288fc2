"""Tests of the way from frames to readings: the two real frames, compared whole.

What is expected of them was written by hand, from the protocol notes and the design's table.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from recbms_zmq.errors import MalformedFrame
from recbms_zmq.frames import BmsArray, ErrorState, Master, Settings, Slave, Status
from recbms_zmq.normalize import (
    Alarm,
    Description,
    Normalizer,
    Readings,
    UnitDescription,
)
from recbms_zmq.pack import Link
from recbms_zmq.sensor import UNKNOWN

FRAMES = Path(__file__).parent / "frames"
STATUS = msgspec.json.decode((FRAMES / "status.json").read_bytes(), type=Status)
SETTINGS = msgspec.json.decode((FRAMES / "settings.json").read_bytes(), type=Settings)
ARRIVAL = "2026-11-22T10:44:39.123Z"

REAL_STATUS = {
    "voltage": 13.24,
    "current": 7.46,
    "power": 98.8,
    "soc": 28.5,
    "soh": 99.6,
    "temperature_max": 22.5,
    "cell_voltage_min": 3.305,
    "cell_voltage_max": 3.32,
    "cell_voltage_delta": 0.015,
    "cell_min": "2/1",
    "cell_max": "2/2",
    "time_remaining": 31.0,
    "time_remaining_minutes": 1860,
    "time_remaining_text": "Full in: 31h 00 min",
    "time_to_full": 31.0,
    "time_to_empty": None,
    "charge_state": "charging",
    "charging": True,
    "discharging": False,
    "problem": False,
    "error_number": 0,
    "error_text": "No error",
    "error_message": "",
    "error_unit": None,
    "error_cell": None,
    "last_update": ARRIVAL,
    "units": 1,
    "cells": 4,
    "bms_temperature/2": 28.7,
    "temperature/2/1": 22.5,
    "cell_voltage/2/1": 3.305,
    "cell_voltage/2/2": 3.32,
    "cell_voltage/2/3": 3.311,
    "cell_voltage/2/4": 3.308,
    "cell_resistance/2/1": 1.95,
    "cell_resistance/2/2": 3.093,
    "cell_resistance/2/3": 2.179,
    "cell_resistance/2/4": 1.809,
    "cell_balancing/2/1": True,
    "cell_balancing/2/2": False,
    "cell_balancing/2/3": False,
    "cell_balancing/2/4": False,
}

REAL_SETTINGS = {
    "settings/cell_voltage_limit_low": 3.0,
    "settings/cell_voltage_limit_low_hysteresis": 0.1,
    "settings/cell_voltage_limit_high": 3.65,
    "settings/cell_voltage_limit_high_hysteresis": 0.25,
    "settings/discharge_protection_voltage": 3.1,
    "settings/cell_voltage_difference_limit": 0.25,
    "settings/charge_end_voltage": 3.58,
    "settings/charge_end_hysteresis": 0.25,
    "settings/float_voltage_coefficient": 0.1,
    "settings/balancing_start_voltage": 3.45,
    "settings/balancing_end_voltage": 3.58,
    "settings/temperature_limit_low": -10.0,
    "settings/temperature_limit_high": 55.0,
    "settings/bms_temperature_limit": 55.0,
    "settings/bms_temperature_hysteresis": 2.0,
    "settings/capacity": 320.0,
    "settings/charge_taken_out": 227.0,
    "settings/soc_hysteresis": 5.0,
    "settings/soc_manual_reset": 28.5,
    "settings/cycles": 37,
    "settings/chemistry": "LiFePO4 Winston",
    "settings/charge_coefficient": 0.5,
    "settings/discharge_coefficient": 0.5,
    "settings/inverter_count": 2,
    "settings/inverter_charge_current_max": 150.0,
    "settings/inverter_discharge_current_max": 150.0,
    "settings/current_offset": 0.0,
    "settings/current_step": 0.019531,
    "settings/current_at_reading": 7.2,
    "settings/relay_1_mode": "minimum cell voltage",
    "settings/relay_1_active": "above",
    "settings/relay_1_disabled_by": (
        "2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19"
    ),
    "settings/relay_1_hysteresis": 0.15,
    "settings/relay_1_value": 3.305,
    "settings/optocoupler_2_mode": "maximum cell voltage",
    "settings/optocoupler_2_active": "below",
    "settings/optocoupler_2_disabled_by": "1, 3, 4, 5, 6, 18",
    "settings/optocoupler_2_level": 3.55,
    "settings/optocoupler_2_hysteresis": 0.15,
    "settings/optocoupler_2_value": 3.316,
    "settings/error_present": False,
    "settings/error_number": 0,
    "settings/cell_lowest": "2/1",
    "settings/cell_highest": "2/2",
    "settings/temperature_highest": "2/1",
    "settings/can_speed_code": 2,
    "settings/rs485_speed_code": 2,
    "settings/lcd_baud_rate": 56000,
    "settings/bms_baud_rate": 115200,
    "settings/clock": "28.09.2025",
    "settings/module_address": 64,
    "settings/temperature_unit_code": 0,
    "settings/log_file_every_midnight": True,
    "settings/remote_switch": False,
}


def values_of(readings: Readings) -> dict[str, Any]:
    return {sensor.key: value for sensor, value in readings.items()}


def pack_of(**master: Any) -> Status:
    return Status(bms_array=BmsArray(master=Master(**master)))


def units_of(*slaves: Slave) -> Status:
    return Status(bms_array=BmsArray(master=Master(), slaves=list(slaves)))


def test_the_real_status_frame_gives_these_readings_and_no_others() -> None:
    readings = Normalizer().status(STATUS, ARRIVAL)
    assert values_of(readings) == REAL_STATUS
    assert [type(value) for value in values_of(readings).values()] == [
        type(value) for value in REAL_STATUS.values()
    ]
    assert readings.alarm is None


def test_the_real_settings_frame_gives_these_readings_and_no_others() -> None:
    readings = Normalizer().settings(SETTINGS)
    assert values_of(readings) == REAL_SETTINGS
    assert [type(value) for value in values_of(readings).values()] == [
        type(value) for value in REAL_SETTINGS.values()
    ]
    assert readings.alarm is UNKNOWN


def test_the_remaining_capacity_comes_with_the_settings_and_goes_with_them() -> None:
    normalizer = Normalizer()
    normalizer.settings(SETTINGS)
    # 0.285054 of 320 Ah
    assert values_of(normalizer.status(STATUS, ARRIVAL)) == REAL_STATUS | {
        "capacity_remaining": 91.2
    }
    normalizer.settings(Settings(chemistry_code=3))
    assert values_of(normalizer.status(STATUS, ARRIVAL)) == REAL_STATUS


def test_the_link_is_told_of_when_it_is_known() -> None:
    readings = Normalizer().status(STATUS, ARRIVAL, Link(17, 2, 1, 1.0049))
    assert values_of(readings) == REAL_STATUS | {
        "link/frames": 17,
        "link/bad_frames": 2,
        "link/reconnects": 1,
        "link/frame_interval": 1.0,
    }
    first = Normalizer().status(STATUS, ARRIVAL, Link(1))
    assert values_of(first)["link/frame_interval"] is None


def test_without_an_arrival_there_is_no_last_update() -> None:
    assert "last_update" not in values_of(Normalizer().status(STATUS))


def test_the_columns_stay_the_same_object_while_the_shape_does() -> None:
    normalizer = Normalizer()
    one = units_of(Slave(address=2, cell_voltages=[3.3, 3.4]))
    other = units_of(Slave(address=2, cell_voltages=[3.1, None]))
    more = units_of(Slave(address=2, cell_voltages=[3.1, None, 3.2]))
    moved = units_of(Slave(address=3, cell_voltages=[3.3, 3.4]))
    columns = normalizer.status(one).sensors
    assert normalizer.status(other).sensors is columns
    assert normalizer.status(more).sensors is not columns
    assert normalizer.status(moved).sensors is not columns
    assert normalizer.status(moved, "", Link()).sensors is not columns


def test_a_cell_without_a_value_keeps_its_column() -> None:
    readings = Normalizer().status(
        units_of(Slave(address=2, cell_voltages=[3.3, None], cell_count=2))
    )
    keys = [sensor.key for sensor in readings.sensors if sensor.key.startswith("cell_voltage/")]
    assert keys == ["cell_voltage/2/1", "cell_voltage/2/2"]
    assert values_of(readings) == {
        "cell_min": None,
        "cell_max": None,
        "cells": 2,
        "cell_voltage/2/1": 3.3,
    }


def test_a_status_with_a_unit_only_says_what_the_unit_says() -> None:
    frame = Status(bms_array=BmsArray(slaves={0: Slave(address=7, bms_temperature=25.04)}))
    assert values_of(Normalizer().status(frame)) == {
        "cell_min": None,
        "cell_max": None,
        "bms_temperature/7": 25.0,
    }


def test_a_frame_without_data_is_refused() -> None:
    with pytest.raises(MalformedFrame):
        Normalizer().status(Status())


@pytest.mark.parametrize(
    ("given", "voltage"),
    [
        (0.0, "0.0"),
        (-0.0, "0.0"),
        (-0.004, "0.0"),
        (13.0, "13.0"),
        (13.2439, "13.24"),
        (1e30, "1e+30"),
        (5e-324, "0.0"),
        (-1.7976931348623157e308, "-1.7976931348623157e+308"),
    ],
)
def test_numbers_are_rounded_and_there_is_no_minus_zero(given: float, voltage: str) -> None:
    assert repr(values_of(Normalizer().status(pack_of(voltage=given)))["voltage"]) == voltage


def test_what_is_not_finite_is_no_reading() -> None:
    largest = 1.7976931348623157e308
    readings = Normalizer().status(
        pack_of(
            voltage=largest,
            current=largest,
            state_of_charge=largest,
            cell_voltage_min=-largest,
            cell_voltage_max=largest,
        )
    )
    assert {"power", "soc", "cell_voltage_delta"}.isdisjoint(values_of(readings))
    assert values_of(readings)["voltage"] == largest
    nan = Normalizer().status(pack_of(voltage=float("nan"), temperature_max=float("inf")))
    assert {"voltage", "temperature_max"}.isdisjoint(values_of(nan))


def test_the_idle_current_is_up_to_the_user() -> None:
    frame = pack_of(current=0.5)
    assert values_of(Normalizer().status(frame))["charge_state"] == "charging"
    assert values_of(Normalizer(idle_current=0.5).status(frame))["charge_state"] == "idle"


# --- alarms ---


@pytest.mark.parametrize(
    ("error", "message", "alarm"),
    [
        (ErrorState(present=0, unit_address=2), "x", None),
        (ErrorState(number=1), "x", UNKNOWN),
        (None, None, UNKNOWN),
        (
            ErrorState(present=1, unit_address=2, number=1, location=3),
            "",
            Alarm(1, "Cell voltage too high", 2, 3),
        ),
        (ErrorState(present=True, number=18), "odd", Alarm(18, "Error 18", None, None)),
        (ErrorState(present=1), "<b>odd", Alarm(None, "odd", None, None)),
        (ErrorState(present=1), None, Alarm(None, "Error", None, None)),
    ],
)
def test_an_alarm_is_active_none_or_unknown(
    error: ErrorState | None, message: str | None, alarm: Any
) -> None:
    frame = pack_of(error_state=error, error_message=message)
    assert Normalizer().status(frame).alarm == alarm


# --- the description ---


def test_the_description_is_put_together_from_both_frames_without_the_serial_number() -> None:
    normalizer = Normalizer()
    assert normalizer.description == Description(units=())
    normalizer.status(STATUS)
    units = (UnitDescription(address=2, cells=4, sensors=1),)
    assert normalizer.description == Description(units=units)
    normalizer.settings(SETTINGS)
    assert normalizer.description == Description(
        units=units, model="ABMS", chemistry="LiFePO4 Winston", capacity=320.0
    )
    normalizer.status(units_of(Slave(address=3), Slave(address=1, temperatures=[20.0])))
    assert normalizer.description == Description(
        units=(UnitDescription(1, 0, 1), UnitDescription(3, 0, 0)),
        model="ABMS",
        chemistry="LiFePO4 Winston",
        capacity=320.0,
    )


def test_the_serial_number_is_in_the_description_only_when_it_was_asked_for() -> None:
    normalizer = Normalizer(include_serial=True)
    readings = normalizer.settings(SETTINGS)
    assert normalizer.description.serial == "1A-2261"
    assert "1A-2261" not in json.dumps(values_of(readings))
    normalizer.settings(Settings(serial="x" * 100))
    assert normalizer.description.serial == "x" * 32
    normalizer.settings(Settings(serial=""))
    assert normalizer.description.serial is None
