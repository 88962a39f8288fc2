"""Rules of the sensor table. What a row is published as stands in `expected/real_frames.jsonl`."""

import re

from recbms_zmq.sensors.settings_table import SETTINGS_SENSORS
from recbms_zmq.sensors.table import SENSORS, STATUS_SENSORS


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


def test_values_of_one_unit_have_the_same_decimals_but_for_these() -> None:
    """What is shown side by side, and what counts as a change."""
    usual: dict[str | None, int | None] = {"V": 3, "A": 2, "W": 1, "%": 1, "°C": 1, "K": 1, "h": 2}
    usual |= {"Ah": 1, "kWh": 3, "mΩ": 3, "s": 2, "1/h": 3, "min": 0, "bit/s": None, None: None}
    others = {row.key: row.decimals for row in SENSORS if row.decimals != usual[row.unit]}
    outputs = {
        f"settings/{output}_{what}": 3  # of a unit that depends on its task
        for output in ("relay_1", "optocoupler_2")
        for what in ("level", "hysteresis", "value")
    }
    assert others == outputs | {
        "voltage": 2,
        "charge_in": 2,
        "charge_out": 2,
        "settings/current_step": 6,
        "settings/float_voltage_coefficient": 3,
    }
