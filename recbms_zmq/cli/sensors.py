"""`recbms-zmq sensors`: the sensor table, for reading, for documents, and for programs."""

import argparse
import inspect
import json
from typing import Any

import msgspec

from recbms_zmq.config.option import refuse_without_effect
from recbms_zmq.reporting.messages import Message
from recbms_zmq.sensors.sensor import Sensor
from recbms_zmq.sensors.table import SENSORS

HEADINGS = ("key", "name", "unit", "what it is")

EPILOG = """\
In the keys, U is the address of a unit, N the number of a cell or a temperature
sensor, from 1.

examples:
  recbms-zmq sensors
  recbms-zmq sensors --format json | jq -r '.[].key'
  recbms-zmq sensors --schema > messages.schema.json

exit codes: 0 done; 2 wrong option.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `sensors`."""
    parser.usage = "%(prog)s [OPTIONS]"
    parser.description = "Show what is published: key, name, unit and meaning of every sensor."
    parser.epilog = EPILOG
    parser.add_argument(
        "--format", choices=("text", "markdown", "json"), help="form of the table (default: text)"
    )
    parser.add_argument(
        "--schema", action="store_true", help="print the JSON Schema of the messages instead"
    )


def main(args: argparse.Namespace) -> int:
    """Print the table."""
    if args.schema:
        refuse_without_effect(args, ["format"], "with --schema, which is JSON")
        print(json.dumps(schema(), indent=2))
    elif args.format == "json":
        print(json.dumps([_record(sensor) for sensor in SENSORS], indent=2))
    else:
        print(markdown() if args.format == "markdown" else _text())
    return 0


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the messages."""
    written = msgspec.json.schema(Message)
    # OpenAPI's word, which JSON Schema does not have: strict validators refuse it. Nothing is lost,
    # because each kind has its own `enum` of one.
    written.pop("discriminator", None)
    for each in written["$defs"].values():
        each["description"] = inspect.cleandoc(each["description"])
    return {
        # The dialect that msgspec writes.
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        # The number is that of the message contract, not of the program.
        "$id": "urn:recbms-zmq:message:1",
        "title": "Message of recbms-zmq",
        **written,
    }


def markdown() -> str:
    """Return the table as Markdown."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    for key, *rest in map(_cells, SENSORS):
        lines.append("| " + " | ".join((f"`{key}`", *rest)) + " |")
    return "\n".join(lines)


def _text() -> str:
    rows = [HEADINGS, *map(_cells, SENSORS)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = (map(str.ljust, row, widths) for row in rows)
    return "\n".join("  ".join(cells).rstrip() for cells in padded)


def _cells(sensor: Sensor) -> tuple[str, str, str, str]:
    """Return a row of the table; U is a unit's address, N a number from 1."""
    marks = {"unit": "U", "number": "N"}
    about = sensor.about
    if sensor.options:
        about = f"{', '.join(sensor.options)}. {about}"
    elif sensor.component == "binary_sensor":
        about = f"true or false. {about}"
    return (
        sensor.key.format_map(marks),
        sensor.name.format_map(marks),
        sensor.unit or "",
        about.strip(),
    )


def _record(sensor: Sensor) -> dict[str, Any]:
    return {
        "key": sensor.key,
        "name": sensor.name,
        "unit": sensor.unit,
        "decimals": sensor.decimals,
        "group": sensor.group,
        "about": sensor.about,
        "ha": sensor.home_assistant(),
    }
