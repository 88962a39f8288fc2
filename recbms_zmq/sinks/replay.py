"""When new subscribers get the retained messages: plans replays, sends nothing.

libzmq sends a replay to every subscriber whose prefix matches, not only to the new one. So replays
are rationed: a client that subscribes again and again must not multiply the traffic of all others,
and a crowd of new subscribers must not fill their queues.

- The first subscription to a prefix is due at once.
- A prefix is replayed at most once a second; one replay serves all who have subscribed meanwhile.
- All replays together send the whole state at most once a second on average, and at most
  `_MAX_RATE` messages a second, with a reserve of two seconds.
- All prefixes that wait are replayed together, and none before one that came earlier. A client that
  asks twice gets the second answer behind the first: `client.query` depends on it.
"""

from collections.abc import Collection
from typing import Final

from recbms_zmq.reporting.batch import Retained

_PREFIX_INTERVAL: Final = 1.0  # seconds between two replays of a prefix
_MAX_RATE: Final = 20_000  # messages a second
_RESERVE: Final = 2.0  # seconds of the rate that may be used at once
_MAX_PREFIXES: Final = 64
"""With more prefixes than this the whole state is replayed: it costs less than to compare each
topic with each prefix."""


class ReplayPlan:
    """The prefixes that wait for a replay, and when it is due.

    Times are seconds of any monotonic clock.
    """

    def __init__(self) -> None:
        self._waiting: set[bytes] = set()
        self._replayed: dict[bytes, float] = {}  # when; of the last second
        self._rate_due = 0.0
        self._due = 0.0

    def add(self, prefix: bytes) -> None:
        """Note a new subscription."""
        self._waiting.add(prefix)
        last = self._replayed.get(prefix)
        if last is not None:
            self._due = max(self._due, last + _PREFIX_INTERVAL)

    @property
    def due(self) -> float | None:
        """When the next replay is due, a time that may have passed; None if no prefix waits."""
        return max(self._due, self._rate_due) if self._waiting else None

    def replay(self, retained: Collection[Retained], now: float) -> list[Retained]:
        """Return the messages to send now, in the order of `retained`."""
        prefixes = tuple(self._waiting) if len(self._waiting) <= _MAX_PREFIXES else (b"",)
        # Only the last second is kept: a client can make up prefixes without end.
        recent = {p: at for p, at in self._replayed.items() if at + _PREFIX_INTERVAL > now}
        self._replayed = recent | dict.fromkeys(self._waiting, now)
        self._waiting.clear()
        messages = [message for message in retained if message.topic.startswith(prefixes)]
        seconds = len(messages) / max(1, min(len(retained), _MAX_RATE))
        self._rate_due = max(self._rate_due, now - _RESERVE) + seconds
        return messages
