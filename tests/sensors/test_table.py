"""Tests of the sensor table, held against the design's table, row by row."""

import re

from recbms_zmq.sensors.settings_table import SETTINGS_SENSORS
from recbms_zmq.sensors.table import SENSORS, STATUS_SENSORS

# key: unit, decimals, device class, state class, entity category, component, on at first
DESIGN = {
    "voltage": ("V", 2, "voltage", "measurement", None, "sensor", True),
    "current": ("A", 2, "current", "measurement", None, "sensor", True),
    "power": ("W", 1, "power", "measurement", None, "sensor", True),
    "soc": ("%", 1, "battery", "measurement", None, "sensor", True),
    "soh": ("%", 1, None, "measurement", None, "sensor", True),
    "temperature_max": ("°C", 1, "temperature", "measurement", None, "sensor", True),
    "cell_voltage_min": ("V", 3, "voltage", "measurement", None, "sensor", True),
    "cell_voltage_max": ("V", 3, "voltage", "measurement", None, "sensor", True),
    "cell_voltage_delta": ("V", 3, "voltage", "measurement", None, "sensor", True),
    "cell_min": (None, None, None, None, "diagnostic", "sensor", True),
    "cell_max": (None, None, None, None, "diagnostic", "sensor", True),
    "time_remaining": ("h", 2, "duration", "measurement", None, "sensor", True),
    "time_remaining_minutes": ("min", 0, "duration", "measurement", None, "sensor", True),
    "time_remaining_text": (None, None, None, None, None, "sensor", True),
    "time_to_full": ("h", 2, "duration", "measurement", None, "sensor", True),
    "time_to_empty": ("h", 2, "duration", "measurement", None, "sensor", True),
    "charge_state": (None, None, "enum", None, None, "sensor", True),
    "charging": (None, None, "battery_charging", None, None, "binary_sensor", True),
    "discharging": (None, None, None, None, None, "binary_sensor", True),
    "problem": (None, None, "problem", None, None, "binary_sensor", True),
    "error_number": (None, None, None, None, None, "sensor", True),
    "error_text": (None, None, None, None, None, "sensor", True),
    "error_message": (None, None, None, None, None, "sensor", True),
    "error_unit": (None, None, None, None, "diagnostic", "sensor", True),
    "error_cell": (None, None, None, None, "diagnostic", "sensor", True),
    "last_update": (None, None, "timestamp", None, "diagnostic", "sensor", True),
    "units": (None, None, None, None, "diagnostic", "sensor", True),
    "cells": (None, None, None, None, "diagnostic", "sensor", True),
    "capacity_remaining": ("Ah", 1, None, "measurement", None, "sensor", True),
    "energy_charged": ("kWh", 3, "energy", "total_increasing", None, "sensor", True),
    "energy_discharged": ("kWh", 3, "energy", "total_increasing", None, "sensor", True),
    "charge_in": ("Ah", 2, None, "total_increasing", None, "sensor", True),
    "charge_out": ("Ah", 2, None, "total_increasing", None, "sensor", True),
    "charge_power": ("W", 1, "power", "measurement", None, "sensor", True),
    "discharge_power": ("W", 1, "power", "measurement", None, "sensor", True),
    "energy_remaining": ("kWh", 3, "energy_storage", "measurement", None, "sensor", True),
    "temperature_min": ("°C", 1, "temperature", "measurement", None, "sensor", True),
    "balancing": (None, None, None, None, None, "binary_sensor", True),
    "cycles": (None, None, None, "total_increasing", None, "sensor", True),
    "last_alarm": (None, None, None, None, None, "sensor", True),
    "last_alarm_time": (None, None, "timestamp", None, None, "sensor", True),
    "cell_voltage_average": ("V", 3, "voltage", "measurement", None, "sensor", False),
    "bms_temperature/{unit}": (
        "°C",
        1,
        "temperature",
        "measurement",
        "diagnostic",
        "sensor",
        True,
    ),
    "temperature/{unit}/{number}": ("°C", 1, "temperature", "measurement", None, "sensor", True),
    "cell_voltage/{unit}/{number}": ("V", 3, "voltage", "measurement", None, "sensor", True),
    "cell_resistance/{unit}/{number}": (
        "mΩ",
        3,
        None,
        "measurement",
        "diagnostic",
        "sensor",
        False,
    ),
    "cell_balancing/{unit}/{number}": (
        None,
        None,
        None,
        None,
        "diagnostic",
        "binary_sensor",
        False,
    ),
    "link/frames": (None, None, None, "total_increasing", "diagnostic", "sensor", False),
    "link/bad_frames": (None, None, None, "total_increasing", "diagnostic", "sensor", False),
    "link/reconnects": (None, None, None, "total_increasing", "diagnostic", "sensor", False),
    "link/frame_interval": ("s", 2, "duration", "measurement", "diagnostic", "sensor", False),
}


def test_the_table_is_that_of_the_design() -> None:
    assert {
        row.key: (
            row.unit,
            row.decimals,
            row.device_class,
            row.state_class,
            row.entity_category,
            row.component,
            row.enabled_by_default,
        )
        for row in STATUS_SENSORS
    } == DESIGN


def test_these_sensors_differ_in_every_frame() -> None:
    assert [row.key for row in SENSORS if row.every_frame] == [
        "last_update",
        "link/frames",
        "link/bad_frames",
        "link/reconnects",
        "link/frame_interval",
    ]


def test_keys_are_unique_and_valid_in_a_topic() -> None:
    keys = [row.key for row in SENSORS]
    assert len(set(keys)) == len(keys)
    filled = [key.format(unit=255, number=32) for key in keys]
    assert [key for key in filled if not re.fullmatch(r"[a-z0-9_/-]+", key)] == []


def test_no_two_sensors_have_one_name() -> None:
    names = [row.name for row in SENSORS]
    assert len(set(names)) == len(names)


def test_the_names_of_cells_and_sensors_carry_their_unit() -> None:
    per_unit = [row for row in SENSORS if row.group in ("unit", "temperature", "cell")]
    assert [row.key for row in per_unit if not row.name.startswith("Unit {unit} ")] == []


def test_settings_are_for_the_installer() -> None:
    assert [
        row.key
        for row in SETTINGS_SENSORS
        if row.enabled_by_default
        or row.entity_category != "diagnostic"
        or not row.key.startswith("settings/")
    ] == []


def test_every_sensor_of_the_status_has_a_description() -> None:
    assert [row.key for row in STATUS_SENSORS if not row.about.endswith(".")] == []
