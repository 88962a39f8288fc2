"""Every fault that the simulator has, and what a user of the command sees of it.

Both ends are the real command: `recbms-zmq simulate --faults` and `recbms-zmq run`.
"""

import re
from itertools import groupby
from typing import Any, Final

import pytest
from support.fixtures import Run, Start, Subscribe
from support.process import Command

from recbms_zmq.simulator.faults import KINDS

pytestmark = pytest.mark.slow

Messages = list[dict[str, Any]]
UNIT_2: Final = (
    "bms_temperature/2",
    "temperature/2/1",
    *(f"cell_voltage/2/{n}" for n in (1, 2, 3, 4)),
    *(f"cell_resistance/2/{n}" for n in (1, 2, 3, 4)),
    *(f"cell_balancing/2/{n}" for n in (1, 2, 3, 4)),
)


def begin(start: Start, run: Run, faults: str, *options: str, simulated: str = "") -> Command:
    """Start a simulator with faults, and the service that reads it."""
    simulator = start("simulate", "--port", "0", "--faults", faults, *simulated.split())
    address = simulator.stdout.line("ws://")
    return run("--no-publish", "--report", "all", *options, address)


def wait_for_count(service: Command, key: str, least: int) -> None:
    """Wait until a counter of the link has come so far."""
    service.messages_until(lambda m: m["key"] == key and m["payload"] >= least, f"{least} {key}")


def availability(service: Command) -> list[str]:
    return [m["payload"] for m in service.messages if m["kind"] == "availability"]


def payloads_of(messages: Messages, key: str) -> list[Any]:
    """Return the payloads of a topic, without repeats in a row."""
    payloads = [m["payload"] for m in messages if m["key"] == key]
    return [value for n, value in enumerate(payloads) if n == 0 or value != payloads[n - 1]]


def log(service: Command, text: str) -> list[str]:
    """Return the lines of the log that hold a text, without date and level."""
    return [line.decode().split(" ", 3)[3] for line in service.stderr if text in line.decode()]


def end(service: Command) -> Messages:
    """Stop the service by SIGTERM; return all messages."""
    assert service.stop() == 0
    assert "Traceback" not in service.stderr.text()
    service.stdout.all()
    return service.messages


LINKS: Final = {
    "drop every 1s": "connection lost",
    "cut every 1s": "connection lost",
    "refuse every 4s for 500ms": "connection lost",
    "close every 4s for 500ms": "connection closed by the BMS, code 1000 (OK)",
    "goodbye every 4s for 500ms": "connection closed by the BMS, code 1000 (OK)",
}


@pytest.mark.parametrize("faults", LINKS)
def test_a_link_that_breaks_is_renewed_logged_once_and_no_reason_to_be_offline(
    faults: str, start: Start, run: Run
) -> None:
    service = begin(start, run, faults, simulated="--rate 20")
    wait_for_count(service, "link/reconnects", 2)
    assert availability(service) == ["offline", "online"]
    first, *others = log(service, "trying again")
    if faults.startswith("refuse") and not first.endswith("lost; trying again"):
        first = others[0]  # it was asked for the first time while it refused
    assert first == f"main: {LINKS[faults]}; trying again"
    messages = end(service)
    assert payloads_of(messages, "link/bad_frames") == [0]  # half of a frame is none
    assert availability(service) == ["offline", "online", "offline"]


@pytest.mark.parametrize("name", ["stall", "freeze"])
def test_silence_is_offline_and_then_everything_is_sent_again(
    name: str, start: Start, run: Run
) -> None:
    service = begin(
        start, run, f"{name} every 3s for 2s", "--stale-after", "0.8", simulated="--rate 20"
    )
    service.message(key="availability", seq=4, payload="online")
    service.message(key="soc", seq=service.message(key="soc")["seq"] + 1)
    messages = end(service)
    payloads = [(m["payload"], m["reason"]) for m in messages if m["kind"] == "availability"]
    assert payloads[1] == ("online", "status frames arrive")
    assert payloads[2][0] == "offline"
    assert payloads[2][1].startswith("no status frame for 0.8 s")
    places = [n for n, m in enumerate(messages) if m["kind"] == "availability"]
    assert places[3] == places[2] + 1  # no reading while offline
    first, second = (
        {m["key"] for m in messages[place:] if m["ts"] == messages[place]["ts"]}
        for place in (places[1], places[3])
    )
    assert second >= {key for key in first if not key.startswith(("settings/", "device"))}


def test_a_burst_costs_no_frame(start: Start, run: Run, subscribe: Subscribe) -> None:
    simulator = start(
        *("simulate", "--port", "0", "--rate", "50", "--faults", "burst every 1s for 900ms")
    )
    # Not on stdout: 45 frames are more than a pipe holds.
    service = run("--no-stdout", "--report", "all", simulator.stdout.line("ws://"))
    subscriber = subscribe(service.endpoint(), "recbms/main/voltage", "recbms/main/availability")
    first = subscriber.message(key="voltage")["seq"]  # a replay, if it came late
    subscriber.message(key="voltage", seq=first + 150)
    messages = [m for m in subscriber.messages if m["key"] == "voltage"]
    assert sorted({m["seq"] for m in messages}) == list(range(first, first + 151))
    assert payloads_of(subscriber.messages, "availability")[-1] == "online"


DROPPED: Final = {
    "half-frame": "not JSON",
    "garbage": "not JSON",
    "deep": "not JSON",
    "unknown-type": "unknown message type",
}


@pytest.mark.parametrize("name", DROPPED)
def test_a_message_that_is_no_frame_is_counted_logged_once_and_costs_nothing_else(
    name: str, start: Start, run: Run
) -> None:
    service = begin(start, run, f"{name} every 200ms", simulated="--rate 20")
    wait_for_count(service, "link/bad_frames", 3)
    messages = end(service)
    assert [line.partition(" (")[0] for line in log(service, "dropped")] == [
        f"main: a message was dropped: {DROPPED[name]}"
    ]
    assert payloads_of(messages, "link/reconnects") == [0]
    assert payloads_of(messages, "availability") == ["offline", "online", "offline"]
    assert None not in payloads_of(messages, "voltage")


FIELDS: Final = ("bad-utf8", "nan", "wrong-types", "missing-keys", "unknown-keys")


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_is_wrong_costs_itself_and_is_back_with_the_next_frame(
    name: str, start: Start, run: Run
) -> None:
    # Every second frame of about 60 is hit somewhere else.
    service = begin(start, run, f"{name} every 100ms", simulated="--rate 20")
    wait_for_count(service, "link/frames", 60)
    messages = end(service)
    log_lines = log(service, "counted in link/bad_frames")
    assert len(log_lines) == len({line.partition(" (")[0] for line in log_lines})
    assert payloads_of(messages, "link/reconnects") == [0]
    assert payloads_of(messages, "availability") == ["offline", "online", "offline"]
    text = service.stdout.text()
    assert "NaN" not in text
    assert "Infinity" not in text
    # Not the last frame: what it has lost is not back yet.
    readings = [m for m in messages if re.fullmatch("voltage|current|cell_voltage/2/.", m["key"])]
    lost = {m["key"] for m in readings if m["payload"] is None and m["ts"] < readings[-1]["ts"]}
    if name != "bad-utf8":  # which may well miss these
        assert bool(lost) == (name != "unknown-keys")
    for key in lost:
        payloads = payloads_of(messages, key)
        assert payloads[payloads.index(None) + 1] is not None


def test_a_bms_that_never_pongs_is_read_on(start: Start, run: Run) -> None:
    service = begin(start, run, "no-pong at 0s for 1h", simulated="--rate 20")
    wait_for_count(service, "link/frames", 60)
    assert payloads_of(end(service), "link/reconnects") == [0]


def test_binary_messages_that_hold_a_frame_are_read(start: Start, run: Run) -> None:
    service = begin(start, run, "binary 100%", simulated="--rate 20")
    wait_for_count(service, "link/frames", 10)
    assert payloads_of(end(service), "link/bad_frames") == [0]


def test_a_frame_of_5_mib_closes_the_connection_which_is_renewed(start: Start, run: Run) -> None:
    service = begin(start, run, "huge every 1s", simulated="--rate 20")
    wait_for_count(service, "link/reconnects", 2)
    assert service.memory < 2**27
    messages = end(service)
    assert log(service, "trying again") == [
        "main: connection closed: a message was longer than --max-frame; trying again"
    ]
    assert payloads_of(messages, "availability") == ["offline", "online", "offline"]
    assert payloads_of(messages, "link/bad_frames") == [0]


def test_a_frame_without_units_makes_their_sensors_unknown_until_the_next_one(
    start: Start, run: Run
) -> None:
    service = begin(start, run, "empty every 1s", simulated="--rate 5")
    gone = service.message(key="cell_voltage/2/4", payload=None)
    back = service.message(key="cell_voltage/2/4", seq=gone["seq"] + 1)
    service.message(key="device", seq=3)
    messages = end(service)
    at_once = [m["key"] for m in messages if m["ts"] == gone["ts"] and m["payload"] is None]
    assert set(UNIT_2) <= set(at_once)
    assert {m["key"] for m in messages if m["ts"] == back["ts"]} >= set(UNIT_2)
    units = [m["payload"]["units"] for m in messages if m["kind"] == "device"]
    one = {"address": 2, "cells": 4, "sensors": 1}
    assert units[:3] in ([[one], [], [one]], [[], [one], []])


def test_a_unit_that_comes_back_at_another_position_keeps_its_name(start: Start, run: Run) -> None:
    service = begin(start, run, "unit every 2s for 1s", simulated="--rate 10 --units 2")
    # Both, in order; unit 2 is out; both, unit 2 is the last; unit 3 is out; and again.
    # A remark that comes or goes changes the description too.
    service.message(key="device", seq=9)
    messages = end(service)
    for unit in (2, 3):
        payloads = payloads_of(messages, f"cell_voltage/{unit}/1")
        assert payloads.count(None) >= 1
        assert all(value is None or 3 < value < 3.6 for value in payloads)
    units = [m["payload"]["units"] for m in messages if m["kind"] == "device"]
    described = [[unit["address"] for unit in each] for each in units]
    addresses = [each for each, _ in groupby(described)]
    turn = [[2, 3], [3], [2, 3], [2]] * 3
    assert len(addresses) > 2
    assert addresses[:6] in [turn[index : index + len(addresses[:6])] for index in range(4)]
    cells = {m["key"] for m in messages if m["key"].startswith("cell_voltage/")}
    assert cells == {f"cell_voltage/{u}/{n}" for u in (2, 3) for n in (1, 2, 3, 4)}
    assert payloads_of(messages, "availability") == ["offline", "online", "offline"]


def test_the_clock_of_the_bms_dates_nothing(start: Start, run: Run) -> None:
    service = begin(start, run, "clock at 0s for 1h")
    clock = service.message(key="settings/clock")
    assert clock["payload"] == "01.01.2000"
    last = service.message(key="last_update")
    assert clock["ts"] > "2026"
    assert last["payload"] == last["ts"]


def test_an_unknown_error_number_is_an_alarm_all_the_same(start: Start, run: Run) -> None:
    service = begin(start, run, "alarm=200 every 2s for 500ms", simulated="--rate 10")
    service.message(kind="event", seq=4)
    messages = end(service)
    alarm = {
        "number": 200,
        "text": "Error 200: Something new (simulated)",
        "advice": "",
        "unit": 2,
        "cell": 1,
    }
    events = [m["payload"] for m in messages if m["kind"] == "event"]
    assert events[:2] == [{"event": "alarm_raised", **alarm}, {"event": "alarm_cleared", **alarm}]
    while payloads_of(messages, "problem")[:1] == [True]:
        messages = messages[1:]
    assert payloads_of(messages, "problem")[:3] == [False, True, False]
    assert 200 in payloads_of(messages, "error_number")


def test_every_fault_has_been_met_here() -> None:
    links = {faults.partition(" ")[0] for faults in LINKS}
    others = {
        "no-pong",
        "stall",
        "freeze",
        "burst",
        "binary",
        "huge",
        "empty",
        "unit",
        "clock",
        "alarm",
    }
    assert links | set(DROPPED) | set(FIELDS) | others == set(KINDS)
