"""What ends a run from outside: signals, and the end of stdin."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Final, TextIO

from recbms_zmq.errors import UsageError

FLUSH: Final = 0.1
"""Seconds in which slow readers can take the last messages, and a BMS can close its connection."""


def call_on_signals(end: Callable[[], None]) -> None:
    """Call `end` at SIGTERM, SIGINT and SIGHUP."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # `nohup` starts a program with SIGHUP ignored, `&` in a script with SIGINT.
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, end)


def call_at_end_of(stream: TextIO | None, end: Callable[[], None]) -> None:
    """Read a stream, discard its content, and call `end` at its end.

    Raises:
        UsageError: the stream is closed, or of a kind that cannot be watched (a regular file).

    """
    loop = asyncio.get_running_loop()

    def read(fd: int) -> None:
        try:
            if os.read(fd, 4096):
                return
        except BlockingIOError:
            return  # another process that shares the descriptor was faster
        except OSError:
            pass  # the other end of a socket or terminal is gone
        loop.remove_reader(fd)
        end()

    try:
        fd = -1 if stream is None else stream.fileno()
        loop.add_reader(fd, read, fd)
    except (PermissionError, ValueError) as exc:  # epoll refuses files; -1 is a ValueError
        raise UsageError(
            "--exit-on-stdin-close: stdin has to be a pipe, a socket or a terminal"
        ) from exc
