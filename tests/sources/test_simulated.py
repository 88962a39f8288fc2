"""The simulated BMS as a source of the service."""

import asyncio
import json
import time

import pytest
from support.virtual_time import current_loop, run_in_virtual_time
from support.waiting import PATIENCE

from recbms_zmq.clock import Instant
from recbms_zmq.sources.simulated import SimulatedSource


class Log:
    """A receiver that writes down what happens to it."""

    def __init__(self, count: int) -> None:
        self.events: list[str] = []
        self.instants: list[float] = []
        self.is_full = asyncio.Event()
        self._count = count

    def connected(self, at: Instant) -> None:
        self._note("connected", at)

    def disconnected(self, reason: str, at: Instant) -> None:
        self._note(reason, at)

    def received(self, data: bytes, at: Instant) -> bool:
        try:
            self._note(json.loads(data)["type"], at)
        except ValueError:
            self._note("no JSON", at)
        return True

    async def drain(self) -> None:
        """This one is never slow."""

    def _note(self, event: str, at: Instant) -> None:
        self.events.append(event)
        self.instants.append(at.monotonic)
        if len(self.events) >= self._count:
            self.is_full.set()


def watch(url: str, count: int) -> Log:
    """Run a source until so many things have happened."""

    async def run() -> Log:
        log = Log(count)
        async with asyncio.timeout(PATIENCE):
            task = asyncio.create_task(SimulatedSource(url).run(log))
            await log.is_full.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        return log

    return asyncio.run(run())


def test_settings_come_first_and_then_status_frames() -> None:
    log = watch("sim:?rate=100", 20)
    assert log.events[:20] == ["connected", "settings", *["status"] * 18]
    assert log.instants == sorted(log.instants)


def test_frames_come_at_the_rate_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> list[float]:
        monkeypatch.setattr(time, "monotonic", current_loop().time)
        log = Log(6)
        task = asyncio.create_task(SimulatedSource("sim:?rate=4").run(log))
        await log.is_full.wait()
        task.cancel()
        return log.instants

    assert run_in_virtual_time(main()) == pytest.approx([0, 0, 0, 0.25, 0.5, 0.75])


@pytest.mark.parametrize("fault", ["drop", "cut"])
def test_a_connection_that_breaks_off_is_trouble_and_comes_back(fault: str) -> None:
    events = watch(f"sim:?rate=100&faults={fault}+at+50ms", 20).events
    trouble = events.index("the simulated connection broke off")
    assert set(events[2:trouble]) == {"status"}
    assert events[trouble + 1] == "connected"
    assert set(events[trouble + 2 :]) == {"status"}


@pytest.mark.parametrize("fault", ["refuse", "close"])
def test_without_an_answer_there_is_trouble_once_and_no_frame(fault: str) -> None:
    events = watch(f"sim:?rate=100&faults={fault}+at+50ms+for+500ms", 20).events
    assert events.count("the simulated connection broke off") == 1
    assert events.count("connected") == 2
    assert len(events) < 60  # about 5 before and 15 after: half a second of frames is missing


def test_bad_frames_are_delivered_as_they_are() -> None:
    events = watch("sim:?rate=100&faults=half-frame+100%25", 10).events
    assert set(events[1:]) == {"no JSON"}
