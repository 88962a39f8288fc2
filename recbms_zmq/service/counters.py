"""Energy counters on disk: they survive a restart, kill -9 and a power cut.

Each BMS has a small JSON file, `NAME.energy.json`, in the state directory. It is written to
`NAME.energy.json.new`, synced and renamed, so that a whole file is there at any moment. A lock on
`NAME.energy.lock` keeps other processes away; that file is never removed, because a lock on a
removed file excludes nothing.

What is promised:

- A published counter never falls, also after kill -9 and a power cut, while the disk works. For
  this the file holds, beside the totals, values that are reserved: none above them is published
  before a file with higher ones is on disk. After an unclean end a counter starts at its reserved
  value, and stays there until the total has reached it.
- After an unclean end, up to `SAVE_EVERY` seconds of energy are not counted. After a clean end,
  nothing is lost.
- A full, failing or hanging disk stops neither readings nor the end of the process: counters go on
  in memory, and writing is tried again.

The disk is only used in threads. Without a state directory this module is not loaded.
"""

import asyncio
import contextlib
import errno
import fcntl
import logging
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import astuple

from recbms_zmq.clock import Instant
from recbms_zmq.config.files import open_regular, read_regular
from recbms_zmq.errors import OutputError
from recbms_zmq.sensors.energy import FROM_ZERO, Counters, EnergyMeter
from recbms_zmq.service.runner import DaemonThreads

SAVE_EVERY: Final = 60.0
"""Seconds between two writes: an SD card has to last for years."""
_SAVE_PAUSE: Final = 1.0  # seconds between two writes, however much power a pack has
RESERVED: Final = Counters(0.1, 0.1, 2.0, 2.0)
"""kWh and Ah above the totals that are reserved at least: a minute of 6 kW, or of 120 A."""
_RESERVED_GROWTH: Final = 4  # times what was counted since the last write
LOCK_FOR: Final = 5.0
"""Seconds that another process gets to release its lock: a redeploying Node-RED overlaps."""
_LOCK_AGAIN: Final = 0.1
DISK_PATIENCE: Final = 5.0
"""Seconds until a write counts as hanging; at the end of the process it is left behind then."""
_DISK_PATIENCE_EACH: Final = 0.05  # an SD card takes 10 ms for each file
_MAX_FILE: Final = 4096
# What may pass. Anything else about the directory is the user's mistake.
_DISK_ERRORS: Final = (errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO)

_log = logging.getLogger(__name__)

Total = Annotated[float, Meta(ge=0)]


class _Totals(Struct, frozen=True):
    energy_charged: Total
    energy_discharged: Total
    charge_in: Total
    charge_out: Total


class _Saved(_Totals, frozen=True, kw_only=True):
    """The content of a file. `reserved` is left out where it equals the totals."""

    reserved: _Totals | None = None
    saved: str = ""


class CounterFile:
    """The counters of one BMS and their file. The methods that wait for the disk are marked."""

    def __init__(self, directory: Path, name: str, meter: EnergyMeter) -> None:
        self.name = name
        self.meter = meter
        self.path = directory / f"{name}.energy.json"
        self.failure = ""
        """Why the last write failed, or reading before it; empty after a success."""
        self._directory = directory
        self._lock_path = directory / f"{name}.energy.lock"
        self._lock: int | None = None
        self._written: Counters | None = None
        self.wants_save: Callable[[], None] = lambda: None
        """Called when half of what is reserved is used up: by a pack of much power."""
        self._half = self._floor = FROM_ZERO
        self._reserved: Counters | None = None
        self._ceiling: Counters | None = None

    def limit(self, counters: Counters) -> Counters:
        """Return what may be published of these totals; None stays None."""
        ceiling = counters
        if self._ceiling is not None:
            ceiling = self._ceiling
            if self._is_beyond_half(counters):
                self.wants_save()
        found = _each(
            lambda total, low, high: max(low, min(total, high)), counters, self._floor, ceiling
        )
        self._floor = Counters(
            *(
                old if new is None else new
                for old, new in zip(astuple(self._floor), astuple(found), strict=True)
            )
        )
        return found

    def _is_beyond_half(self, counters: Counters) -> bool:
        pairs = zip(astuple(counters), astuple(self._half), strict=True)
        return any(total is not None and total > half for total, half in pairs)

    def lift_limit(self) -> None:
        """Publish totals as they are: the disk cannot be written to."""
        self._ceiling = None

    @property
    def is_due(self) -> bool:
        """Whether there is something to read or to write."""
        return (
            bool(self.failure) or self.meter.totals is None or (self.meter.totals != self._written)
        )

    def lock(self) -> None:
        """Exclude other processes, if that is not done yet. Waits for the disk.

        Raises:
            BlockingIOError: another process has the lock.
            OSError: the file cannot be locked.

        """
        if self._lock is not None:
            return
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = open_regular(self._lock_path, os.O_RDWR | os.O_CREAT, follow=False)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise
        self._lock = lock

    def resume(self) -> None:
        """Read the file, and let the meter go on from there. Waits for the disk.

        Counters start at 0 without a file. A damaged file is renamed, and they start at 0, too.

        Raises:
            OSError: the file cannot be read now.

        """
        try:
            data = read_regular(self.path, most=_MAX_FILE, follow=False)
        except FileNotFoundError:
            if not self._directory.is_dir():  # perhaps it is mounted later
                raise
            saved = _Saved(*astuple(FROM_ZERO))
        except OSError as exc:
            if exc.errno != errno.EFBIG:
                raise
            saved = self._put_aside()
        else:
            try:
                saved = msgspec.json.decode(data, type=_Saved)
            except (msgspec.DecodeError, UnicodeError):
                saved = self._put_aside()
        totals = Counters(*astuple(saved)[:4])
        if saved.reserved is not None:
            self._floor = Counters(*astuple(saved.reserved))
        self.meter.resume(totals)
        self._written = self.meter.totals

    def _put_aside(self) -> _Saved:
        aside = f"{self.path}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        self.path.rename(aside)
        _log.error(
            "%s: %s is damaged: renamed to %s; the energy counters start at 0",
            self.name,
            self.path,
            aside,
        )
        return _Saved(*astuple(FROM_ZERO))

    def save(self, *, last: bool = False) -> None:
        """Read or write what is due, and log a failure that is new. Waits for the disk.

        Args:
            last: whether nothing is published any more, so that nothing needs to be reserved.

        """
        try:
            self.lock()
            if self.meter.totals is None:
                self.resume()
            self.write(last=last)
        except OSError as exc:
            self.fail(exc)
        else:
            if self.failure:
                self.failure = ""
                _log.info("%s: energy counters are kept again", self.name)

    def write(self, *, last: bool) -> None:
        """Write the totals. Waits for the disk.

        Raises:
            OSError: they cannot be written; the file is as it was.

        """
        totals = self.meter.totals
        assert totals is not None
        if last:
            reserved = _each(max, totals, self._floor)
        else:
            reserved = _each(_reserved, totals, self._written or totals, RESERVED, self._floor)
        saved = _Saved(
            *astuple(totals),
            reserved=None if reserved == totals else _Totals(*astuple(reserved)),
            saved=Instant.now().isoformat(),
        )
        aside = Path(f"{self.path}.new")
        with contextlib.suppress(FileNotFoundError):  # left by a kill, or not by us
            aside.unlink()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with open(open_regular(aside, flags, follow=False), "wb") as file:  # noqa: PTH123 descriptor
            file.write(msgspec.json.format(msgspec.json.encode(saved)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        aside.rename(self.path)
        self._written = totals
        self._reserved = reserved

    def confirm(self) -> None:
        """Publish up to what is reserved: the file is on the disk for good."""
        if not self.failure and self._written and self._reserved:
            self._half = _each(_middle, self._written, self._reserved)
            self._ceiling = self._reserved

    def fail(self, exc: OSError) -> None:
        """Log why the counters cannot be kept, if that is new; publish them without a limit."""
        self.lift_limit()
        if isinstance(exc, BlockingIOError):
            reason = "another process has locked it"
        else:
            reason = (exc.strerror or str(exc)).lower()
        if reason == self.failure:
            return
        self.failure = reason
        unknown = self.meter.totals is None
        _log.warning(
            "%s: energy counters cannot be kept in %s: %s; trying again every %g s, %s",
            self.name,
            self.path,
            reason,
            SAVE_EVERY,
            "they are unknown until then" if unknown else "they go on in memory",
        )

    def close(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class CounterStore:
    """The counter files of all BMS: read at the start, written every `SAVE_EVERY` seconds."""

    def __init__(self, directory: Path, meters: Mapping[str, EnergyMeter]) -> None:
        self._directory = directory
        self.files = [CounterFile(directory, name, meter) for name, meter in meters.items()]
        # Not asyncio's threads: look-ups without DNS can occupy all of them.
        self._thread = DaemonThreads(most=1)
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        for file in self.files:
            file.wants_save = self._wake.set
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> bool:
        """Lock the files, and let the meters go on from them; return True.

        Raises:
            OutputError: another process has locked one, or this cannot be a state directory.

        """
        for file in self.files:
            try:
                await self._lock(file)
                await self._in_thread(_resume_and_reserve, file)
            except OSError as exc:
                # Without the lock it can still be read: a disk that has become read-only.
                if file.meter.totals is None:
                    with contextlib.suppress(OSError):
                        await self._in_thread(file.resume)
                file.fail(exc)
        if not any(file.failure for file in self.files):
            _log.info("energy counters are kept in %s", self._directory)
        return True

    def _in_thread(
        self, work: Callable[..., None], *arguments: CounterFile
    ) -> asyncio.Future[None]:
        return asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def start(self) -> None:
        """Begin to write periodically."""
        self._task = asyncio.create_task(self._keep())

    def stop(self) -> None:
        """Begin the last write."""
        self._closing.set()
        self._wake.set()

    async def close(self) -> None:
        """Wait for the last write, but not for a disk that hangs, and release the locks."""
        self.stop()
        if self._task is not None:
            patience = DISK_PATIENCE + len(self.files) * _DISK_PATIENCE_EACH
            done, _ = await asyncio.wait({self._task}, timeout=patience)
            if not done:
                self._task.cancel()
                _log.warning(
                    "the energy counters were not written within %g s: does the disk of %s "
                    "respond? up to %g s of energy are not counted",
                    patience,
                    self._directory,
                    SAVE_EVERY,
                )
                return  # a thread may still use the files
        for file in self.files:
            file.close()

    async def _lock(self, file: CounterFile) -> None:
        loop = asyncio.get_running_loop()
        give_up = math.inf
        while True:
            try:
                await self._in_thread(file.lock)
            except BlockingIOError as exc:
                if give_up == math.inf:
                    give_up = loop.time() + LOCK_FOR
                    _log.info("%s: waiting for another process to release it", file.path)
                if loop.time() >= give_up:
                    raise OutputError(
                        f"another process keeps the energy counters in {file.path}; "
                        "stop it, or give this one another --state-dir or --name"
                    ) from exc
                await asyncio.sleep(_LOCK_AGAIN)
            except OSError as exc:
                if exc.errno in _DISK_ERRORS:
                    raise
                reason = "not a directory" if isinstance(exc, FileExistsError) else exc.strerror
                raise OutputError(
                    f"cannot keep energy counters in --state-dir {self._directory}: {reason}"
                ) from exc
            else:
                return

    async def _keep(self) -> None:
        last = False
        while not last:
            await _wait(self._closing, min(_SAVE_PAUSE, SAVE_EVERY))
            await _wait(self._wake, SAVE_EVERY)
            self._wake.clear()
            last = self._closing.is_set()  # set while a write runs, it asks for one more
            try:
                await self._save(last=last)
            except Exception:  # noqa: BLE001 for example no thread can be started: the next try counts
                _log.exception("the energy counters could not be written")

    async def _save(self, *, last: bool) -> None:
        files = [file for file in self.files if last or file.is_due]
        if not files:
            return
        work = self._in_thread(partial(_save_all, files, last=last))
        done, _ = await asyncio.wait({work}, timeout=DISK_PATIENCE)
        if not done:
            _log.warning(
                "writing the energy counters to %s takes longer than %g s; they go on in memory",
                self._directory,
                DISK_PATIENCE,
            )
            for file in files:
                file.lift_limit()
        await work


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _resume_and_reserve(file: CounterFile) -> None:
    file.resume()
    file.write(last=False)
    _sync(file.path.parent)
    file.confirm()


def _save_all(files: Sequence[CounterFile], *, last: bool) -> None:
    for file in files:
        file.save(last=last)
    _sync(files[0].path.parent)
    for file in files:
        file.confirm()


def _reserved(total: float, written: float, least: float, floor: float) -> float:
    return max(floor, total + max(least, _RESERVED_GROWTH * (total - written)))


def _middle(low: float, high: float) -> float:
    return low + (high - low) / 2


def _each(function: Callable[..., float], *counters: Counters) -> Counters:
    """Apply a function to each of the four counters; what is unknown stays unknown."""
    columns = zip(*map(astuple, counters), strict=True)
    return Counters(*(None if None in column else function(*column) for column in columns))


def _sync(directory: Path) -> None:
    """Sync a directory: a new name reaches the disk with it."""
    with contextlib.suppress(OSError):
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
