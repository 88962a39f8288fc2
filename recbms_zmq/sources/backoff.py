"""How long to wait before the next try to connect."""

import random
from collections.abc import Callable, Generator
from typing import Final

FIRST: Final = 1.0
LONGEST: Final = 60.0
GROWTH: Final = 2.0
JITTER: Final = 0.25


def reconnect_delays(uniform: Callable[[], float] = random.random) -> Generator[float]:
    """Give the delays in seconds: about 1, 2, 4, … up to 60, each up to a quarter off.

    The jitter keeps a fleet that lost its network from coming back in step.

    Args:
        uniform: gives random numbers from 0 to 1.

    """
    delay = FIRST
    while True:
        yield min(LONGEST, delay * (1 + JITTER * (2 * uniform() - 1)))
        delay = min(LONGEST, delay * GROWTH)


class Backoff:
    """Delays that begin anew only when told to: a connection alone proves nothing.

    A module that accepts and closes at once would otherwise be hammered.
    """

    def __init__(self) -> None:
        self.delays = reconnect_delays()
        """The delays, which go on where they were."""

    def reset(self) -> None:
        """Begin anew with the first delay."""
        self.delays = reconnect_delays()
