"""What asks a run to end from outside: signals, and the end of stdin."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import TextIO

from recbms_zmq.errors import UsageError


def call_on_signals(end: Callable[[], None]) -> None:
    """Call `end` when somebody wants this process to end."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # `nohup`, and `&` in a script, start programs with signals that they are to ignore.
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, end)


def call_at_end_of(stream: TextIO | None, end: Callable[[], None]) -> None:
    """Call `end` when this input is at its end; what is in it until then is thrown away.

    Raises:
        UsageError: it is nothing that could be waited for.

    """
    loop = asyncio.get_running_loop()

    def read(fd: int) -> None:
        try:
            if os.read(fd, 4096):
                return
        except BlockingIOError:
            return  # somebody else who shares it was faster
        except OSError:
            pass  # the other end of a socket or terminal has gone
        loop.remove_reader(fd)
        end()

    try:
        fd = -1 if stream is None else stream.fileno()
        loop.add_reader(fd, read, fd)
    except (PermissionError, ValueError) as exc:
        raise UsageError(
            "--exit-on-stdin-close: stdin has to be a pipe, a socket or a terminal"
        ) from exc
