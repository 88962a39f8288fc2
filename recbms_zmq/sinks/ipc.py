"""Unix sockets for `ipc://` endpoints, bound here and given to libzmq.

libzmq removes whatever file is at the path, a socket in use as well as a plain file, and removes it
again when it closes. So the path is created and removed here: a socket that a running process
serves is not touched, and one that a dead process left behind is replaced.
"""

import contextlib
import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_BACKLOG: Final = 100  # libzmq's default


class IpcPath:
    """A listening Unix socket at a path.

    Args:
        path: of the socket.
        mode: of the socket; a client needs write permission to connect.
        ignore_lock: bind even if another process holds the lock of the directory.

    Raises:
        OSError: EADDRINUSE if a running process serves the path, or holds the lock; EEXIST if the
            file at the path is not a socket; or why no socket can be created there.

    """

    def __init__(self, path: Path, mode: int, *, ignore_lock: bool = False) -> None:
        self._path = path
        with _locked(path.parent, ignore=ignore_lock):
            _remove_if_dead(path)
            self._socket = _listen(path, mode)
            self._inode = _inode(path)

    def detach(self) -> int:
        """Return the file descriptor; the caller closes it."""
        return self._socket.detach()

    def remove(self) -> None:
        """Remove the path, unless another process has replaced the socket.

        To be called before the socket is closed: otherwise another service could find the path
        dead and bind it, between the two, and this would remove its socket.
        """
        with contextlib.suppress(OSError):
            if _inode(self._path) == self._inode:
                self._path.unlink()


@contextlib.contextmanager
def _locked(directory: Path, *, ignore: bool) -> Iterator[None]:
    """Keep two services from removing a dead socket and binding at the same time.

    The lock is on the directory itself, so no lock file is left behind, and the kernel releases it
    when the process ends. Every user who can read the directory can take this lock; a service holds
    it for a few milliseconds only, so the caller ignores one that is held for longer.
    """
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            if not ignore:
                raise OSError(errno.EADDRINUSE, "another process holds the lock") from exc
        yield
    finally:
        os.close(fd)


def _remove_if_dead(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EEXIST, "the file at this path is not a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)  # a full queue of connections would block the event loop
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:  # left by a process that was killed
            path.unlink()
        except BlockingIOError as exc:  # in use; its queue of connections is full
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)) from exc
        else:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _listen(path: Path, mode: int) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    try:
        server.setblocking(False)
        # chmod after bind would leave a moment in which others can connect.
        umask = os.umask(0o777 & ~mode)
        try:
            server.bind(str(path))
        finally:
            os.umask(umask)
        server.listen(_BACKLOG)
    except OSError:
        server.close()
        raise
    return server


def _inode(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino
