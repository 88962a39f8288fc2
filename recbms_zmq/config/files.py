"""Reading files that a user names: regular files of a limited size.

Opening a FIFO blocks, `/dev/zero` has no end, and in a directory that others can write to, a link
may lead to any file. So opening never blocks, and the kind is checked on the open descriptor.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

MOST_BYTES: Final = 2**22
"""A configuration of thousands of BMS fits."""


def open_regular(path: Path, flags: int = os.O_RDONLY, *, follow: bool = True) -> int:
    """Open a regular file, and return its descriptor. A file that is made has mode 0600.

    Args:
        path: of the file.
        flags: of `os.open`.
        follow: whether the path may be a symbolic link.

    Raises:
        OSError: it cannot be opened, or is something else.

    """
    flags |= os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        fd = os.open(path, flags, 0o600)
    except OSError as exc:
        if exc.errno == errno.ELOOP and not follow:
            raise OSError(errno.ELOOP, "it is a symbolic link") from exc
        if exc.errno == errno.ENXIO:  # a FIFO without a reader, or a socket
            raise OSError(errno.ENXIO, "it is not a regular file") from exc
        raise
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        raise OSError(errno.EINVAL, "it is not a regular file")
    return fd


def read_regular(path: Path, *, most: int = MOST_BYTES, follow: bool = True) -> bytes:
    """Return the content of a regular file.

    Raises:
        OSError: it cannot be read, is something else, or has more than `most` bytes.

    """
    with open(open_regular(path, follow=follow), "rb") as file:
        return read_limited(file, most)


def read_limited(file: BinaryIO, most: int = MOST_BYTES) -> bytes:
    """Return all that a file holds.

    Raises:
        OSError: it cannot be read, or has more than `most` bytes.

    """
    data: bytes | None = file.read(most + 1)
    if data is None:  # a file of /proc that has more to come, and is not waited for
        raise OSError(errno.EINVAL, "it is not a regular file")
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes")
    return data
