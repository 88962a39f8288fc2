"""Waiting for conditions, because nothing here sleeps and hopes."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

PATIENCE: Final = 30.0
"""Seconds after which something counts as never. The machine may be busy, so it is never measured.
"""

_T = TypeVar("_T")


def eventually(condition: Callable[[], _T], what: str, seconds: float = PATIENCE) -> _T:
    """Return what the condition gives as soon as that is true."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s")
        time.sleep(0.01)
    return result
