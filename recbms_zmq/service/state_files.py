"""Small files in the state directory: read, replaced as a whole or appended to, locked.

A file is written to `FILE.new`, synced and renamed, so that a complete one is there at any moment.
A log has lines: new ones are appended and synced. A line without its end, which a power cut can
leave, is removed with the next ones. A log of `LOG_BYTES` is renamed to `FILE.old`, which replaces
the one before.
Files are regular ones with mode 0600; a symbolic link is not followed, a FIFO is not waited for.

Every function here waits for the disk.
"""

import contextlib
import errno
import fcntl
import itertools
import logging
import os
import time
from pathlib import Path
from typing import Final

from recbms_zmq.config.files import open_regular, read_regular

MOST_BYTES: Final = 2**16
"""A file that is larger is not ours."""
LOCK_SUFFIX: Final = "energy.lock"  # of the file that locks all others of a BMS
LOG_BYTES: Final = 1_250_000
"""The older part alone has to hold the last 1,000 alarms: two lines each, of some 600 bytes."""
_TAIL_BYTES: Final = 2**14
"""Bytes that are searched for the end of the last whole line."""
_LOCK_AGAIN: Final = 0.1  # seconds

_log = logging.getLogger(__name__)


def read(path: Path) -> bytes | None:
    """Return the content of a file, or None if there is none.

    Raises:
        OSError: it cannot be read, or its directory is missing.
        ValueError: it has more than `MOST_BYTES`.

    """
    try:
        return read_regular(path, most=MOST_BYTES, follow=False)
    except FileNotFoundError:
        # Without the directory nothing is known of the file: a disk may be mounted later.
        if not path.parent.is_dir():
            raise
        return None
    except OSError as exc:
        if exc.errno == errno.EFBIG:
            raise ValueError(exc.strerror) from exc
        raise


def replace(path: Path, content: bytes) -> None:
    """Write a file. It survives a power cut after `sync_directory`.

    Raises:
        OSError: it cannot be written; the file is as it was.

    """
    aside = Path(f"{path}.new")
    with contextlib.suppress(FileNotFoundError):  # left by a kill, or not by us
        aside.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with open(open_regular(aside, flags, follow=False), "wb") as file:  # noqa: PTH123 descriptor
        file.write(content)
        file.flush()
        # Without this, a file system may put the new name on the disk before the content.
        os.fsync(file.fileno())
    aside.rename(path)


def older(path: Path) -> Path:
    """Return the path of a log's older part."""
    return path.with_name(f"{path.name}.old")


def read_tail(path: Path) -> bytes | None:
    """Return the last lines of a log, or None if there is none. The first one may be cut.

    Raises:
        OSError: it cannot be read, or its directory is missing.

    """
    parts = [_tail(each) for each in (older(path), path)]
    found = [part for part in parts if part is not None]
    # Without the directory nothing is known of the log: a disk may be mounted later.
    if not found and not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return b"\n".join(found) if found else None


def _tail(path: Path) -> bytes | None:
    try:
        fd = open_regular(path, follow=False)
    except FileNotFoundError:
        return None
    try:
        return os.pread(fd, _TAIL_BYTES, max(0, os.fstat(fd).st_size - _TAIL_BYTES))
    finally:
        os.close(fd)


def append(path: Path, lines: bytes) -> None:
    """Append lines to a log.

    Raises:
        OSError: they cannot be written; none of them is in the log then.

    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    with open(open_regular(path, flags, follow=False), "r+b", buffering=0) as file:  # noqa: PTH123 descriptor
        size = os.fstat(file.fileno()).st_size
        if size < LOG_BYTES:
            _append(file.fileno(), _heal(file.fileno(), size), lines)
            return
    path.rename(older(path))
    append(path, lines)


def _append(fd: int, size: int, lines: bytes) -> None:
    try:
        while lines:
            lines = lines[os.write(fd, lines) :]
        os.fsync(fd)
    except OSError:
        # All of the lines are written again later.
        with contextlib.suppress(OSError):
            os.ftruncate(fd, size)
        raise


def _heal(fd: int, size: int) -> int:
    """Remove a line without its end; return the size of the rest."""
    start = max(0, size - _TAIL_BYTES)
    end = start + os.pread(fd, _TAIL_BYTES, start).rfind(b"\n") + 1
    if end != size:
        os.ftruncate(fd, end)
    return end


def sync_directory(directory: Path) -> None:
    """Sync the names in a directory, as far as its file system can."""
    with contextlib.suppress(OSError):
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def set_aside(path: Path) -> Path:
    """Rename a damaged file, so that its owner can look at it; return the new path.

    Raises:
        OSError: it cannot be renamed.

    """
    aside = Path(f"{path}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    path.rename(aside)
    return aside


def lock(path: Path, patience: float = 0.0) -> int:
    """Lock a file against other processes, and return its descriptor, which holds the lock.

    The file and its directory are made if needed. The file is never removed: another process may
    have opened it, and would then lock a file that a third one no longer finds.

    Args:
        path: of the file.
        patience: seconds that another process gets to release its lock.

    Raises:
        BlockingIOError: another process has the lock.
        OSError: the file cannot be locked.

    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = open_regular(path, os.O_RDWR | os.O_CREAT, follow=False)
    try:
        _lock(fd, path, patience)
    except OSError:
        os.close(fd)
        raise
    return fd


def _lock(fd: int, path: Path, patience: float) -> None:
    # A `flock` that waits could not be given up.
    for tries in itertools.count():
        try:
            # `flock`, not `lockf`, whose lock is lost when any descriptor of the file is closed.
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if tries * _LOCK_AGAIN >= patience:
                raise
            if not tries:
                _log.info("%s: waiting for another process to release it", path)
            time.sleep(_LOCK_AGAIN)
        else:
            return
