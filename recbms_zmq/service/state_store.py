"""What survives a restart: records in the state directory, loaded at the start and kept up to date.

A record is what is known of one BMS, in a file of its own: `NAME.energy.json`. Records are used in
the event loop only, the disk in a thread only: between them go the contents of files. So a full,
failing or hanging disk stops neither readings nor the end of the process.
"""

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from recbms_zmq.errors import OutputError
from recbms_zmq.service import state_files
from recbms_zmq.service.runner import DaemonThreads

SAVE_EVERY: Final = 60.0
"""Seconds between two writes: an SD card has to last for years."""
_SAVE_PAUSE: Final = 1.0  # seconds between two writes, however often `save_soon` is called
LOCK_FOR: Final = 5.0
"""Seconds that another process gets to release its lock: a redeploying Node-RED overlaps."""
DISK_PATIENCE: Final = 5.0
"""Seconds until a write counts as hanging; at the end of the process it is left behind then."""
_DISK_PATIENCE_EACH: Final = 0.05  # an SD card takes 10 ms for each file
# What may pass. Anything else about the directory is the user's mistake.
_DISK_ERRORS: Final = (errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO)

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Storage(NamedTuple):
    """How a record is in its file. The functions wait for the disk.

    Attributes:
        suffix: end of the name of the file.
        read: returns what `load` takes; None without a file.
        write: writes what `dump` returns.

    """

    suffix: str
    read: Callable[[Path], bytes | None] = state_files.read
    write: Callable[[Path, bytes], None] = state_files.replace


class Record(Protocol):
    """What one file holds. All is called in the event loop, and does not use the disk.

    Attributes:
        name: of the BMS.
        storage: how it is in its file.

    """

    name: str
    storage: Storage

    def load(self, content: bytes | None) -> None:
        """Go on from the content of the file; None: there is no file, or a damaged one.

        Raises:
            ValueError: the content is damaged.
            RecursionError: the same.

        """

    def dump(self, *, last: bool) -> bytes | None:
        """Return the content to write; None if the file is up to date.

        Args:
            last: whether this is the end of the process.

        """

    def saved(self) -> None:
        """Note that the content of the last `dump` is on the disk."""

    def unsaved(self) -> None:
        """Note that the disk cannot be written to: go on in memory. `dump` returns all again."""


class _File:
    """The file of a record."""

    def __init__(self, directory: Path, record: Record) -> None:
        self.record = record
        self.path = directory / f"{record.name}.{record.storage.suffix}"
        self.lock_path = directory / f"{record.name}.{state_files.LOCK_SUFFIX}"  # one for all kinds
        self.is_loaded = False
        self.failure = ""
        """Why the last try to read or to write failed; empty after a success."""


class StateStore:
    """The records of all BMS. First `add` each, then `open` and `close`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: list[_File] = []
        self._locks: dict[Path, int] = {}  # used in the thread
        # Not asyncio's threads: look-ups without DNS can occupy all of them.
        self._thread = DaemonThreads(most=1)
        self._wake = asyncio.Event()
        self._opened = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def add(self, record: Record) -> None:
        """Keep a record from `open` on."""
        self._files.append(_File(self._directory, record))

    def save_soon(self) -> None:
        """Write what has changed within a second, rather than within `SAVE_EVERY`."""
        self._wake.set()

    async def open(self) -> bool:
        """Lock the files, load the records, and write them now and periodically; return True.

        Raises:
            OutputError: another process has locked a file, or this cannot be a state directory.

        """
        await self._in_thread(self._lock_all)
        # A task, which a signal that ends `open` does not end: the first write reserves what only
        # the last one releases.
        self._task = asyncio.create_task(self._keep())
        await self._opened.wait()
        if all(file.is_loaded and not file.failure for file in self._files):
            _log.info("state is kept in %s", self._directory)
        return True

    def stop(self) -> None:
        """Begin the last write."""
        self._closing.set()
        self._wake.set()

    async def close(self) -> None:
        """Wait for the last write, but not for a disk that hangs, and release the locks."""
        self.stop()
        if self._task is not None:
            patience = DISK_PATIENCE + len(self._files) * _DISK_PATIENCE_EACH
            done, _ = await asyncio.wait({self._task}, timeout=patience)
            if not done:
                self._task.cancel()
                _log.warning(
                    "state was not written to %s within %g s: does the disk respond? up to %g s "
                    "of energy are not counted",
                    self._directory,
                    patience,
                    SAVE_EVERY,
                )
                return  # the thread may still use the locks; they end with the process
        for fd in list(self._locks.values()):
            os.close(fd)

    async def _keep(self) -> None:
        """Write at once, periodically, and for the last time after `stop`."""
        pause = min(_SAVE_PAUSE, SAVE_EVERY)
        last = False
        while True:
            # A task, because a thread that waits for the disk cannot be cancelled: the write goes
            # on after the warning, and its end is awaited below.
            save = asyncio.create_task(self._save(last=last))
            if not (await asyncio.wait({save}, timeout=DISK_PATIENCE))[0]:
                _log.warning(
                    "writing to %s takes longer than %g s; its values go on in memory",
                    self._directory,
                    DISK_PATIENCE,
                )
                for file in self._files:
                    file.record.unsaved()
            try:
                await save
            except Exception:  # noqa: BLE001 for example no thread can be started: the next try counts
                _log.exception("state could not be written to %s", self._directory)
            self._opened.set()
            if last:
                return
            await _wait(self._closing, pause)
            await _wait(self._wake, SAVE_EVERY - pause)
            self._wake.clear()
            last = self._closing.is_set()  # set while a write runs, it asks for one more

    async def _save(self, *, last: bool) -> None:
        """Load what is not loaded yet, and write what has changed."""
        for file in self._files:
            if not file.is_loaded:
                await self._load(file)
        due = [
            (file, content)
            for file in self._files
            if file.is_loaded and (content := file.record.dump(last=last)) is not None
        ]
        if not due:
            return
        for (file, _), error in zip(due, await self._in_thread(self._write, due), strict=True):
            if error is not None:
                self._failed(file, error)
                continue
            file.record.saved()
            if file.failure:
                file.failure = ""
                _log.info("%s: %s is kept again", file.record.name, file.path)

    async def _load(self, file: _File) -> None:
        try:
            try:
                file.record.load(await self._in_thread(file.record.storage.read, file.path))
            except (ValueError, RecursionError):
                aside = await self._in_thread(state_files.set_aside, file.path)
                _log.error("%s: %s is damaged: renamed to %s", file.record.name, file.path, aside)
                file.record.load(None)
        except OSError as exc:
            self._failed(file, exc)
        else:
            file.is_loaded = True

    def _failed(self, file: _File, exc: OSError) -> None:
        """Log why a record cannot be kept, if that is new; it goes on in memory."""
        file.record.unsaved()
        if isinstance(exc, BlockingIOError):
            reason = "another process has locked it"
        else:
            reason = exc.strerror or str(exc)
        if reason == file.failure:
            return
        file.failure = reason
        _log.warning(
            "%s: %s cannot be kept: %s; trying again every %g s, its values %s",
            file.record.name,
            file.path,
            reason,
            SAVE_EVERY,
            "go on in memory" if file.is_loaded else "are unknown until then",
        )

    # What follows waits for the disk, in the thread.

    def _in_thread(self, work: Callable[..., _T], *arguments: Any) -> "asyncio.Future[_T]":
        return asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def _lock(self, file: _File, patience: float = 0.0) -> None:
        if file.lock_path not in self._locks:
            self._locks[file.lock_path] = state_files.lock(file.lock_path, patience)

    def _lock_all(self) -> None:
        for file in self._files:
            try:
                self._lock(file, LOCK_FOR)
            except BlockingIOError as exc:
                raise OutputError(
                    f"another process uses {file.path}; "
                    "stop it, or give this one another --state-dir or --name"
                ) from exc
            except OSError as exc:
                if exc.errno in _DISK_ERRORS:
                    continue  # without the lock it can still be read
                reason = "Not a directory" if isinstance(exc, FileExistsError) else exc.strerror
                raise OutputError(f"cannot use --state-dir {self._directory}: {reason}") from exc

    def _write(self, due: Sequence[tuple[_File, bytes]]) -> list[OSError | None]:
        """Return for each file why it could not be written, or None."""
        errors: list[OSError | None] = []
        for file, content in due:
            try:
                self._lock(file)
                file.record.storage.write(file.path, content)
            except OSError as exc:
                errors.append(exc)
            else:
                errors.append(None)
        # Once for all files: each time is a write of the SD card.
        state_files.sync_directory(self._directory)
        return errors


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
