"""Where frames come from. Every source is a task that hands raw messages to a receiver.

A source reads a clock, so that nothing behind it has to. It never judges a frame, but it is told
whether it was a good one: that is what reconnecting depends on.
"""

from typing import Protocol

from recbms_zmq.clock import Instant


class Receiver(Protocol):
    """Takes what a source delivers. Times never go back."""

    def connected(self, at: Instant) -> None:
        """Note that the link is there. Called for every new connection."""

    def disconnected(self, reason: str, at: Instant) -> None:
        """Note that the link is not there, and why: a short text for people."""

    def received(self, data: bytes, at: Instant) -> bool:
        """Take one raw message; return whether it was a valid frame."""

    async def drain(self) -> None:
        """Wait for a slow reader of what was made of the frames. For sources that can wait."""


class Source(Protocol):
    """One BMS, or something that stands for one."""

    live: bool
    """Whether what it delivers happens now, or was recorded."""
    can_wait: bool
    """Whether it waits for a slow reader (`Receiver.drain`), so that nothing has to be left out."""
    sends_settings: bool
    """Whether settings frames are to be expected beside status frames."""

    def now(self) -> Instant:
        """Tell the time of what it delivers: the clock's, or the place in a recording."""

    def clock_time(self, monotonic: float) -> float:
        """Return when its monotonic time will be this, on the clock; infinity for never."""

    async def run(self, receiver: Receiver) -> None:
        """Deliver until cancelled, or until there is nothing more."""


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
