"""The simulated BMS as a source of the service."""

import asyncio
import json
import time

import pytest
from support.receiver import RecordingReceiver, run_source
from support.virtual_time import current_loop, run_in_virtual_time

from recbms_zmq.sources.simulated import SimulatedSource


def events_of(url: str, count: int) -> list[str]:
    """Return so many events of a source: the types of frames, and what happens to the link."""

    def event(what: str, text: str) -> str:
        if what != "frame":
            return text or what
        try:
            return str(json.loads(text)["type"])
        except ValueError:
            return "no JSON"

    return [event(*call) for call in run_source(SimulatedSource(url), count)]


def test_settings_come_first_and_then_status_frames() -> None:
    assert events_of("sim:?rate=100", 20) == ["connected", "settings", *["status"] * 18]


def test_frames_come_at_the_rate_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> list[float]:
        monkeypatch.setattr(time, "monotonic", current_loop().time)
        receiver = RecordingReceiver()
        task = asyncio.create_task(SimulatedSource("sim:?rate=4").run(receiver))
        await receiver.until(lambda: len(receiver.times) == 6)
        task.cancel()
        return [at.monotonic for at in receiver.times]

    assert run_in_virtual_time(main()) == pytest.approx([0, 0, 0, 0.25, 0.5, 0.75])


@pytest.mark.parametrize("fault", ["drop", "cut"])
def test_a_connection_that_breaks_off_is_trouble_and_comes_back(fault: str) -> None:
    events = events_of(f"sim:?rate=100&faults={fault}+at+50ms", 20)
    trouble = events.index("the simulated connection broke off")
    assert set(events[2:trouble]) == {"status"}
    assert events[trouble + 1] == "connected"
    assert set(events[trouble + 2 :]) == {"status"}


@pytest.mark.parametrize("fault", ["refuse", "close"])
def test_without_an_answer_there_is_trouble_once_and_no_frame(fault: str) -> None:
    events = events_of(f"sim:?rate=100&faults={fault}+at+50ms+for+500ms", 20)
    assert events.count("the simulated connection broke off") == 1
    assert events.count("connected") == 2


def test_bad_frames_are_delivered_as_they_are() -> None:
    events = events_of("sim:?rate=100&faults=half-frame+100%25", 10)
    assert set(events[1:]) == {"no JSON"}
