"""Points in time, as arguments: the middle of the program never reads a clock.

Intervals are measured on the monotonic clock; the wall clock is only ever shown, because it jumps.
"""

import datetime as dt
import time
from functools import lru_cache
from typing import NamedTuple


class Instant(NamedTuple):
    """One moment on two clocks: `monotonic` in seconds from anywhere, `wall` in Unix seconds."""

    monotonic: float
    wall: float

    @classmethod
    def now(cls) -> "Instant":
        """Read both clocks. For the edges of the program only."""
        return cls(time.monotonic(), time.time())

    def at(self, monotonic: float) -> "Instant":
        """Return the moment at which the monotonic clock shows this."""
        return Instant(monotonic, self.wall + monotonic - self.monotonic)

    def isoformat(self) -> str:
        """Return the wall time in UTC: `2026-11-22T10:44:39.123Z`."""
        seconds, microseconds = divmod(round(self.wall * 1e6), 1_000_000)
        return f"{_to_the_second(seconds)}.{microseconds // 1000:03}Z"


@lru_cache(maxsize=8)  # many frames of a fleet, and all messages of a frame, share a second
def _to_the_second(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()[:19]
