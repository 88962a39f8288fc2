"""Frames of a recording, as they came: `replay:FILE`, made by `recbms-zmq record`.

Their times are those of the recording, so the messages are those of the live run. `?speed=10` is
ten times as fast, `?speed=0` as fast as possible. It waits for a slow reader of stdout, which gets
every line.
"""

import asyncio
import itertools
import logging
import time
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from recbms_zmq.clock import Instant
from recbms_zmq.config import readers
from recbms_zmq.config.option import read_argument
from recbms_zmq.errors import ConfigError, DamagedRecording
from recbms_zmq.sources import Receiver
from recbms_zmq.sources.recording import (
    LONGEST_GAP,
    Connected,
    Disconnected,
    End,
    FrameRecord,
    Record,
    Start,
    read_record,
)

SCHEME: Final = "replay:"
_AROUND_A_FRAME: Final = 1024  # bytes of a line beside its frame
_SHORTEST_WAIT: Final = 0.01  # seconds; see `clock_time`
_ESCAPED: Final = 6  # bytes of a line that one byte of a frame may take, as \u001f

_log = logging.getLogger(__name__)


class ReplaySource:
    """A recording as a source. Lines that are not valid are skipped, and logged.

    Args:
        url: `replay:FILE` or `replay:FILE?speed=NUMBER`.
        max_frame: bytes of the longest frame.

    Raises:
        UsageError: the speed is not a number of at least 0.
        ConfigError: the file cannot be read, or is not a recording.

    """

    live = False
    can_wait = True
    sends_settings = True

    def __init__(self, url: str, *, max_frame: int = 2**20) -> None:
        path, mark, speed = url.removeprefix(SCHEME).rpartition("?speed=")
        self._path: Path = read_argument(SCHEME, readers.path, path if mark else speed)
        self._speed = read_argument("?speed=", readers.number("a speed"), speed if mark else "1")
        self._longest_line = _ESCAPED * max_frame + _AROUND_A_FRAME
        self._skipped = 0
        with self._open() as file:
            self._place = self._read_start(file)
        self._reached = 0.0  # on our own clock
        self._next = self._place

    def now(self) -> Instant:
        """Return the time in the recording, also between two of its lines."""
        if not self._speed:
            return self._place
        passed = (time.monotonic() - self._reached) * self._speed
        return self._place.at(min(self._place.monotonic + passed, self._next.monotonic))

    def clock_time(self, monotonic: float) -> float:
        """Return when the replay will have reached a time, never at full speed."""
        if not self._speed:
            return float("inf")
        left: float = (monotonic - self.now().monotonic) / self._speed
        # A slow reader stops the replay at a line, and that can be right before this time.
        return time.monotonic() + max(_SHORTEST_WAIT, left)

    async def run(self, receiver: Receiver) -> None:
        """Deliver until the end of the recording, or until cancelled.

        Raises:
            ConfigError: the file cannot be read any more.

        """
        began = self._reached = time.monotonic()
        first = self._place.monotonic
        with self._open() as file:
            self._read_start(file)
            for record in self._records(file):
                if record is None:
                    await asyncio.sleep(0)  # as below
                    continue
                self._next = record.at
                delay = 0.0
                if self._speed:
                    # From the start of the replay, not from the line before: no delay adds up.
                    due = began + (record.monotonic - first) / self._speed
                    delay = due - time.monotonic()
                # Also if it is due or late: signals and the other BMS of the process need a turn.
                await asyncio.sleep(delay)
                self._place, self._reached = record.at, time.monotonic()
                _deliver(record, receiver)
                await receiver.drain()
        if self._skipped > 1:  # one is named already
            _log.warning("%s: %d lines were skipped", self._path, self._skipped)

    def _open(self) -> BinaryIO:
        try:
            # Opening a FIFO waits for its writer, with the event loop.
            if self._path.exists() and not self._path.is_file():
                raise ConfigError(f"cannot read {self._path}: it is not a regular file")
            return self._path.open("rb")
        except OSError as exc:
            raise self._unreadable(exc) from exc

    def _read_start(self, file: BinaryIO) -> Instant:
        try:
            start = self._read_record(file)
        except DamagedRecording as exc:
            raise ConfigError(f"{self._path} is not a recording: line 1: {exc}") from exc
        except OSError as exc:
            raise self._unreadable(exc) from exc
        if start is None:
            raise ConfigError(f"{self._path} is not a recording: it is empty")
        if not isinstance(start, Start):
            raise ConfigError(f"{self._path} is not a recording: line 1 is not a start")
        return start.at

    def _records(self, file: BinaryIO) -> Iterator[Record | None]:
        """Yield the records after the start; None for one that is not valid."""
        last = self._place.monotonic
        for number in itertools.count(2):
            try:
                record = self._read_record(file)
                if record is None:
                    return
                _check_place(record, last)
            except DamagedRecording as exc:
                self._skipped += 1
                if self._skipped == 1:
                    _log.warning("%s: line %d is skipped: %s", self._path, number, exc)
                yield None
                continue
            except OSError as exc:  # a disk or a network share that is gone
                raise self._unreadable(exc, f" from line {number} on") from exc
            last = record.monotonic
            yield record
            if isinstance(record, End):
                return

    def _read_record(self, file: BinaryIO) -> Record | None:
        """Read the next line; None at the end of the file."""
        # With a limit: a file without newlines would come into memory as a whole.
        line = file.readline(self._longest_line)
        if len(line) < self._longest_line:
            return read_record(line.removeprefix(BOM_UTF8)) if line else None
        while line and not line.endswith(b"\n"):
            line = file.readline(self._longest_line)
        raise DamagedRecording("it is longer than --max-frame allows")

    def _unreadable(self, exc: OSError, where: str = "") -> ConfigError:
        return ConfigError(f"cannot read the recording {self._path}{where}: {exc.strerror}")


def _deliver(record: Record, receiver: Receiver) -> None:
    if isinstance(record, FrameRecord):
        receiver.received(record.data, record.at)
    elif isinstance(record, Connected):
        receiver.connected(record.at)
    elif isinstance(record, Disconnected):
        receiver.disconnected(record.reason, record.at)


def _check_place(record: Record, last: float) -> None:
    if isinstance(record, Start):
        raise DamagedRecording("another recording starts here")
    if not 0 <= record.monotonic - last <= LONGEST_GAP:
        raise DamagedRecording("its time is before that of the line above, or a year after it")
