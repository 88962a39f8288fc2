"""Waiting for conditions, because nothing here sleeps and hopes."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

PATIENCE: Final = 30.0
"""Seconds after which something counts as never. The machine may be busy, so it is never measured.
"""

NOT_YET: Final = (LookupError, ValueError, TypeError, OSError)
"""What a condition raises while the thing that it looks into does not exist yet.

A failed assertion is none of these: it ends the wait at once.
"""
LONGEST_PAUSE: Final = 0.2

_T = TypeVar("_T")


def eventually(condition: Callable[[], _T], what: str, seconds: float = PATIENCE) -> _T:
    """Return what the condition gives as soon as that is true.

    Raises:
        AssertionError: it is not true within `seconds`; its cause is what the last look raised.

    """
    deadline = time.monotonic() + seconds
    pause = 0.01
    while True:
        reason: Exception | None = None
        try:
            if result := condition():
                return result
        except NOT_YET as error:
            reason = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s") from reason
        # A look at another program costs it time too: after a second there are five a second.
        time.sleep(pause)
        pause = min(pause * 1.2, LONGEST_PAUSE)
