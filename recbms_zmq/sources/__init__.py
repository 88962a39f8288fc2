"""Where frames come from. Every source is a task that passes raw messages to a receiver.

A source adds the time of arrival to each message. It does not decode frames; the receiver returns
whether a frame was valid, because the delays of reconnecting depend on it.
"""

from typing import Protocol

from recbms_zmq.clock import Instant


class Receiver(Protocol):
    """Gets what a source delivers. Times never go back."""

    def connected(self, at: Instant) -> None:
        """Handle a new connection."""

    def disconnected(self, reason: str, at: Instant) -> None:
        """Handle that there is no connection; `reason` is a short text for people."""

    def received(self, data: bytes, at: Instant) -> bool:
        """Handle one raw message; return whether it is a valid frame."""

    async def drain(self) -> None:
        """Wait until a slow reader of the output has caught up. For sources that can wait."""


class Source(Protocol):
    """One BMS, or a replacement: a recording, a simulation, standard input."""

    live: bool
    """Whether its frames arrive now; else they were recorded."""
    can_wait: bool
    """Whether it waits for a slow reader (`Receiver.drain`), so that no frame is skipped."""
    sends_settings: bool
    """Whether settings frames come besides status frames."""

    def now(self) -> Instant:
        """Return the time of its frames: that of the clock, or of the place in a recording."""

    def clock_time(self, monotonic: float) -> float:
        """Return when its monotonic time will be this, on the clock; infinity for never."""

    async def run(self, receiver: Receiver) -> None:
        """Deliver until cancelled, or until the input ends.

        Raises:
            ConfigError: a file that it needs cannot be read any more.

        """


class LiveSource:
    """A source whose time is the clock's."""

    live = True
    can_wait = False

    def now(self) -> Instant:
        """Read the clock."""
        return Instant.now()

    def clock_time(self, monotonic: float) -> float:
        """Return the time itself."""
        return monotonic
