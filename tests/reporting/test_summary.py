"""The state of a BMS as one line of text or CSV, known or not."""

import csv
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbms_zmq.reporting.messages import Payload
from recbms_zmq.reporting.summary import COLUMNS, CsvSummary, TextSummary, open_summary

WALL = 1795703002.5  # 2026-11-26T14:23:22.500Z
CHARGING: dict[str, Payload] = {
    "soc": 28.5,
    "voltage": 13.24,
    "current": 7.46,
    "charge_state": "charging",
    "time_remaining_minutes": 1860,
    "time_to_full": 31.0,
    "time_to_empty": None,
    "problem": False,
    "error_text": "No error",
}


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, " 28.5 %   13.24 V    +7.46 A  charging, full in 31 h"),
        (
            {
                "current": -1234.5,
                "voltage": 812.5,
                "soc": 100.0,
                "charge_state": "discharging",
                "time_to_full": None,
                "time_to_empty": 3.08,
                "time_remaining_minutes": 185,
            },
            "100.0 %  812.50 V  -1234.50 A  discharging, empty in 3 h 05 min",
        ),
        ({"time_remaining_minutes": 45}, " 28.5 %   13.24 V    +7.46 A  charging, full in 45 min"),
        (
            {"time_remaining_minutes": 599},
            " 28.5 %   13.24 V    +7.46 A  charging, full in 9 h 59 min",
        ),
        ({"time_remaining_minutes": 600}, " 28.5 %   13.24 V    +7.46 A  charging, full in 10 h"),
        ({"time_remaining_minutes": None}, " 28.5 %   13.24 V    +7.46 A  charging"),
        (
            {"current": 0.0, "charge_state": "idle", "time_to_full": None},
            " 28.5 %   13.24 V     0.00 A  idle",
        ),
        (
            {"problem": True, "error_text": "Cell voltage too low"},
            " 28.5 %   13.24 V    +7.46 A  charging, full in 31 h  alarm: Cell voltage too low",
        ),
        (dict.fromkeys(CHARGING), "    ? %       ? V        ? A"),
    ],
)
def test_a_line_for_people(changes: dict[str, Payload], line: str) -> None:
    shown = TextSummary(["main"]).state("main", WALL, CHARGING | changes)
    assert shown == f"14:23:22  {line}"


def test_nothing_known_is_a_line_too() -> None:
    assert TextSummary().state("main", WALL, {}) == "14:23:22      ? %       ? V        ? A"


def test_the_name_is_in_front_if_there_are_several() -> None:
    summary = TextSummary(["boat", "house"])
    shown = [
        summary.state("boat", WALL, CHARGING),
        summary.change("house", WALL, "offline: connection refused", offline=True),
    ]
    assert shown == [
        "14:23:22  boat    28.5 %   13.24 V    +7.46 A  charging, full in 31 h",
        "14:23:22  house  offline: connection refused",
    ]


def test_rows_of_a_table() -> None:
    summary = CsvSummary()
    offline = summary.change("main", WALL, "offline: stopped", offline=True)
    rows = [summary.header, summary.state("main", WALL, CHARGING | {"balancing": True}), offline]
    assert summary.change("main", WALL, "alarm raised: error 2", offline=False) == ""
    assert rows == [
        (
            "time,device,availability,soc,voltage,current,power,charge_state,time_to_full,"
            "time_to_empty,temperature_max,cell_voltage_min,cell_voltage_max,cell_voltage_delta,"
            "cell_min,cell_max,capacity_remaining,energy_charged,energy_discharged,error_number,"
            "charge_power,discharge_power,energy_remaining,cell_voltage_average,temperature_min,"
            "balancing,cycles,last_alarm,last_alarm_time"
        ),
        "2026-11-26T14:23:22.500Z,main,online,28.5,13.24,7.46,,charging,31.0,,,,,,,,,,,,,,,,,true,,,",
        "2026-11-26T14:23:22.500Z,main,offline,,,,,,,,,,,,,,,,,,,,,,,,,,",
    ]


VALUES = st.dictionaries(
    st.sampled_from([*COLUMNS[3:], "problem", "error_text", "time_remaining_minutes"]),
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
)


@given(st.sampled_from(["text", "csv"]), VALUES)
def test_any_values_are_one_line_of_all_columns(form: str, values: dict[str, Payload]) -> None:
    line = open_summary(form).state("main", WALL, values)
    assert line.isprintable()
    if form == "csv":
        (row,) = csv.reader([line])
        assert len(row) == len(COLUMNS)
