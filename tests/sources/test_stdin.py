import asyncio
import itertools
import os
from codecs import BOM_UTF8
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.receiver import Calls, RecordingReceiver
from support.virtual_time import run_in_virtual_time

from recbms_zmq.sources import stdin
from recbms_zmq.sources.stdin import StdinSource

LIMIT = 2000
SHOWN = 1024  # bytes of a longer line that are passed on


def frames(calls: Calls) -> list[str]:
    return [text for what, text in calls if what == "frame"]


def read_pipe(chunks: list[bytes]) -> Calls:
    """Return what is received from a pipe into which this is written, chunk by chunk."""

    async def run() -> Calls:
        reading, writing = os.pipe()
        receiver = RecordingReceiver()
        task = asyncio.create_task(StdinSource(reading, max_frame=LIMIT).run(receiver))
        for chunk in chunks:
            await asyncio.to_thread(os.write, writing, chunk)
        os.close(writing)
        await task
        os.close(reading)
        return receiver.calls

    return asyncio.run(run())


@given(st.lists(st.binary(max_size=2 * LIMIT) | st.sampled_from([b"{}\n", b"\n", b"\r\n", b"a"])))
def test_lines_are_the_same_however_they_come(chunks: list[bytes]) -> None:
    expected = [
        (line if len(line) <= LIMIT else line[:SHOWN])
        .removeprefix(BOM_UTF8)
        .strip()
        .decode("latin-1")
        for line in b"".join(chunks).split(b"\n")
    ]
    calls = read_pipe([chunk for chunk in chunks if chunk])
    assert calls[0] == ("connected", "")
    assert frames(calls) == [line for line in expected if line]


def test_a_byte_order_mark_is_none_of_the_frame() -> None:
    calls = read_pipe([b'\xef\xbb\xbf{"a":1}\r\n', b'{"a":2}\r\n'])
    assert frames(calls) == ['{"a":1}', '{"a":2}']


@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_lines_without_end_leave_turns_to_the_others(kind: str, tmp_path: Path) -> None:
    """The event loop turns once for each line, however many come at once."""
    lines = 1000
    path = tmp_path / "lines"
    path.write_bytes(b"x\n" * lines)

    async def run() -> int:
        reading, writing = os.pipe()
        os.write(writing, path.read_bytes())
        os.close(writing)
        fd = reading if kind == "pipe" else os.open(path, os.O_RDONLY)
        turns = 0
        receiver = RecordingReceiver()
        task = asyncio.create_task(StdinSource(fd, max_frame=LIMIT).run(receiver))
        while len(receiver.calls) <= lines:
            turns += 1
            await asyncio.sleep(0)
        await task
        for each in {reading, fd}:
            os.close(each)
        return turns

    assert asyncio.run(run()) >= lines


@pytest.mark.parametrize("cut", [1, SHOWN, LIMIT, LIMIT + 1])
@pytest.mark.parametrize(("length", "kept"), [(LIMIT, LIMIT), (LIMIT + 1, SHOWN)])
def test_the_limit_is_exact_wherever_a_line_is_cut(cut: int, length: int, kept: int) -> None:
    line = b"x" * length
    chunks = [chunk for chunk in (line[:cut], line[cut:], b"\n") if chunk]
    assert frames(read_pipe([*chunks, *chunks, b"{}\n"])) == ["x" * kept, "x" * kept, "{}"]


def test_another_process_that_reads_first_costs_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes can share a terminal, or the pipe of a script."""
    read, reads = os.read, itertools.count()

    def read_too_late(fd: int, size: int) -> bytes:
        if next(reads) % 2 == 0:
            raise BlockingIOError
        return read(fd, size)

    monkeypatch.setattr(os, "read", read_too_late)
    assert frames(read_pipe([b"1\n", b"2\n3"])) == ["1", "2", "3"]


def test_a_file_waits_for_a_slow_reader_after_every_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stdin, "_PATIENCE", -1.0)  # of a pipe
    path = tmp_path / "frames"
    path.write_bytes(b"1\n2\n3")

    class Slow(RecordingReceiver):
        async def drain(self) -> None:
            await asyncio.sleep(0)
            self.calls.append(("the reader has all of it", ""))

    receiver = Slow()
    with path.open("rb") as file:
        asyncio.run(StdinSource(file.fileno()).run(receiver))
    waited = ("the reader has all of it", "")
    assert receiver.calls == [
        ("connected", ""),
        ("frame", "1"),
        waited,
        ("frame", "2"),
        waited,
        ("frame", "3"),
    ]


def test_a_pipe_waits_for_a_slow_reader_but_not_for_ever() -> None:
    delays = iter([0.0, 0.05, 0.9])  # seconds

    class Slow(RecordingReceiver):
        async def drain(self) -> None:
            await asyncio.sleep(next(delays))
            self.calls.append(("the reader has all of it", ""))

    async def run() -> Calls:
        reading, writing = os.pipe()
        os.write(writing, b"1\n2\n3\n")
        os.close(writing)
        receiver = Slow()
        task = asyncio.create_task(StdinSource(reading).run(receiver))
        while not task.done():  # noqa: ASYNC110, the clock moves only while the loop sleeps
            await asyncio.sleep(0.01)
        os.close(reading)
        return receiver.calls

    waited = ("the reader has all of it", "")
    assert run_in_virtual_time(run()) == [
        ("connected", ""),
        *[("frame", "1"), waited],
        *[("frame", "2"), waited],
        ("frame", "3"),
    ]
