"""Messages as lines on standard output, without ever waiting for the reader.

Lines are written in groups of at most PIPE_BUF bytes, which a pipe takes whole or not at all: a
line is never cut, even if this process is killed. When the reader is slow, only the newest line
of each topic is kept, so memory is bounded by the number of topics; when the reader is back it
gets those, oldest first.
"""

import asyncio
import contextlib
import itertools
import os
import select
import socket
import stat
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from recbms_zmq.errors import OutputError, ReaderGone, RecBmsError
from recbms_zmq.reporting.batch import Batch, Outgoing

_LINES_A_GROUP: Final = select.PIPE_BUF // 64  # more would not fit


class StdoutSink:
    """Writes lines to a file descriptor.

    Args:
        fd: where to write, None if standard output was closed before we began.
        failed: is called once, with the reason, when nothing more can be written: `ReaderGone`, or
            an `OutputError` for a disk that is full.

    Raises:
        ReaderGone: standard output is closed.

    """

    def __init__(self, fd: int | None, failed: Callable[[RecBmsError], None]) -> None:
        self._writer = _open(fd)
        self._failed = failed
        self._gone = False
        self._rest = b""  # what the reader has to take before anything else
        # The newest of each topic; those that must all be written by their number.
        self._waiting: OrderedDict[bytes | int, Outgoing] = OrderedDict()
        self._numbers = itertools.count()
        self._watched = False
        self._idle = asyncio.Event()  # nothing waits for the reader
        self._idle.set()

    def publish(self, batch: Batch) -> None:
        """Write the lines, or keep them until the reader is ready."""
        tried = 0
        if not self._watched:
            for group in _groups(_lines(batch.messages)):
                tried += group.count(b"\n")
                if not self._write(group):
                    break
        if not self._gone:
            for message in batch.messages[tried:]:
                place = next(self._numbers) if batch.complete else message[0]
                self._waiting[place] = message
                self._waiting.move_to_end(place)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits for the reader."""
        return self._idle.is_set()

    async def drain(self, seconds: float | None = None) -> None:
        """Wait until all is written, or nobody reads it any more, at most so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()

    def close(self) -> None:
        """Release what was opened; the file descriptor itself stays open."""
        self._unwatch()
        self._writer.close()

    def _write(self, text: bytes) -> bool:
        """Write all, or see to it that the rest follows; return whether it was all."""
        if self._gone:
            return False
        try:
            self._rest = text[self._writer.write(text) :]
        except BlockingIOError:
            self._rest = text
        except OSError:
            # EPIPE; ECONNRESET of a socket; EIO of a terminal that was closed.
            self._fail(ReaderGone())
        except OutputError as exc:
            self._fail(exc)
        if self._rest and not self._gone:
            self._watch()
        return not self._rest and not self._gone

    def _fail(self, error: RecBmsError) -> None:
        self._gone = True
        self._waiting.clear()
        self._unwatch()
        self._failed(error)

    def _ready(self) -> None:
        """Go on where the reader had stopped, one group a turn of the event loop."""
        if self._write(self._rest or self._take()) and not self._waiting:
            self._unwatch()

    def _take(self) -> bytes:
        first = itertools.islice(self._waiting.values(), _LINES_A_GROUP)
        group = next(_groups(_lines(first)))
        for _ in range(group.count(b"\n")):
            self._waiting.popitem(last=False)
        return group

    def _watch(self) -> None:
        if not self._watched:
            asyncio.get_running_loop().add_writer(self._writer.fd, self._ready)
            self._watched = True
            self._idle.clear()

    def _unwatch(self) -> None:
        if self._watched:
            asyncio.get_running_loop().remove_writer(self._writer.fd)
            self._watched = False
            self._idle.set()


def _lines(messages: Iterable[Outgoing]) -> bytes:
    return b"".join([body + b"\n" for _, body, _ in messages])


def _groups(lines: bytes) -> Iterator[bytes]:
    """Cut into groups of whole lines, each of one atomic write; a long line stands alone."""
    start = 0
    while start < len(lines):
        end = lines.rfind(b"\n", start, start + select.PIPE_BUF)
        if end < 0:
            end = lines.index(b"\n", start)
        yield lines[start : end + 1]
        start = end + 1


# How to write without waiting depends on what stdout is. Setting O_NONBLOCK on it would set it for
# every process that shares it, a shell on the same terminal for one; so it is done otherwise.


class _FileWriter:
    """A regular file, or a device that takes everything: a write to it is as good as done."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def write(self, data: bytes) -> int:
        """Write what can be written now; return how many bytes that was."""
        written = 0
        try:
            while written < len(data):  # the last bytes before a disk is full are written alone
                written += os.write(self.fd, data[written:])
        except OSError as exc:
            raise OutputError(f"cannot write to standard output: {exc.strerror}") from exc
        return written

    def close(self) -> None:
        """Close what was opened here."""


class _ReopenedWriter(_FileWriter):
    """A pipe or terminal, opened once more: the new description has flags of its own."""

    def write(self, data: bytes) -> int:
        return os.write(self.fd, data)

    def close(self) -> None:
        os.close(self.fd)


class _PolledWriter(_FileWriter):
    """A pipe or terminal that cannot be opened again: asked before every write.

    A pipe that is ready takes PIPE_BUF bytes without blocking.
    """

    def write(self, data: bytes) -> int:
        if not select.select([], [self.fd], [], 0)[1]:
            raise BlockingIOError
        return os.write(self.fd, data[: select.PIPE_BUF])


class _SocketWriter(_FileWriter):
    """A socket, as Node-RED gives to its children: it can be told call by call not to wait."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self._socket = socket.socket(fileno=os.dup(fd))

    def write(self, data: bytes) -> int:
        return self._socket.send(data, socket.MSG_DONTWAIT)

    def close(self) -> None:
        self._socket.close()


def _open(fd: int | None) -> _FileWriter:
    if fd is None:
        raise ReaderGone("standard output is closed; if no lines are wanted, say --no-stdout")
    mode = os.fstat(fd).st_mode
    if stat.S_ISSOCK(mode):
        return _SocketWriter(fd)
    is_terminal = os.isatty(fd)
    if not (stat.S_ISFIFO(mode) or is_terminal):
        return _FileWriter(fd)
    try:
        path = os.ttyname(fd) if is_terminal else f"/proc/self/fd/{fd}"
        return _ReopenedWriter(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY))
    except OSError:
        return _PolledWriter(fd)
