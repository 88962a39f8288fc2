"""Points in time, as arguments: the middle of the program never reads a clock.

Intervals are measured on the monotonic clock; the wall clock is only ever shown, because it jumps.
"""

import datetime as dt
import time
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
        moment = dt.datetime.fromtimestamp(self.wall, dt.UTC)
        return moment.isoformat(timespec="milliseconds")[:-6] + "Z"
