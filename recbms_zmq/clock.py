"""Points in time, as arguments: `sensors` and `reporting` never read a clock.

Intervals are measured on the monotonic clock. The wall clock is only shown, because it jumps.
"""

import datetime as dt
import time
from typing import Final, NamedTuple

SILENCE: Final = 5.0
"""Seconds without any data from the start, after which a command explains what it waits for."""


class Instant(NamedTuple):
    """One moment on two clocks: `monotonic` in seconds since any start, `wall` in Unix seconds."""

    monotonic: float
    wall: float

    @classmethod
    def now(cls) -> "Instant":
        """Read both clocks. Only sources and the service call this."""
        return cls(time.monotonic(), time.time())

    def at(self, monotonic: float) -> "Instant":
        """Return the moment at which the monotonic clock shows `monotonic`, if no clock jumps."""
        return Instant(monotonic, self.wall + monotonic - self.monotonic)

    def isoformat(self) -> str:
        """Return the wall time in UTC: `2026-11-22T10:44:39.123Z`."""
        moment = dt.datetime.fromtimestamp(self.wall, dt.UTC)
        return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
