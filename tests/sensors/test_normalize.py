"""Tests of the way from frames to readings: the two real frames, compared whole."""

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbms_zmq.sensors.alarm_tracker import Alarm, AlarmTransition
from recbms_zmq.sensors.device_info import DeviceInfo, UnitInfo
from recbms_zmq.sensors.link import Link
from recbms_zmq.sensors.normalize import Normalizer, Readings
from recbms_zmq.sensors.sensor import UNKNOWN
from recbms_zmq.wire.frames import BmsArray, ErrorState, Master, Settings, Slave, Status

FRAMES = Path(__file__).parents[1] / "frames"
STATUS = msgspec.json.decode((FRAMES / "status.json").read_bytes(), type=Status)
SETTINGS = msgspec.json.decode((FRAMES / "settings.json").read_bytes(), type=Settings)
READINGS = Path(__file__).parents[1] / "readings"
ARRIVAL = "2026-11-22T10:44:39.123Z"

# Written by hand, from the protocol notes and the table of sensors.
NO_ALARM_YET = {"last_alarm": None, "last_alarm_time": None}
REAL_STATUS = json.loads((READINGS / "status.json").read_bytes())
REAL_SETTINGS = json.loads((READINGS / "settings.json").read_bytes())


def values_of(readings: Readings) -> dict[str, Any]:
    return {sensor.key: value for sensor, value in readings.items()}


def pack_of(**master: Any) -> Status:
    return Status(bms_array=BmsArray(master=Master(**master)))


def units_of(*slaves: Slave, **master: Any) -> Status:
    return Status(bms_array=BmsArray(master=Master(**master), slaves=list(slaves)))


def exactly(values: dict[str, Any]) -> list[tuple[str, Any, type]]:
    """Return something that differs for 1, 1.0 and True, and for another order."""
    return [(key, value, type(value)) for key, value in values.items()]


def test_the_real_status_frame_gives_these_readings_and_no_others() -> None:
    readings = Normalizer().status(STATUS)
    assert exactly(values_of(readings)) == exactly(REAL_STATUS)
    assert readings.alarms == ()


def test_the_real_settings_frame_gives_these_readings_and_no_others() -> None:
    readings = Normalizer().settings(SETTINGS)
    assert exactly(values_of(readings)) == exactly(REAL_SETTINGS)


def test_the_remaining_capacity_comes_with_the_settings_and_goes_with_them() -> None:
    normalizer = Normalizer()
    normalizer.settings(SETTINGS)
    # 0.285054 of 320 Ah
    assert values_of(normalizer.status(STATUS)) == REAL_STATUS | {
        "capacity_remaining": 91.2,
        "energy_remaining": 1.167,  # 91.2 Ah of 4 cells of 3.2 V
        "cycles": 37,
    }
    normalizer.settings(Settings(chemistry_code=3))
    assert values_of(normalizer.status(STATUS)) == REAL_STATUS


def test_the_link_sensors_are_there_when_the_link_is_known() -> None:
    readings = Normalizer().status(STATUS, ARRIVAL, Link(17, 2, 1, 1.0049))
    assert values_of(readings) == REAL_STATUS | {
        "last_update": ARRIVAL,
        "link/frames": 17,
        "link/bad_frames": 2,
        "link/reconnects": 1,
        "link/frame_interval": 1.0,
    }
    first = Normalizer().status(STATUS, link=Link(1, 0, 0, UNKNOWN))
    assert values_of(first)["link/frame_interval"] is None


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
    assert normalizer.status(moved, "", Link(1, 0, 0, UNKNOWN)).sensors is not columns


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
        **NO_ALARM_YET,
        "cell_voltage/2/1": 3.3,
    }


def test_a_status_with_one_unit_only_has_the_readings_of_the_unit() -> None:
    frame = Status(bms_array=BmsArray(slaves={0: Slave(address=7, bms_temperature=25.04)}))
    assert values_of(Normalizer().status(frame)) == {
        "cell_min": None,
        "cell_max": None,
        **NO_ALARM_YET,
        "bms_temperature/7": 25.0,
    }


def test_numbers_of_cells_are_rounded_like_all_others() -> None:
    readings = Normalizer().status(
        units_of(
            Slave(address=1, cell_voltages=[-0.0, 3.30049, 3.3005001]),
            Slave(address=2, cell_voltages=[-0.0001, None, 3.30049]),
        )
    )
    found = {k: repr(v) for k, v in values_of(readings).items() if k.startswith("cell_voltage/")}
    assert found == {
        "cell_voltage/1/1": "0.0",
        "cell_voltage/1/2": "3.3",
        "cell_voltage/1/3": "3.301",
        "cell_voltage/2/1": "0.0",
        "cell_voltage/2/3": "3.3",
    }


def test_a_value_that_is_not_finite_is_no_reading() -> None:
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


def test_cells_of_which_the_sum_is_beyond_a_float_have_no_mean() -> None:
    values = values_of(Normalizer().status(units_of(Slave(address=2, cell_voltages=[1e308] * 2))))
    assert {key: value for key, value in values.items() if key.startswith("cell_voltage")} == {
        "cell_voltage/2/1": 1e308,
        "cell_voltage/2/2": 1e308,
    }


MILLIVOLTS = st.floats(2.5, 3.65)


@given(
    cells=st.lists(MILLIVOLTS, min_size=1, max_size=6),
    noise=st.tuples(*[st.floats(-5e-4, 5e-4)] * 2),
    voltage=st.floats(0, 1000),
    current=st.floats(-500, 500),
    soc=st.floats(0, 1),
    capacity=st.floats(1, 2000),
    idle_current=st.sampled_from([0.0, 0.1, 0.5]),
)
def test_all_numbers_of_a_frame_agree_as_they_are_shown(
    cells: list[float],
    noise: tuple[float, float],
    voltage: float,
    current: float,
    soc: float,
    capacity: float,
    idle_current: float,
) -> None:
    normalizer = Normalizer(idle_current=idle_current)
    settings = values_of(normalizer.settings(Settings(capacity=capacity, chemistry_code=3)))
    shown = values_of(
        normalizer.status(
            units_of(
                Slave(
                    address=2,
                    cell_count=len(cells),
                    cell_voltages=[*cells],
                    temperatures=[*cells],
                ),
                voltage=voltage,
                current=current,
                state_of_charge=soc,
                state_of_health=1.0,
                cell_voltage_min=min(cells) + noise[0],
                cell_voltage_max=max(cells) + noise[1],
                temperature_max=max(cells) + noise[0],
            )
        )
    )
    assert shown["charge_power"] - shown["discharge_power"] == shown["power"]
    assert min(shown["charge_power"], shown["discharge_power"]) == 0
    assert shown["energy_remaining"] == round(
        shown["capacity_remaining"] * shown["cells"] * 3.2 / 1000, 3
    )
    voltages = [shown[f"cell_voltage/2/{n}"] for n in range(1, len(cells) + 1)]
    temperatures = [shown[f"temperature/2/{n}"] for n in range(1, len(cells) + 1)]
    low, high = shown["cell_voltage_min"], shown["cell_voltage_max"]
    assert (low, high) == (min(voltages), max(voltages))
    assert shown[f"cell_voltage/{shown['cell_min']}"] == low
    assert shown[f"cell_voltage/{shown['cell_max']}"] == high
    assert shown["cell_voltage_delta"] == round(high - low, 3)
    assert shown["cell_voltage_average"] == round(math.fsum(voltages) / len(voltages), 3)
    assert shown["temperature_max"] == max(temperatures)
    assert shown["temperature_min"] == min(temperatures)
    assert shown["power"] == round(shown["voltage"] * shown["current"], 1) + 0.0
    assert shown["capacity_remaining"] == round(
        shown["soc"] / 100 * settings["settings/capacity"], 1
    )
    amperes = shown["current"]
    state = "idle" if abs(amperes) <= idle_current else "charging" if amperes > 0 else "discharging"
    assert shown["charge_state"] == state
    assert (shown["charging"], shown["discharging"]) == (
        state == "charging",
        state == "discharging",
    )


# --- alarms ---


@pytest.mark.parametrize(
    ("error", "message", "alarm"),
    [
        (ErrorState(present=0, unit_address=2), "x", None),
        (ErrorState(number=1), "x", UNKNOWN),
        (None, "x", UNKNOWN),
        (
            ErrorState(present=1, unit_address=2, number=1, location=3),
            "",
            Alarm(1, "Cell voltage too high", 2, 3),
        ),
        (ErrorState(present=True, number=18), "odd", Alarm(18, "Error 18: odd", None, None)),
        (ErrorState(present=1), "<b>odd", Alarm(None, "Error: odd", None, None)),
        (ErrorState(present=1), None, Alarm(None, "Error", None, None)),
    ],
)
def test_an_alarm_is_active_none_or_unknown(
    error: ErrorState | None, message: str | None, alarm: Any
) -> None:
    frame = pack_of(error_state=error, error_message=message)
    raised = isinstance(alarm, Alarm)
    assert Normalizer().status(frame).alarms == (
        (AlarmTransition(is_raised=True, alarm=alarm),) if raised else ()
    )


# --- the description ---


def test_the_description_has_both_frames_without_the_serial_number() -> None:
    normalizer = Normalizer()
    assert normalizer.description == DeviceInfo(units=())
    normalizer.status(STATUS)
    units = (UnitInfo(address=2, cells=4, sensors=1),)
    assert normalizer.description == DeviceInfo(units=units)
    normalizer.settings(SETTINGS)
    assert normalizer.description == DeviceInfo(
        units=units, model="ABMS", chemistry="LiFePO4 Winston", capacity=320.0
    )
    normalizer.status(units_of(Slave(address=3), Slave(address=1, temperatures=[20.0])))
    assert normalizer.description == DeviceInfo(
        units=(UnitInfo(1, 0, 1), UnitInfo(3, 0, 0)),
        model="ABMS",
        chemistry="LiFePO4 Winston",
        capacity=320.0,
    )


def test_the_serial_number_is_in_the_description_only_with_include_serial() -> None:
    normalizer = Normalizer(include_serial=True)
    readings = normalizer.settings(SETTINGS)
    assert normalizer.description.serial == "1A-2261"
    assert "1A-2261" not in json.dumps(values_of(readings))
    normalizer.settings(Settings(serial="x" * 100))
    assert normalizer.description.serial == "x" * 32
    normalizer.settings(Settings(serial=""))
    assert normalizer.description.serial is None


def test_a_frame_without_units_does_not_change_whether_units_have_addresses() -> None:
    normalizer = Normalizer()
    master = {"voltage": 13.0}
    for frame in (
        units_of(Slave(address=2), **master),
        pack_of(**master),
        units_of(Slave(), **master),
    ):
        normalizer.status(frame)
    assert normalizer.description.units == ()
