"""Raw frames on standard input, one a line: `-`. For pipes, files and terminals.

A file can wait, so that a slow reader of our output gets every line. A pipe or a terminal may be
live: it waits only for a moment, and then the slow reader gets the newest values.
"""

import asyncio
import contextlib
import os
import stat
from codecs import BOM_UTF8
from typing import Final

from recbms_zmq.errors import ConfigError
from recbms_zmq.sources import LiveSource, Receiver

_CHUNK: Final = 2**16  # bytes; what a pipe holds on Linux
_SHOWN: Final = 1024  # bytes of a line that is too long
_PATIENCE: Final = 0.1
"""Seconds per frame that a live input waits for a slow reader: far less than between frames."""


class StdinSource(LiveSource):
    """Lines of a file descriptor.

    It is neither closed nor made non-blocking, because other processes may share it.

    Args:
        fd: where to read.
        max_frame: bytes; of a longer line only the first 1,024 are passed on, which are not a
            whole frame, and count as a bad one.

    """

    sends_settings = True

    def __init__(self, fd: int, *, max_frame: int = 2**20) -> None:
        self._fd = fd
        self._max_frame = max_frame
        self._line = bytearray()
        self._length = 0
        self.can_wait = stat.S_ISREG(os.fstat(fd).st_mode)

    async def run(self, receiver: Receiver) -> None:
        """Deliver until the end of the input, or until cancelled.

        Raises:
            ConfigError: the file cannot be read any more.

        """
        receiver.connected(self.now())
        while chunk := await self._next_chunk():
            *lines, rest = chunk.split(b"\n")
            for line in lines:
                self._add(line)
                self._deliver(receiver)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if self.can_wait else _PATIENCE):
                        await receiver.drain()
                # Signals and the other BMS need a turn: a chunk can hold thousands of lines.
                await asyncio.sleep(0)
            self._add(rest)
        self._deliver(receiver)

    async def _next_chunk(self) -> bytes:
        """Wait for input and read it; nothing means the end."""
        while True:
            try:
                await _readable(self._fd)
            except PermissionError:  # epoll refuses a file, which is always readable
                await asyncio.sleep(0)  # a line can be longer than a chunk
            try:
                return os.read(self._fd, _CHUNK)
            except BlockingIOError:
                continue  # another process that shares it was faster
            except OSError as exc:
                if self.can_wait:
                    raise ConfigError(f"cannot read stdin: {exc.strerror}") from exc
                return b""  # the other end of a socket or terminal is closed

    def _add(self, part: bytes) -> None:
        self._length += len(part)
        self._line += part
        if self._length > self._max_frame:
            del self._line[_SHOWN:]

    def _deliver(self, receiver: Receiver) -> None:
        """Pass on the line that is now complete, unless it is empty."""
        line = bytes(self._line).removeprefix(BOM_UTF8).strip()
        self._line.clear()
        self._length = 0
        if line:
            receiver.received(line, self.now())


async def _readable(fd: int) -> None:
    """Wait for input, or its end.

    Raises:
        PermissionError: this kind of file cannot be waited for.

    """
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    # For one read only: while a slow reader of the output is waited for, input that is there would
    # wake the event loop without a pause.
    loop.add_reader(fd, event.set)
    try:
        await event.wait()
    finally:
        loop.remove_reader(fd)
