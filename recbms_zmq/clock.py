"""Points in time, as arguments: `sensors` and `reporting` never read a clock.

Intervals are measured on the monotonic clock. The wall clock is only shown, because it jumps.
"""

import datetime as dt
import time
from functools import lru_cache
from math import floor
from typing import Final, NamedTuple

_DAY_0: Final = dt.date(1970, 1, 1).toordinal()
SILENCE: Final = 5.0
"""Seconds without any data from the start, after which a command explains what it waits for."""


class Instant(NamedTuple):
    """One moment on two clocks.

    Attributes:
        monotonic: seconds since an arbitrary start.
        wall: Unix seconds.

    """

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
        # Without a `datetime` of each frame: making and formatting one takes about twice the time.
        second = floor(self.wall)
        # Rounded to microseconds first, as `datetime` does: 0.2999999 s is .300, not .299.
        carry, microsecond = divmod(round((self.wall - second) * 1e6), 1_000_000)
        minute, second = divmod(second + carry, 60)
        # Two numbers with a width cost less so than in an f-string.
        return "%s:%02d.%03dZ" % (_minute(minute), second, microsecond // 1000)  # noqa: UP031


@lru_cache(maxsize=2)
def _minute(number: int) -> str:
    """Return the date and the time of a minute since 1970: `2026-11-22T10:44`."""
    day, minute = divmod(number, 1440)
    date = dt.date.fromordinal(_DAY_0 + day).isoformat()
    return f"{date}T{minute // 60:02}:{minute % 60:02}"
