"""Files of the state directory: what survives a power cut, and what is taken for no file."""

import errno
import logging
import os
import time
from pathlib import Path

import pytest

from recbms_zmq.service import state_files

LINE = b"0123456789\n"


@pytest.fixture
def disk_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what is synced, with the content that it has then, and what is renamed."""
    calls: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def synced(fd: int) -> None:
        path = Path(f"/proc/self/fd/{fd}").resolve()
        content = "its names" if path.is_dir() else path.read_bytes().decode()
        calls.append(f"sync {path.name}: {content}")
        fsync(fd)

    def renamed(path: Path, target: Path) -> Path:
        calls.append(f"rename {path.name} to {target.name}")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    return calls


def test_a_file_is_on_the_disk_before_it_has_its_name_and_the_name_after_that(
    tmp_path: Path, disk_calls: list[str]
) -> None:
    state_files.replace(tmp_path / "main.json", b"new")
    state_files.sync_directory(tmp_path)
    assert disk_calls == [
        "sync main.json.new: new",
        "rename main.json.new to main.json",
        f"sync {tmp_path.name}: its names",
    ]


def test_lines_of_a_log_are_on_the_disk_when_they_count_as_written(
    tmp_path: Path, disk_calls: list[str]
) -> None:
    for line in (b"a\n", b"b\n"):
        state_files.append(tmp_path / "log", line)
    assert disk_calls == ["sync log: a\n", "sync log: a\nb\n"]


@pytest.mark.parametrize(("room", "in_a_part"), [(0, 3), (-1, 3), (1, 4)])
def test_a_full_log_becomes_the_older_part_and_replaces_the_one_before(
    room: int, in_a_part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_files, "LOG_BYTES", 3 * len(LINE) + room)
    log = tmp_path / "log"
    lines = [b"%010d\n" % number for number in range(3 * in_a_part - 1)]
    for line in lines:
        state_files.append(log, line)
    kept = [state_files.older(log).read_bytes(), log.read_bytes()]
    assert kept == [
        b"".join(lines[in_a_part : 2 * in_a_part]),
        b"".join(lines[2 * in_a_part :]),
    ]
    tail = state_files.read_tail(log)
    assert tail is not None
    assert [line + b"\n" for line in tail.split()] == lines[in_a_part:]


def test_without_its_directory_nothing_is_known_of_a_file(tmp_path: Path) -> None:
    """A disk may be mounted later: its counters must not begin at 0 meanwhile."""
    for read in (state_files.read, state_files.read_tail):
        assert read(tmp_path / "file") is None
        with pytest.raises(FileNotFoundError) as caught:
            read(tmp_path / "not mounted" / "file")
        assert (caught.value.errno, caught.value.strerror) == (
            errno.ENOENT,
            "No such file or directory",
        )


def test_a_file_that_is_too_large_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for size in (state_files.MOST_BYTES, state_files.MOST_BYTES + 1):
        path.write_bytes(bytes(size))
        if size == state_files.MOST_BYTES:
            assert state_files.read(path) == bytes(size)
            continue
        with pytest.raises(ValueError, match="it has more than 65,536 bytes"):
            state_files.read(path)


@pytest.mark.parametrize(("patience", "free_after", "pauses"), [(0, 1, 0), (5, 99, 50), (5, 3, 3)])
def test_a_lock_is_waited_for_with_one_line_in_the_log(
    patience: float,
    free_after: int,
    pauses: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "lock"
    other = state_files.lock(path)
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        if len(paused) == free_after:
            os.close(other)

    monkeypatch.setattr(time, "sleep", pause)
    caplog.set_level(logging.INFO)
    if free_after > pauses:
        before = len(list(Path("/dev/fd").iterdir()))
        with pytest.raises(BlockingIOError):
            state_files.lock(path, patience)
        assert len(list(Path("/dev/fd").iterdir())) == before
        os.close(other)
    else:
        os.close(state_files.lock(path, patience))
    assert paused == [0.1] * pauses
    assert caplog.messages == [f"{path}: waiting for another process to release it"] * bool(pauses)
