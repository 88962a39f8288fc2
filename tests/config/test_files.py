"""Tests of reading files that a user names."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from recbms_zmq.config.files import open_regular, read_limited, read_regular


def test_a_regular_file_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_regular(tmp_path / "file", most=5) == b"12345"


def test_a_file_of_one_byte_too_many_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"123456")
    with pytest.raises(OSError, match="it has more than 5 bytes"):
        read_regular(tmp_path / "file", most=5)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (os.mkfifo, "it is not a regular file"),
        (_socket, "it is not a regular file"),
        (os.mkdir, "Is a directory"),
        (lambda path: path.symlink_to("/dev/zero"), "it is not a regular file"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
        (lambda _: None, "No such file or directory"),
    ],
    ids=["fifo", "socket", "directory", "device", "loop", "nothing"],
)
def test_anything_else_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], None], why: str
) -> None:
    make(tmp_path / "other")
    with pytest.raises(OSError, match=why):
        read_regular(tmp_path / "other")


def test_a_link_is_followed_only_if_that_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link") == b"12345"
    with pytest.raises(OSError, match="it is a symbolic link"):
        read_regular(tmp_path / "link", follow=False)


def test_a_new_file_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        os.close(open_regular(tmp_path / "new", os.O_RDWR | os.O_CREAT))
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


def test_no_descriptor_is_left_open_by_a_refusal(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(5):
        with pytest.raises(OSError, match="not a regular file"):
            open_regular(tmp_path / "fifo")
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_a_file_that_would_have_to_be_waited_for_is_refused() -> None:
    """As `/proc/kmsg`, which counts as a regular file."""
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    with (
        os.fdopen(ours, "rb") as file,
        os.fdopen(theirs, "wb"),
        pytest.raises(OSError, match="regular file"),
    ):
        read_limited(file)
