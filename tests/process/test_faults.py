"""Every fault that the simulator has, and what a user of the command sees of it.

Both ends are the real command: `recbms-zmq simulate --faults` and `recbms-zmq run`.
"""

from typing import Any, Final

import pytest
from support.fixtures import Run, Start, Subscribe
from support.process import Command

from recbms_zmq.simulator.faults import KINDS

pytestmark = pytest.mark.slow

Messages = list[dict[str, Any]]


def begin(start: Start, run: Run, faults: str, *options: str, simulated: str = "") -> Command:
    """Start a simulator with faults, and the service that reads it."""
    simulator = start("simulate", "--port", "0", "--faults", faults, *simulated.split())
    address = simulator.stdout.line("ws://")
    return run("--no-publish", "--report", "all", *options, address)


def wait_for_count(service: Command, key: str, least: int) -> None:
    """Wait until a counter of the link has come so far."""
    service.messages_until(lambda m: m["key"] == key and m["payload"] >= least, f"{least} {key}")


def payloads_of(messages: Messages, key: str) -> list[Any]:
    """Return the payloads of a topic, without repeats in a row."""
    payloads = [m["payload"] for m in messages if m["key"] == key]
    return [value for n, value in enumerate(payloads) if n == 0 or value != payloads[n - 1]]


def end(service: Command) -> Messages:
    """Stop the service by SIGTERM; return all messages."""
    assert service.stop() == 0
    assert "Traceback" not in service.stderr.text()
    service.stdout.all()
    return service.messages


# Seconds apart: on a busy machine each try of a fault every second can meet the next one, and the
# delays between tries double.
LINKS: Final = {
    "drop every 3s": "connection lost",
    "cut every 3s": "connection lost",
    "refuse every 4s for 500ms": "connection lost",
    "close every 4s for 500ms": "connection closed by the BMS, code 1000 (OK)",
    "goodbye every 4s for 500ms": "connection closed by the BMS, code 1000 (OK)",
    "huge every 1s": "connection closed: a message was longer than --max-frame",  # 5 MiB
}


@pytest.mark.parametrize("faults", LINKS)
def test_a_link_that_breaks_is_renewed_logged_once_and_no_reason_to_be_offline(
    faults: str, start: Start, run: Run
) -> None:
    service = begin(start, run, faults, simulated="--rate 20")
    wait_for_count(service, "link/reconnects", 2)
    assert service.availability == ["offline", "online"]
    first, *others = service.log("trying again")
    if faults.startswith("refuse") and not first.endswith("lost; trying again"):
        first = others[0]  # it was asked for the first time while it refused
    assert first == f"main: {LINKS[faults]}; trying again"
    messages = end(service)
    assert payloads_of(messages, "link/bad_frames") == [0]  # half of a frame is none
    assert service.availability == ["offline", "online", "offline"]


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


# What each of them makes of a frame is in tests/simulator, and what a wrong field costs in
# tests/sensors and tests/service.
SILENT: Final = {"stall", "freeze", "burst"}
FRAMES: Final = sorted(KINDS.keys() - {faults.partition(" ")[0] for faults in LINKS} - SILENT)


@pytest.mark.parametrize("name", FRAMES)
def test_no_other_fault_costs_the_connection_or_makes_the_bms_offline(
    name: str, start: Start, run: Run
) -> None:
    service = begin(start, run, f"{name} every 100ms", simulated="--rate 20 --units 2")
    wait_for_count(service, "link/frames", 40)
    messages = end(service)
    assert payloads_of(messages, "link/reconnects") == [0]
    assert payloads_of(messages, "availability") == ["offline", "online", "offline"]
    kinds = [line.partition(" (")[0] for line in service.log("counted in link/bad_frames")]
    assert len(kinds) == len(set(kinds))
    text = service.stdout.text()
    assert "NaN" not in text
    assert "Infinity" not in text
