"""Unix sockets for `ipc://` endpoints, bound by us and handed to libzmq.

libzmq removes whatever it finds at a path, a live service's socket or a plain file alike, and
does it again when it closes. So the path is made and removed here: what a live process serves is
never touched, and what a dead one left behind is cleaned up.
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
    """A Unix socket at a path, listening.

    Args:
        path: where.
        mode: of the socket; connecting needs the right to write to it.

    Raises:
        OSError: EADDRINUSE if a live process serves the path, or is just about to; EEXIST if
            there is something else than a socket; or why a socket cannot be made there.

    """

    def __init__(self, path: Path, mode: int) -> None:
        self._path = path
        with _locked(path.parent):
            _remove_if_dead(path)
            self._socket = _listen(path, mode)
            self._inode = _inode(path)

    def detach(self) -> int:
        """Give the file descriptor away; who takes it has to close it."""
        return self._socket.detach()

    def remove(self) -> None:
        """Remove the path, if it is still ours.

        Do this before the socket is closed: so nobody can take the path for a dead one's, bind it
        anew, and have it removed here.
        """
        with contextlib.suppress(OSError):
            if _inode(self._path) == self._inode:
                self._path.unlink()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep two services from looking, cleaning up and binding at the same time.

    The lock is on the folder itself, so no lock file is left behind; the kernel lets go of it
    when the process dies.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise OSError(errno.EADDRINUSE, "another process is just binding here") from exc
        yield
    finally:
        os.close(fd)


def _remove_if_dead(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EEXIST, "there is something at this path that is no socket")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except BlockingIOError as exc:  # alive, and too busy to answer
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)) from exc
        else:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _listen(path: Path, mode: int) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    try:
        server.setblocking(False)
        # The socket is born with its mode, so that nobody can come in between.
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
