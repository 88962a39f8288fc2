"""Tests of `recbms-zmq sensors`: the table for people, documents and programs."""

import json
from typing import Any

import pytest
from jsonschema.validators import validator_for
from support.bms import FakeBms
from support.fixtures import Run
from support.frames import status

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


def test_the_values_of_a_sensor_are_in_the_table() -> None:
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
    about = schema["$defs"]["AlarmChange"]["description"].splitlines()
    assert about[:3] == ["An alarm that came or went.", "", "Attributes:"]
    assert schema["$defs"]["AlarmChange"]["properties"]["event"] == {
        "enum": ["alarm_cleared", "alarm_raised"]
    }


def keywords(schema: dict[str, Any]) -> set[str]:
    inner = [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    for each in ("$defs", "properties"):
        inner += schema.get(each, {}).values()
    return set(schema).union(*map(keywords, inner))


def test_the_schema_has_no_keyword_that_strict_validators_refuse(
    capsys: pytest.CaptureFixture[str],
) -> None:
    schema = json.loads(printed(capsys, "--schema"))
    annotations = {"$schema", "$id", "$defs", "title", "description", "default"}
    assert keywords(schema) - annotations <= set(validator_for(schema).VALIDATORS)


def test_the_schema_takes_messages_and_nothing_else(
    capsys: pytest.CaptureFixture[str], bms: FakeBms, run: Run
) -> None:
    schema = json.loads(printed(capsys, "--schema"))
    assert schema["$id"] == "urn:recbms-zmq:message:1"
    # Which dialect it is in, is in it.
    validator = validator_for(schema)
    validator.check_schema(schema)
    service = run("--emit", "both", bms.url)
    service.message(kind="snapshot")
    bms.send(status(erro={"present": 1, "addr": 2, "st": 2, "con_st": 3}))
    service.message(kind="event")
    messages = service.messages
    kinds = {message["kind"] for message in messages}
    assert kinds == {"reading", "availability", "event", "snapshot", "device"}
    for message in messages:
        validator(schema).validate(message)
    wrong: list[Any] = [{**messages[0], "kind": "other"}, {**messages[0], "seq": "1"}, {}, []]
    assert not any(validator(schema).is_valid(message) for message in wrong)
