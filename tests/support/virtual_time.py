"""An event loop whose clock moves only while it sleeps: hours pass at once, wakes are counted."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from recbms_zmq.clock import Instant
from recbms_zmq.sources import LiveSource, Receiver

_T = TypeVar("_T")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """For code without sockets and threads.

    Attributes:
        wakes: times at which the loop woke from a sleep.

    """

    def __init__(self) -> None:
        super().__init__(_Selector(self))
        self.wakes: list[float] = []
        self._now = 0.0

    def time(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds
        self.wakes.append(self._now)


class _Selector(selectors.SelectSelector):
    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "the loop would sleep for ever"
        if timeout > 0:
            self._loop.sleep(timeout)
        return super().select(0)


def run_in_virtual_time(work: Coroutine[Any, Any, _T]) -> _T:
    """Run to the end."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(work)


def current_loop() -> VirtualTimeLoop:
    """Return the running loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    return loop


class Timetable(LiveSource):
    """A source on the clock of the loop: frames by their times; an empty one is its end."""

    def __init__(self, frames: dict[float, str], *, sends_settings: bool = True) -> None:
        self.sends_settings = sends_settings
        self._frames = frames

    def now(self) -> Instant:
        now = asyncio.get_running_loop().time()
        return Instant(now, 1.8e9 + now)

    async def run(self, receiver: Receiver) -> None:
        for second, text in self._frames.items():
            await asyncio.sleep(second - self.now().monotonic)
            if not text:
                return
            receiver.received(text.encode(), self.now())
        await asyncio.sleep(3600)
