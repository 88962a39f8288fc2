"""Writes to a file descriptor without blocking, whatever kind of file it is.

O_NONBLOCK is a flag of the open file, not of the descriptor: set on standard output it would also
apply to every other process that shares it, such as the shell on the same terminal. So each kind of
file has its own way to write without blocking and without changing that flag.
"""

import os
import select
import socket
import stat

from recbms_zmq.errors import OutputError, ReaderGone


class FileWriter:
    """Writes to a regular file, or to a device that accepts everything.

    Such a write never blocks, and `add_writer` of an event loop does not accept these files.

    Attributes:
        fd: the descriptor to write to, and to watch until it can be written to.

    """

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def write(self, data: bytes) -> int:
        """Write as much as possible without blocking.

        Returns:
            The number of bytes written.

        Raises:
            BlockingIOError: nothing can be written now.
            OSError: the reader is gone.
            OutputError: a file cannot be written to; the disk is full, for example.

        """
        written = 0
        try:
            # A disk that is almost full accepts the first part; only the next write fails.
            while written < len(data):
                written += os.write(self.fd, data[written:])
        except OSError as exc:
            raise OutputError(f"cannot write to standard output: {exc.strerror}") from exc
        return written

    def close(self) -> None:
        """Close what this writer has opened; the original descriptor stays open."""


class _ReopenedWriter(FileWriter):
    """Writes to a pipe or terminal that was opened a second time, with O_NONBLOCK of its own."""

    def write(self, data: bytes) -> int:
        return os.write(self.fd, data)

    def close(self) -> None:
        os.close(self.fd)


class _PolledWriter(FileWriter):
    """Writes to a pipe or terminal that cannot be opened again, after polling it.

    A pipe that polls as writable accepts PIPE_BUF bytes without blocking.
    """

    def write(self, data: bytes) -> int:
        if not select.select([], [self.fd], [], 0)[1]:
            raise BlockingIOError
        return os.write(self.fd, data[: select.PIPE_BUF])


class _SocketWriter(FileWriter):
    """Writes to a socket, which Node-RED's exec node uses; MSG_DONTWAIT applies to one call."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self._socket = socket.socket(fileno=os.dup(fd))

    def write(self, data: bytes) -> int:
        return self._socket.send(data, socket.MSG_DONTWAIT)

    def close(self) -> None:
        self._socket.close()


def open_writer(fd: int | None) -> FileWriter:
    """Return the writer for this kind of file.

    Args:
        fd: a descriptor that is open for writing; None if standard output was closed at the start.

    Raises:
        ReaderGone: `fd` is None.

    """
    if fd is None:
        raise ReaderGone("standard output is closed; use --no-stdout if no lines are wanted")
    mode = os.fstat(fd).st_mode
    if stat.S_ISSOCK(mode):  # a socket has no path under /proc that can be opened
        return _SocketWriter(fd)
    is_terminal = os.isatty(fd)
    if not (stat.S_ISFIFO(mode) or is_terminal):
        return FileWriter(fd)
    try:
        path = os.ttyname(fd) if is_terminal else f"/proc/self/fd/{fd}"
        return _ReopenedWriter(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY))
    except OSError:  # another user's pipe, as under sudo -u; or macOS, which has no /proc
        return _PolledWriter(fd)
