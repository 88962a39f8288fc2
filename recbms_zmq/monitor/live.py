"""The view on a terminal: connects model, rendering, screen, keys and signals."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence

from recbms_zmq.monitor.feeds import Feed
from recbms_zmq.monitor.loop import Changes, end, end_of_signals, until
from recbms_zmq.monitor.model import Model
from recbms_zmq.monitor.render import render
from recbms_zmq.monitor.screen import Screen
from recbms_zmq.monitor.view import View, press
from recbms_zmq.text import print_note


async def show_screen(model: Model, feeds: Sequence[Feed], changes: Changes) -> None:
    """Show the view on the terminal that stdout is, until a key or a signal ends it."""
    await LiveView(model, changes).run(feeds)


class LiveView:
    """The view on the terminal that stdout is."""

    def __init__(self, model: Model, changes: Changes) -> None:
        self._model = model
        self._changes = changes
        self._keyboard = sys.stdin.fileno() if sys.stdin and sys.stdin.isatty() else None
        self._screen = Screen(sys.stdout.fileno(), self._keyboard)
        self._view = View()
        self._scroll_most = 0
        self._ended: asyncio.Future[None]

    async def run(self, feeds: Sequence[Feed]) -> None:
        """Show the view until a key, a signal or an error ends it."""
        loop = asyncio.get_running_loop()
        self._ended = end_of_signals()
        loop.add_signal_handler(signal.SIGQUIT, end, self._ended)  # Ctrl-\\
        with self._screen:
            loop.add_signal_handler(signal.SIGWINCH, self._redraw)
            loop.add_signal_handler(signal.SIGCONT, self._redraw)
            loop.add_signal_handler(signal.SIGTSTP, self._suspend)
            if self._keyboard is not None:
                loop.add_reader(self._keyboard, self._read_keys, self._keyboard)
            await until(self._ended, feeds, self._changes, self._draw)

    def _draw(self) -> None:
        screen = self._screen
        try:
            size = screen.size
            page = render(self._model, self._view, size, time.monotonic(), screen.glyphs)
            self._scroll_most = page.scroll_most
            screen.draw(page.lines, size)
        except OSError:  # the terminal is closed
            end(self._ended)

    def _redraw(self) -> None:
        self._screen.invalidate()
        self._changes.urgent()

    def _read_keys(self, keyboard: int) -> None:
        try:
            typed = os.read(keyboard, 1024)
        except OSError:
            typed = b""
        if not typed:
            asyncio.get_running_loop().remove_reader(keyboard)
            return
        packs = len(self._model.packs)
        view = press(self._view, typed, packs=packs, scroll_most=self._scroll_most)
        if view is None:
            end(self._ended)
        else:
            self._view = view
            self._changes.urgent()

    def _suspend(self) -> None:
        loop = asyncio.get_running_loop()
        self._screen.restore()
        # With the default action the kernel ignores the signal if no shell could continue us.
        loop.remove_signal_handler(signal.SIGTSTP)
        os.kill(os.getpid(), signal.SIGTSTP)
        loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        with contextlib.suppress(OSError):
            self._screen.take_over()
        self._changes.urgent()


@contextlib.contextmanager
def held_log() -> Iterator[None]:
    """Keep errors off the screen while the view is on it; print them to stderr afterwards."""
    holder = _Holder(logging.ERROR)
    logging.basicConfig(level=logging.ERROR, handlers=[holder], force=True)
    try:
        yield
    finally:
        for record in holder.records:
            print_note(logging.Formatter().format(record))


class _Holder(logging.Handler):
    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.records: deque[logging.LogRecord] = deque(maxlen=20)

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
