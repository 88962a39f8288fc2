"""A short visit to a BMS, for `recbms-zmq check`: what came, as facts.

What to think of the facts is `advice`'s business, how they are told `findings`'. Nothing of the
serial number is kept.
"""

import asyncio
import contextlib
from typing import Any, Final

import msgspec

from recbms_zmq.check.firmware import Variant, compare
from recbms_zmq.clock import Instant
from recbms_zmq.errors import FrameError
from recbms_zmq.sensors.normalize import Normalizer, Readings
from recbms_zmq.sources import Source
from recbms_zmq.wire.decode import decode
from recbms_zmq.wire.frames import Settings

STAY: Final = 5.0
"""Seconds to stay after the first status frame, for the frame rate and the settings."""
ENOUGH: Final = 4
"""Status frames that tell the rate well enough."""


class Visit:
    """Receives the frames of one source (it is a `sources.Receiver`).

    Attributes:
        connected_after: seconds until the connection was there, None if there was none.
        troubles: why there was no connection, each once, the last one last.
        arrivals: monotonic times of the valid status frames.
        readings: of the first of them.
        is_typed: whether it had a type, which the answer of older firmware has not.
        status_keys, settings_keys: how their keys differ from those that are known.
        settings: the first settings frame, without the serial number.
        bad: kinds of messages that were dropped, and how many there were of each.
        dropped: fields that could not be read.

    """

    def __init__(self, source: Source) -> None:
        self.connected_after: float | None = None
        self.troubles: list[str] = []
        self.arrivals: list[float] = []
        self.readings: Readings | None = None
        self.is_typed = True
        self.status_keys: Variant | None = None
        self.settings_keys: Variant | None = None
        self.settings: Settings | None = None
        self.bad: dict[str, int] = {}
        self.dropped: set[str] = set()
        self.normalizer = Normalizer()
        self._source = source
        self._began = source.now().monotonic
        self._news = asyncio.Event()

    @property
    def is_complete(self) -> bool:
        """Whether staying longer would tell nothing more."""
        if not self._source.sends_settings:
            return bool(self.arrivals)
        return len(self.arrivals) >= ENOUGH and self.settings is not None

    def connected(self, at: Instant) -> None:
        """Take note of a connection."""
        if self.connected_after is None:
            self.connected_after = at.monotonic - self._began
        self._news.set()

    def disconnected(self, reason: str, at: Instant) -> None:  # noqa: ARG002 a receiver is told when
        """Take note of the reason."""
        if reason in self.troubles:
            self.troubles.remove(reason)
        self.troubles.append(reason)

    def received(self, data: bytes, at: Instant) -> bool:
        """Take one raw message; return whether it was a valid frame."""
        try:
            frame, dropped = decode(data)
            if isinstance(frame, Settings):
                self._take_settings(frame, data)
            else:
                readings = self.normalizer.status(frame, at.isoformat())
                self.arrivals.append(at.monotonic)
                if self.readings is None:
                    self.readings = readings
                    raw = _keys_of(data)
                    self.is_typed = isinstance(raw, dict) and "type" in raw
                    self.status_keys = compare(raw, type(frame))
        except FrameError as exc:
            self.bad[exc.kind] = self.bad.get(exc.kind, 0) + 1
            return False
        finally:
            self._news.set()
        self.dropped.update(dropped)
        return True

    async def drain(self) -> None:
        """Nobody is slow here."""

    async def pay(self, seconds: float, *, stay: bool) -> None:
        """Wait for a status frame, at most so many seconds; then stay to learn more."""
        task = asyncio.create_task(self._source.run(self))
        task.add_done_callback(lambda _: self._news.set())
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while not (self.arrivals or task.done()):
                        await self._next_news()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STAY):
                    while stay and self.arrivals and not (self.is_complete or task.done()):
                        await self._next_news()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _next_news(self) -> None:
        self._news.clear()
        await self._news.wait()

    def _take_settings(self, frame: Settings, data: bytes) -> None:
        self.normalizer.settings(frame)
        if self.settings is None:
            self.settings = msgspec.structs.replace(frame, serial=None)
            self.settings_keys = compare(_keys_of(data), Settings)


def _keys_of(data: bytes) -> Any:
    """Parse what was decoded already, for its keys; None where only a part of it could be saved."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
