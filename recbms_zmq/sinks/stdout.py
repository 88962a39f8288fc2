"""Messages as lines on standard output, without ever waiting for the reader.

Lines are written in groups of at most PIPE_BUF bytes, which a pipe takes whole or not at all: a
line is never cut, even if this process is killed. When the reader is slow, only the newest line
of each topic is kept, so memory is bounded by the number of topics; when the reader is back it
gets those, oldest first.
"""

import asyncio
import contextlib
import os
import select
import socket
import stat
from collections.abc import Callable, Iterable, Iterator

from recbms_zmq.errors import ReaderGone
from recbms_zmq.messages import Outgoing
from recbms_zmq.streams import Batch


class StdoutSink:
    """Writes lines to a file descriptor. `reader_gone` is called once when nobody reads it."""

    def __init__(self, fd: int, reader_gone: Callable[[], None]) -> None:
        self._writer = _open(fd)
        self._reader_gone = reader_gone
        self._gone = False
        self._rest = b""  # of a line longer than the pipe would take
        self._waiting: dict[bytes, bytes] = {}  # newest line of each topic, oldest first
        self._watched = False
        self._idle = asyncio.Event()  # nothing waits for the reader
        self._idle.set()

    def send(self, batch: Batch) -> None:
        """Write the lines, or keep them until the reader is ready."""
        if self._gone:
            return
        if self._watched:
            self._keep(batch.messages)
        else:
            self._write(batch.messages)

    async def drain(self, seconds: float) -> None:
        """Wait until all is written, at most so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()

    def close(self) -> None:
        """Release what was opened; the file descriptor itself stays open."""
        self._unwatch()
        self._writer.close()

    def _write(self, messages: Iterable[Outgoing]) -> bool:
        """Write whole lines until one does not go; keep that and what is behind it."""
        groups = _groups(messages)
        try:
            if self._write_text(self._rest) and all(map(self._write_group, groups)):
                return True
        except OSError:
            # EPIPE; ECONNRESET of a socket; EIO of a terminal that was closed.
            self._gone = True
            self._unwatch()
            self._reader_gone()
        else:
            for group in groups:  # those that were not tried
                self._keep(group)
            self._watch()
        return False

    def _write_group(self, group: list[Outgoing]) -> bool:
        """Write lines; return False if the reader has to come first."""
        text = b"".join([body + b"\n" for _, body, _ in group])
        if self._write_text(text):
            return True
        if not self._rest:
            self._keep(group)
        return False

    def _write_text(self, text: bytes) -> bool:
        """Write all or none of it, or note how much is left; return whether it was all."""
        if not text:
            return True
        try:
            self._rest = text[self._writer.write(text) :]
        except BlockingIOError:
            return False
        return not self._rest

    def _keep(self, messages: Iterable[Outgoing]) -> None:
        for topic, body, _ in messages:
            self._waiting.pop(topic, None)  # so that the order is that of the newest lines
            self._waiting[topic] = body

    def _ready(self) -> None:
        waiting, self._waiting = self._waiting, {}
        if self._write([(topic, body, True) for topic, body in waiting.items()]):
            self._unwatch()

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


def _groups(messages: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    """Group messages so that their lines fit into one atomic write; a long line stands alone."""
    group: list[Outgoing] = []
    size = 0
    for message in messages:
        length = len(message[1]) + 1
        if group and size + length > select.PIPE_BUF:
            yield group
            group, size = [], 0
        group.append(message)
        size += length
    if group:
        yield group


# How to write without waiting depends on what stdout is. Setting O_NONBLOCK on it would set it for
# every process that shares it, a shell on the same terminal for one; so it is done otherwise.


class _FileWriter:
    """A regular file, or a device that takes everything: a write to it is as good as done."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def write(self, data: bytes) -> int:
        return os.write(self.fd, data)

    def close(self) -> None:
        pass


class _ReopenedWriter(_FileWriter):
    """A pipe or terminal, opened once more: the new description has flags of its own."""

    def close(self) -> None:
        os.close(self.fd)


class _PolledWriter(_FileWriter):
    """A pipe or terminal that cannot be opened again: asked before every write.

    A pipe that is ready takes PIPE_BUF bytes without blocking.
    """

    def write(self, data: bytes) -> int:
        poll = select.poll()
        poll.register(self.fd, select.POLLOUT)
        if not poll.poll(0):
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


def _open(fd: int) -> _FileWriter:
    try:
        mode = os.fstat(fd).st_mode
    except OSError as exc:
        raise ReaderGone("standard output is closed") from exc
    if stat.S_ISSOCK(mode):
        return _SocketWriter(fd)
    if not (stat.S_ISFIFO(mode) or os.isatty(fd)):
        return _FileWriter(fd)
    path = os.ttyname(fd) if os.isatty(fd) else f"/proc/self/fd/{fd}"
    try:
        return _ReopenedWriter(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY))
    except OSError:
        return _PolledWriter(fd)
