"""Reads a BMS for some seconds, for `recbms-zmq check`: what came, as facts.

`rules` and `next_steps` judge the facts, `findings` writes the report. The serial number is not
kept.
"""

import asyncio
import contextlib
from typing import Any, Final

import msgspec

from recbms_zmq.check.firmware import KeyDifferences, compare
from recbms_zmq.clock import Instant
from recbms_zmq.errors import FrameError
from recbms_zmq.sensors.normalize import Normalizer, Readings
from recbms_zmq.sources import Source
from recbms_zmq.wire.decode import decode
from recbms_zmq.wire.frames import Settings

STAY: Final = 5.0
"""Seconds to go on after the first status frame, for the frame rate and the settings."""
ENOUGH: Final = 4
"""Status frames from which the frame rate is computed."""


class Probe:
    """Receives the frames of one source (it is a `sources.Receiver`).

    Args:
        source: to read.
        step: what to do if no frame comes; None where that depends on the failures.

    Attributes:
        connected_after: seconds until the connection was open, None if it never was.
        failures: reasons of failed or lost connections, each once, in order of their last time.
        arrivals: monotonic times of the valid status frames.
        readings: of the first of them.
        is_typed: whether it had a `type`; the answer of older firmware has none.
        status_keys, settings_keys: how their keys differ from the known ones.
        settings: the first settings frame, without the serial number.
        bad: number of dropped messages by the kind of their error.
        is_web_page: whether one of them was HTML.
        dropped: fields that could not be read.
        has_ended: whether the source has ended by itself, as stdin and a recording do.

    """

    def __init__(self, source: Source, step: str | None = None) -> None:
        self.step = step
        self.connected_after: float | None = None
        self.failures: list[str] = []
        self.arrivals: list[float] = []
        self.readings: Readings | None = None
        self.is_typed = True
        self.status_keys: KeyDifferences | None = None
        self.settings_keys: KeyDifferences | None = None
        self.settings: Settings | None = None
        self.bad: dict[str, int] = {}
        self.is_web_page = False
        self.dropped: set[str] = set()
        self.has_ended = False
        self.normalizer = Normalizer()
        self._source = source
        self._began = source.now().monotonic
        self._changed = asyncio.Event()

    @property
    def is_complete(self) -> bool:
        """Whether all facts are known."""
        if not self._source.sends_settings:
            return bool(self.arrivals)
        return len(self.arrivals) >= ENOUGH and self.settings is not None

    def connected(self, at: Instant) -> None:
        """Note the time of the first connection."""
        if self.connected_after is None:
            self.connected_after = at.monotonic - self._began
        self._changed.set()

    def disconnected(self, reason: str, at: Instant) -> None:  # noqa: ARG002 part of the protocol
        """Note the reason."""
        if reason in self.failures:
            self.failures.remove(reason)
        self.failures.append(reason)
        self._changed.set()

    def received(self, data: bytes, at: Instant) -> bool:
        """Decode one raw message; return whether it was a valid frame."""
        try:
            frame, dropped = decode(data)
            if isinstance(frame, Settings):
                self._on_settings(frame, data)
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
            # By its first character: a page may be cut off, and need not be valid HTML.
            self.is_web_page = (
                self.is_web_page or data[:100].lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"<"
            )
            return False
        finally:
            self._changed.set()
        self.dropped.update(dropped)
        return True

    async def drain(self) -> None:
        """Return at once: no reader is slow here."""

    async def run(self, seconds: float, *, stay: bool, retry: bool = True) -> None:
        """Wait for a status frame, at most `seconds`; then read on for more facts.

        Args:
            seconds: the time that a status frame has to arrive.
            stay: read on after the first one, for the frame rate and the settings.
            retry: go on after a failed connection.

        """
        task = asyncio.create_task(self._source.run(self))
        task.add_done_callback(lambda _: self._changed.set())
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while not (self.arrivals or task.done() or (self.failures and not retry)):
                        await self._next_change()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STAY):
                    while stay and self.arrivals and not (self.is_complete or task.done()):
                        await self._next_change()
        finally:
            self.has_ended = task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _next_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _on_settings(self, frame: Settings, data: bytes) -> None:
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
