"""Targets for the ways in that have a form of their own: HTTP answers, recordings, lines."""

import asyncio
import contextlib
import http.client
import io
import os
import tempfile
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from recbms_zmq.clock import Instant
from recbms_zmq.errors import ConfigError, InvalidResponse
from recbms_zmq.sources.http import content, read_response
from recbms_zmq.sources.recording import LONGEST_GAP, FrameRecord, Start, read_record
from recbms_zmq.sources.replay import ReplaySource
from recbms_zmq.sources.stdin import StdinSource

LIMIT = 1024
_T = TypeVar("_T")


class FrameReceiver:
    """A receiver that keeps the frames, and holds the times to going forward."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self._last = float("-inf")

    def connected(self, at: Instant) -> None:
        self._note(at)

    def disconnected(self, reason: str, at: Instant) -> None:
        assert isinstance(reason, str)
        self._note(at)

    def received(self, data: bytes, at: Instant) -> bool:
        self._note(at)
        self.frames.append(data)
        return True

    async def drain(self) -> None:
        """Wait for no reader."""

    def _note(self, at: Instant) -> None:
        assert at.monotonic >= self._last
        assert at.isoformat().endswith("Z")
        self._last = at.monotonic


def http_answer(data: bytes) -> None:
    """An answer is read or refused, the same in pieces; what is read, Python's client reads too."""
    outcome = answered(data)
    middle = len(data) // 2
    assert answered(data[:middle], data[middle:]) == outcome
    if isinstance(outcome, bytes):
        assert len(outcome) <= LIMIT
        with contextlib.suppress(http.client.HTTPException, ValueError):
            assert _reference(data) == outcome


def answered(*parts: bytes) -> bytes | str:
    """Read an answer that comes in these parts; return its content, or why there is none."""

    async def read() -> bytes:
        reader = asyncio.StreamReader(limit=2**16)
        task = asyncio.create_task(read_response(reader, LIMIT))
        for part in parts:
            reader.feed_data(part)
            await asyncio.sleep(0)
        reader.feed_eof()
        return content(await task)

    try:
        return _run(read())
    except InvalidResponse as exc:
        return str(exc)


class _Socket:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self._data)


def _reference(data: bytes) -> bytes:
    response = http.client.HTTPResponse(_Socket(data))  # type: ignore[arg-type]
    response.begin()
    if response.status < 200:
        raise http.client.HTTPException("it skips 100 Continue, but no other 1xx")
    if response.headers.get("Transfer-Encoding", "chunked").lower() != "chunked":
        raise http.client.HTTPException("it knows no others, and takes them for none")
    return response.read()


def recording(data: bytes) -> None:
    """A file is replayed or refused: what comes is in its good lines, in order."""
    with _file(data) as path:
        try:
            source = ReplaySource(f"replay:{path}?speed=0", max_frame=2**20)
        except ConfigError:
            return
        receiver = FrameReceiver()
        _run(source.run(receiver))
    good = []
    for line in data.split(b"\n"):
        with contextlib.suppress(Exception):
            record = read_record(line)
            if isinstance(record, FrameRecord):
                good.append(record.data)
    assert _is_part(receiver.frames, good)
    start = read_record(data.split(b"\n")[0].removeprefix(b"\xef\xbb\xbf"))
    assert isinstance(start, Start)
    assert source.now().monotonic <= start.monotonic + LONGEST_GAP * data.count(b"\n")


def _is_part(part: list[bytes], whole: list[bytes]) -> bool:
    """Return whether all of one list comes in the other, in the same order."""
    rest = iter(whole)
    return all(item in rest for item in part)


def stdin_lines(data: bytes) -> None:
    """Every line that holds something is a message; of one that is too long comes the beginning."""
    with _file(data) as path, path.open("rb") as file:
        receiver = FrameReceiver()
        _run(StdinSource(file.fileno(), max_frame=LIMIT).run(receiver))
    lines = [line if len(line) <= LIMIT else line[:LIMIT] for line in data.split(b"\n")]
    expected = [line.removeprefix(b"\xef\xbb\xbf").strip() for line in lines]
    assert receiver.frames == [line for line in expected if line]


@contextlib.contextmanager
def _file(data: bytes) -> Iterator[Path]:
    fd, name = tempfile.mkstemp(prefix="recbms-fuzz-")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        yield Path(name)
    finally:
        Path(name).unlink()


_loop: asyncio.AbstractEventLoop | None = None


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run in a loop that is kept: making one takes longer than most of what is run."""
    global _loop  # noqa: PLW0603 there is one a process
    if _loop is None or _loop.is_closed():
        _loop = asyncio.new_event_loop()
    return _loop.run_until_complete(work)
