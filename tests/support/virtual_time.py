"""An event loop whose clock moves only while it sleeps: hours pass at once, wakes are counted."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

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
