"""Keeps the view going until somebody has seen enough: runs the feeds, and draws what is new.

Draws plain lines itself; `live` draws on a terminal.
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

AT_LEAST: Final = 1.0
"""Seconds after which the view is drawn again without any news: the data grow older."""
AT_MOST: Final = 0.2
"""Seconds between two drawings; also what the messages of one frame get to arrive together."""
GOODBYE: Final = 1.0
"""Seconds that connections get to be closed."""


class News:
    """Tells that there is something new to show."""

    def __init__(self) -> None:
        self._new = asyncio.Event()
        self._urgent = asyncio.Event()

    def __call__(self) -> None:
        """Say that there is."""
        self._new.set()

    def urgent(self) -> None:
        """Say that somebody has pressed a key, and is waiting."""
        self._urgent.set()
        self._new.set()

    async def wait(self) -> None:
        """Wait until it is time to draw again."""
        await _first(self._urgent, AT_MOST)
        await _first(self._new, AT_LEAST - AT_MOST)
        self._urgent.clear()
        self._new.clear()


def end_of_signals() -> "asyncio.Future[None]":
    """Return what is done when somebody wants us to end."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    call_on_signals(lambda: end(ended))
    return ended


async def until(
    ended: "asyncio.Future[None]", feeds: Sequence[Feed], news: News, draw: Callable[[], None]
) -> None:
    """Run the feeds and draw what is new until the end."""
    tasks = [asyncio.create_task(feed.run()) for feed in feeds]
    tasks.append(asyncio.create_task(_keep_drawing(news, draw)))
    try:
        done, _ = await asyncio.wait((ended, *tasks), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=GOODBYE)


def end(ended: "asyncio.Future[None]") -> None:
    """Let it be the end."""
    if not ended.done():
        ended.set_result(None)


async def show_lines(model: Model, feeds: Sequence[Feed], news: News) -> None:
    """Print a line for a pack when there is news of it, until a signal ends it.

    Raises:
        BrokenPipeError: nobody reads stdout any more.

    """
    view = PlainView()

    def draw() -> None:
        for line in view.news(model):
            print(time.strftime("%Y-%m-%d %H:%M:%S"), line, flush=True)

    await until(end_of_signals(), feeds, news, draw)


async def _keep_drawing(news: News, draw: Callable[[], None]) -> None:
    while True:
        draw()
        await news.wait()


async def _first(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, at most this long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
