"""Energy counters on disk: what is in them outlives a restart, a kill and a power cut.

One small JSON file a BMS, `NAME.energy.json`, in the state directory. It is written aside, synced
and renamed, so that there is always a whole one; a lock beside it (`NAME.energy.lock`, never
removed, because a lock on a removed file holds nobody off) keeps it to one process.

Nothing here is fatal once the service runs: on a full or failing disk the counters go on in memory
and writing is tried again. At the end of a fleet of hundreds the last write takes its time, a slow
disk's 10 ms for each file. Without a state directory this module is not used at all.
"""

import asyncio
import contextlib
import errno
import fcntl
import logging
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct

from recbms_zmq.clock import Instant
from recbms_zmq.errors import OutputError
from recbms_zmq.sensors.energy import FROM_ZERO, Counters, EnergyMeter

SAVE_EVERY: Final = 60.0
"""Seconds between two writes: an SD card has to last for years. A kill costs no more than that."""
LOCK_FOR: Final = 5.0
"""Seconds that another process gets to let go: a redeploying Node-RED overlaps."""
_LOCK_AGAIN: Final = 0.1
_MAX_FILE: Final = 4096
# A disk's trouble, which may pass; anything else about the directory is the user's mistake.
_DISK_TROUBLE: Final = (errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO)

_log = logging.getLogger(__name__)

Total = Annotated[float, Meta(ge=0, le=1e12)]


class _Kept(Struct):
    """What is in a file; the time is for people."""

    energy_charged: Total
    energy_discharged: Total
    charge_in: Total
    charge_out: Total
    saved: str = ""


class CounterFile:
    """The file of one BMS. Its methods wait for the disk."""

    def __init__(self, directory: Path, name: str) -> None:
        self.path = directory / f"{name}.energy.json"
        self._directory = directory
        self._lock_path = directory / f"{name}.energy.lock"
        self._lock: int | None = None

    def lock(self) -> None:
        """Make it ours, if it is not yet.

        Raises:
            BlockingIOError: another process has it.
            OSError: it cannot be locked.

        """
        if self._lock is not None:
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise
        self._lock = lock

    def read(self) -> Counters:
        """Return the counters, zeros if there are none yet. A damaged file is moved aside.

        Raises:
            OSError: what they are cannot be known now.

        """
        try:
            with self.path.open("rb") as file:
                data = file.read(_MAX_FILE)
        except FileNotFoundError:
            if not self._directory.is_dir():  # perhaps it will be mounted later
                raise
            return FROM_ZERO
        try:
            kept = msgspec.json.decode(data, type=_Kept)
        except (msgspec.DecodeError, UnicodeError):
            aside = f"{self.path}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
            self.path.rename(aside)
            _log.error("%s is damaged; kept as %s, and counted anew from 0", self.path, aside)
            return FROM_ZERO
        return Counters(
            kept.energy_charged, kept.energy_discharged, kept.charge_in, kept.charge_out
        )

    def write(self, counters: Counters) -> None:
        """Put these in the place of what is there.

        Raises:
            BlockingIOError: it is another process's.
            OSError: they cannot be written; what was there is still there.

        """
        self.lock()
        members = msgspec.structs.asdict(counters) | {"saved": Instant.now().isoformat()}
        aside = Path(f"{self.path}.new")
        with aside.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(members)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        aside.rename(self.path)

    def close(self) -> None:
        """Let other processes have it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class _Account:
    """One BMS's counters, in memory and on disk, and what the log was told of them."""

    def __init__(self, name: str, meter: EnergyMeter, file: CounterFile) -> None:
        self.name = name
        self.meter = meter
        self.file = file
        self.written: Counters | None = None
        self.trouble = ""

    def work(self, totals: Counters | None) -> Counters | None:
        """Write these; or if they are unknown, read what they were. Waits for the disk."""
        try:
            self.file.lock()
            if totals is None:
                return self.file.read()
            self.file.write(totals)
        except OSError as exc:
            self.complain(exc)
        else:
            self.written = totals
            if self.trouble:
                self.trouble = ""
                _log.info("%s: energy counters are kept again", self.name)
        return None

    def complain(self, exc: OSError) -> None:
        """Say in the log why the counters cannot be kept, if that is news."""
        if isinstance(exc, BlockingIOError):
            reason = "another process keeps them"
        else:
            reason = (exc.strerror or str(exc)).lower()
        if reason != self.trouble:
            self.trouble = reason
            consequence = (
                "they are unknown until then"
                if self.meter.totals is None
                else "they go on in memory"
            )
            _log.warning(
                "%s: energy counters cannot be kept in %s: %s; trying again every %g s, %s",
                self.name,
                self.file.path,
                reason,
                SAVE_EVERY,
                consequence,
            )


class _Job(NamedTuple):
    account: _Account
    totals: Counters | None


class Keeper:
    """Keeps the counters of all BMS: reads them at the start, writes them now and then."""

    def __init__(self, directory: Path, meters: Mapping[str, EnergyMeter]) -> None:
        self._directory = directory
        self._accounts = [
            _Account(name, meter, CounterFile(directory, name)) for name, meter in meters.items()
        ]
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> bool:
        """Make the files ours, and let the meters go on where they were; return True.

        Raises:
            OutputError: another process has one of them, or this can be no state directory.

        """
        for account in self._accounts:
            try:
                await self._lock(account)
                account.meter.resume(account.file.read())
            except OSError as exc:
                # Without the lock it can still be read: a disk that has become read-only.
                with contextlib.suppress(OSError):
                    account.meter.resume(account.file.read())
                account.complain(exc)
            account.written = account.meter.totals
        if not any(account.trouble for account in self._accounts):
            _log.info("energy counters are kept in %s", self._directory)
        return True

    def start(self) -> None:
        """Begin to write now and then."""
        self._task = asyncio.create_task(self._keep())

    def stop(self) -> None:
        """Begin to write for the last time."""
        self._closing.set()

    async def close(self) -> None:
        """Wait until all is written, and let other processes have the files."""
        self.stop()
        if self._task is not None:
            await self._task
        for account in self._accounts:
            account.file.close()

    async def _lock(self, account: _Account) -> None:
        loop = asyncio.get_running_loop()
        give_up = math.inf
        while True:
            try:
                account.file.lock()
            except BlockingIOError as exc:
                if give_up == math.inf:
                    give_up = loop.time() + LOCK_FOR
                    _log.info("%s: waiting for another process to let go", account.file.path)
                if loop.time() >= give_up:
                    raise OutputError(
                        f"another process keeps the energy counters in {account.file.path}; "
                        "stop it, or give this one another --state-dir or --name"
                    ) from exc
                await asyncio.sleep(_LOCK_AGAIN)
            except OSError as exc:
                if exc.errno in _DISK_TROUBLE:
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
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SAVE_EVERY):
                    await self._closing.wait()
            last = self._closing.is_set()  # told while we write, there is more to write
            try:
                await self._save()
            except Exception:  # noqa: BLE001 for example no thread to be had: the next try counts
                _log.exception("energy counters could not be written")

    async def _save(self) -> None:
        jobs = [_Job(account, account.meter.totals) for account in self._accounts]
        jobs = [job for job in jobs if job.totals is None or job.totals != job.account.written]
        if jobs:
            for account, before in await asyncio.to_thread(_work, jobs, self._directory):
                account.meter.resume(before)


def _work(jobs: list[_Job], directory: Path) -> list[tuple[_Account, Counters]]:
    """Do all jobs, one after the other; return the counters that have been read."""
    read = []
    for account, totals in jobs:
        before = account.work(totals)
        if before is not None:
            read.append((account, before))
    # The new names reach the disk with the directory.
    with contextlib.suppress(OSError):
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    return read
