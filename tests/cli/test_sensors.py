"""Tests of `recbms-zmq sensors`: the table for people, documents and programs."""

import json

import pytest

from recbms_zmq.cli import main
from recbms_zmq.cli.sensors import markdown
from recbms_zmq.sensors.table import SENSORS


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["sensors", *arguments]) == 0
    return capsys.readouterr().out


def test_the_text_has_a_line_a_sensor_in_columns(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys).splitlines()
    assert len(lines) == 1 + len(SENSORS)
    starts = [lines[0].index(heading) for heading in ("key", "name", "unit", "what it is")]
    cell = next(line for line in lines if line.startswith("cell_voltage/U/N "))
    cuts = zip(starts, [*starts[1:], None], strict=True)
    assert [cell[start:end].strip() for start, end in cuts] == [
        "cell_voltage/U/N",
        "Unit U cell N voltage",
        "V",
        "One per cell.",
    ]
    assert [line for line in lines if line != line.rstrip()] == []


def test_the_markdown_is_a_table_of_four_columns(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "--format", "markdown").splitlines()
    assert lines[:2] == ["| key | name | unit | what it is |", "|---|---|---|---|"]
    assert len(lines) == 2 + len(SENSORS)
    assert [line for line in lines if line.count("|") != 5] == []
    assert "| `soc` | State of charge | % | How full the pack is. |" in lines
    assert "\n".join(lines) == markdown()


def test_what_a_sensor_can_say_is_in_the_table() -> None:
    assert "| charging, discharging, idle. Idle is" in markdown()
    assert "| true or false. True while the pack is being charged. |" in markdown()


def test_the_json_has_everything_that_a_program_needs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    records = json.loads(printed(capsys, "--format", "json"))
    assert [record["key"] for record in records] == [sensor.key for sensor in SENSORS]
    assert next(record for record in records if record["key"] == "soc") == {
        "key": "soc",
        "name": "State of charge",
        "unit": "%",
        "decimals": 1,
        "group": "pack",
        "about": "How full the pack is.",
        "ha": {
            "component": "sensor",
            "device_class": "battery",
            "state_class": "measurement",
            "suggested_display_precision": 1,
        },
    }


def test_the_schema_is_that_of_the_messages(capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads(printed(capsys, "--schema"))
    assert {entry["$ref"] for entry in schema["anyOf"]} == {
        f"#/$defs/{name}" for name in ("Reading", "Availability", "Event", "Snapshot", "Device")
    }
    assert schema["$defs"]["DeviceInfo"]["required"] == ["units"]
    assert schema["$defs"]["AlarmChange"]["properties"]["event"] == {
        "enum": ["alarm_cleared", "alarm_raised"]
    }
