"""A source at rest: the event loop sleeps while there is nothing to do."""

import asyncio
import json
import os
import selectors
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.module import FakeModule
from support.raw_websocket import TEXT, frame, raw_websocket
from support.receiver import RecordingReceiver

from recbms_zmq.sources import Source
from recbms_zmq.sources.http import HttpSource
from recbms_zmq.sources.replay import ReplaySource
from recbms_zmq.sources.stdin import StdinSource
from recbms_zmq.sources.websocket import WebSocketSource

QUIET = 0.3
"""Seconds without anything to do."""
FEW = 5
"""Wake-ups in that time: a busy loop has thousands."""


class CountingSelector(selectors.DefaultSelector):
    """Counts how often the event loop wakes up."""

    count = 0

    def select(self, timeout: float | None = None) -> Any:
        self.count += 1
        return super().select(timeout)


def wakeups(make: Callable[[], Source], calls: int) -> int:
    """Return how often the loop wakes up in a quiet time after so many calls of the source."""
    selector = CountingSelector()

    async def run() -> int:
        receiver = RecordingReceiver()
        task = asyncio.create_task(make().run(receiver))
        await receiver.until(lambda: len(receiver.calls) >= calls)
        await asyncio.sleep(0)
        before = selector.count
        await asyncio.sleep(QUIET)
        count = selector.count - before
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return count

    loop = asyncio.SelectorEventLoop(selector)
    try:
        return loop.run_until_complete(run())
    finally:
        loop.close()


def test_a_websocket_that_is_silent() -> None:
    with raw_websocket(frame(TEXT, b"{}")) as server:
        assert wakeups(lambda: WebSocketSource(server.url), 2) <= FEW


def test_a_module_between_two_requests() -> None:
    module = FakeModule()
    try:
        assert wakeups(lambda: HttpSource(module.url, interval=100.0), 2) <= FEW
    finally:
        module.close()


@pytest.mark.parametrize("is_closed", [False, True])
def test_an_input_that_waits_and_one_that_has_ended(is_closed: bool) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"{}\n")
    if is_closed:
        os.close(writing)
    assert wakeups(lambda: StdinSource(reading), 2) <= FEW
    os.close(reading)
    if not is_closed:
        os.close(writing)


def test_a_recording_between_two_lines_and_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    events: list[dict[str, Any]] = [
        {"event": "start", "monotonic": 0, "wall": 0, "version": 1},
        {"event": "frame", "monotonic": 0, "wall": 0, "text": "{}"},
        {"event": "frame", "monotonic": 100, "wall": 100, "text": "{}"},
        {"event": "end", "monotonic": 100, "wall": 100},
    ]
    path.write_text("\n".join(map(json.dumps, events)), encoding="ascii")
    assert wakeups(lambda: ReplaySource(f"replay:{path}"), 1) <= FEW
    assert wakeups(lambda: ReplaySource(f"replay:{path}?speed=0"), 2) <= FEW
