"""The state of a BMS as one line: for people (text), or as a row of a table (CSV).

The lines of `run --format`. Values are those of messages, by their keys; a key that is missing is
unknown. Pure: the time is an argument, in Unix seconds.
"""

import csv
import datetime as dt
import io
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from recbms_zmq.reporting.messages import AlarmChange, Payload
from recbms_zmq.sensors.alarm_tracker import Alarm
from recbms_zmq.text import amount, printable
from recbms_zmq.wire.alarms import alarm_location

COLUMNS: Final = (
    "time",
    "device",
    "availability",
    "soc",
    "voltage",
    "current",
    "power",
    "charge_state",
    "time_to_full",
    "time_to_empty",
    "temperature_max",
    "cell_voltage_min",
    "cell_voltage_max",
    "cell_voltage_delta",
    "cell_min",
    "cell_max",
    "capacity_remaining",
    "energy_charged",
    "energy_discharged",
    "error_number",
    "charge_power",
    "discharge_power",
    "energy_remaining",
    "cell_voltage_average",
    "temperature_min",
    "balancing",
    "cycles",
    "last_alarm",
    "last_alarm_time",
)
"""The columns of the CSV, which never change their order: a new one is added at the end."""
_EXACT_UP_TO: Final = 10  # hours, from which on the minutes of a remaining time do not matter


class Summary(Protocol):
    """A kind of line. A line has no newline at its end, and no other control characters."""

    header: str
    """The first line; empty for none."""

    def state(self, device: str, wall: float, values: Mapping[str, Payload]) -> str:
        """Return the line of a BMS that is online."""

    def change(self, device: str, wall: float, text: str, *, offline: bool) -> str:
        """Return the line of an alarm, or of a BMS that is offline or online; empty for none."""


class TextSummary:
    """Lines such as `14:03:22   28.5 %   13.24 V    +7.46 A  charging, full in 31 h`.

    The time is local. The id of the BMS follows it if there are several.

    Args:
        devices: ids of the BMS, as far as they are known; others can follow.

    """

    header = ""

    def __init__(self, devices: Iterable[str] = ()) -> None:
        self._devices = set(devices)

    def state(self, device: str, wall: float, values: Mapping[str, Payload]) -> str:
        """Return the line of a BMS that is online."""
        parts = [
            amount(_number(values, "soc"), "%", 1).rjust(7),
            amount(_number(values, "voltage"), "V", 2).rjust(8),
            amount(_number(values, "current"), "A", 2, signed=True).rjust(9),
            ", ".join(filter(None, (str(values.get("charge_state") or ""), time_left(values)))),
        ]
        if values.get("problem"):
            parts.append(f"alarm: {values.get('error_text') or 'unknown'}")
        return self._line(device, wall, "  ".join(part for part in parts if part))

    def change(self, device: str, wall: float, text: str, *, offline: bool) -> str:  # noqa: ARG002 the text has it
        """Return the line of a change."""
        return self._line(device, wall, text)

    def _line(self, device: str, wall: float, text: str) -> str:
        device = printable(device)
        self._devices.add(device)
        name = ""
        if len(self._devices) > 1:
            name = f"  {device:<{max(map(len, self._devices))}}"
        clock = dt.datetime.fromtimestamp(wall, dt.UTC).astimezone().strftime("%H:%M:%S")
        return f"{clock}{name}  {printable(text)}"


class CsvSummary:
    """Rows of `COLUMNS`: the time is UTC, an unknown value is empty.

    A BMS that becomes offline has a row without values.
    """

    header = ",".join(COLUMNS)

    def state(self, device: str, wall: float, values: Mapping[str, Payload]) -> str:
        """Return the row of a BMS that is online."""
        return _row(device, wall, "online", values)

    def change(self, device: str, wall: float, text: str, *, offline: bool) -> str:  # noqa: ARG002 rows have values only
        """Return the row of a BMS that is offline; nothing for another change."""
        return _row(device, wall, "offline", {}) if offline else ""


def open_summary(form: str, devices: Iterable[str] = ()) -> Summary:
    """Return the kind of line of `--format`: text or csv."""
    return CsvSummary() if form == "csv" else TextSummary(devices)


def describe_alarm(alarm: Alarm | AlarmChange) -> str:
    """Return number, text and location: `error 2, Cell voltage too low (unit 2, cell 3)`."""
    number = "" if alarm.number is None else f"error {alarm.number}, "
    return f"{number}{alarm.text}{alarm_location(alarm.number, alarm.unit, alarm.cell)}"


def _row(device: str, wall: float, availability: str, values: Mapping[str, Payload]) -> str:
    ts = dt.datetime.fromtimestamp(wall, dt.UTC).isoformat(timespec="milliseconds")
    # As in messages, so that both can be joined; Python writes +00:00.
    fields = [ts.removesuffix("+00:00") + "Z", printable(device), availability]
    fields += [_field(values.get(key)) for key in COLUMNS[len(fields) :]]
    # A text of the BMS may hold a comma or a quote.
    row = io.StringIO()
    csv.writer(row, lineterminator="").writerow(fields)
    return row.getvalue()


def _field(value: Payload) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else printable(str(value))


def _number(values: Mapping[str, Payload], key: str) -> float | None:
    value = values.get(key)
    return None if isinstance(value, str) else value


def time_left(values: Mapping[str, Payload]) -> str:
    """Return `full in 31 h`, `empty in 3 h 05 min`, `full in 45 min`; nothing if it is unknown."""
    minutes = _number(values, "time_remaining_minutes")
    for end in ("full", "empty"):
        if minutes is not None and values.get(f"time_to_{end}") is not None:
            hours, rest = divmod(int(minutes), 60)
            if hours >= _EXACT_UP_TO:
                return f"{end} in {hours} h"
            return f"{end} in {hours} h {rest:02} min" if hours else f"{end} in {rest} min"
    return ""
