"""Delays between attempts to connect."""

import random
from collections.abc import Callable, Generator
from typing import Final

FIRST: Final = 1.0
LONGEST: Final = 60.0  # a BMS that is switched on is read within a minute
GROWTH: Final = 2.0
JITTER: Final = 0.25


def reconnect_delays(
    uniform: Callable[[], float] = random.random, *, spread: float = 0.0
) -> Generator[float]:
    """Yield the delays in seconds: about 1, 2, 4, … up to 60, each up to a quarter off.

    The jitter keeps the BMS of a fleet from reconnecting at the same time.

    Args:
        uniform: returns random numbers from 0 to 1.
        spread: seconds over which a large fleet spreads its first attempts after an outage.

    """
    delay = FIRST
    extra = spread
    while True:
        jitter = 1 + JITTER * (2 * uniform() - 1)
        yield min(LONGEST, delay * jitter + (extra * uniform() if extra else 0.0))
        delay = min(LONGEST, delay * GROWTH)
        extra = 0.0


class Backoff:
    """Delays that grow until `reset`.

    A valid frame resets them, a connection does not: a module that accepts and closes at once would
    get a connection every second.
    """

    def __init__(self, spread: float = 0.0) -> None:
        self._spread = spread
        self.reset()

    def reset(self) -> None:
        """Start again with the first delay."""
        self.delays = reconnect_delays(spread=self._spread)
        """The delays; each `next` continues where the last one stopped."""
