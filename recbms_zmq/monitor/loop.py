"""The main loop of the view: runs the feeds, and draws when something has changed.

Prints plain lines itself; `live` draws on a terminal.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Final

from recbms_zmq.monitor.feeds import Feed
from recbms_zmq.monitor.model import Model
from recbms_zmq.monitor.plain import PlainView
from recbms_zmq.service.shutdown import call_on_signals

MAX_INTERVAL: Final = 1.0
"""Seconds after which the view is drawn without a change, because it shows the age of the data."""
MIN_INTERVAL: Final = 0.2
"""Seconds between two drawings. All messages of a frame arrive within it."""
CLOSE_TIMEOUT: Final = 1.0
"""Seconds in which connections may close at the end."""


class Changes:
    """Whether the view has to be drawn again."""

    def __init__(self) -> None:
        self._new = asyncio.Event()
        self._urgent = asyncio.Event()

    def notify(self) -> None:
        """Draw soon: the model has changed."""
        self._new.set()

    def urgent(self) -> None:
        """Draw without delay: a key was pressed, or the terminal has changed."""
        self._urgent.set()
        self._new.set()

    async def wait(self) -> None:
        """Wait until it is time to draw again."""
        await _first(self._urgent, MIN_INTERVAL)
        await _first(self._new, MAX_INTERVAL - MIN_INTERVAL)
        self._urgent.clear()
        self._new.clear()


def end_of_signals() -> "asyncio.Future[None]":
    """Return a future that is done when a signal asks the process to end."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    call_on_signals(lambda: end(ended))
    return ended


async def until(
    ended: "asyncio.Future[None]", feeds: Sequence[Feed], changes: Changes, draw: Callable[[], None]
) -> None:
    """Run the feeds and draw changes until `ended` is done or a feed fails."""
    tasks = [asyncio.create_task(feed.run()) for feed in feeds]
    tasks.append(asyncio.create_task(_keep_drawing(changes, draw)))
    try:
        done, _ = await asyncio.wait((ended, *tasks), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=CLOSE_TIMEOUT)


def end(ended: "asyncio.Future[None]") -> None:
    """Set the future, if it is not done yet."""
    if not ended.done():
        ended.set_result(None)


async def show_lines(model: Model, feeds: Sequence[Feed], changes: Changes) -> None:
    """Print a line for each pack that has changed, until a signal ends it.

    Raises:
        BrokenPipeError: the reader of stdout has closed it.

    """
    view = PlainView()

    def draw() -> None:
        for line in view.changed_lines(model):
            print(time.strftime("%Y-%m-%d %H:%M:%S"), line, flush=True)

    await until(end_of_signals(), feeds, changes, draw)


async def _keep_drawing(changes: Changes, draw: Callable[[], None]) -> None:
    while True:
        draw()
        await changes.wait()


async def _first(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, at most this many seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
