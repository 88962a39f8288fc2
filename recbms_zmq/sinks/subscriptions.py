"""Counts what the subscriptions of each connection cost, and names a connection that has too many.

libzmq keeps subscriptions in a trie with a node for each byte, and sets no limit to it: 200,000
random ones of 9 bytes take 428 MiB, 20,000 of 500 bytes 477 MiB. A connection is the file
descriptor of its socket here.
"""

from collections import Counter
from typing import Final

MAX_LENGTH: Final = 200  # bytes; a prefix, a device and a key are shorter together

_NODE: Final = 48  # bytes of a node of the trie
_BRANCH: Final = 2_048  # bytes of the largest table of children, which a subscription can add
_MAX_COST: Final = 8 * 2**20  # bytes; 2,400 subscriptions to topics of 30 characters
_MAX_TOTAL: Final = 32 * 2**20  # bytes, of all connections; a prefix of several counts once
_MAX_REQUESTS: Final = 10_000  # subscriptions and cancellations of a connection in a period
_PERIOD: Final = 10.0  # seconds

TOO_LONG: Final = f"it subscribed to more than {MAX_LENGTH} bytes, and no topic is that long"
TOO_MANY: Final = "it has too many subscriptions; subscribe to a prefix such as recbms/main/"
TOO_OFTEN: Final = "it subscribes and unsubscribes without a pause"


class Subscriptions:
    """The subscriptions of all connections."""

    def __init__(self) -> None:
        self._prefixes: dict[int, set[bytes]] = {}
        self._costs: Counter[int] = Counter()
        self._holders: Counter[bytes] = Counter()  # connections that subscribe to a prefix
        self._total = 0
        self._requests: Counter[int] = Counter()
        self._period_end = 0.0

    def add(self, connection: int, prefix: bytes, now: float) -> tuple[int, str] | None:
        """Note a subscription.

        Returns:
            A connection that has to be closed, with the reason; it need not be this one.

        """
        if len(prefix) > MAX_LENGTH:
            return connection, TOO_LONG
        prefixes = self._prefixes.setdefault(connection, set())
        if prefix not in prefixes:
            prefixes.add(prefix)
            cost = _cost(prefix)
            self._costs[connection] += cost
            self._holders[prefix] += 1
            if self._holders[prefix] == 1:
                self._total += cost
        if self._costs[connection] > _MAX_COST:
            return connection, TOO_MANY
        if self._total > _MAX_TOTAL:
            return self._costs.most_common(1)[0][0], TOO_MANY
        return self._count_request(connection, now)

    def remove(self, connection: int, prefix: bytes, now: float) -> tuple[int, str] | None:
        """Note that a subscription ended; return as `add` does."""
        prefixes = self._prefixes.get(connection)
        if prefixes is not None and prefix in prefixes:
            prefixes.remove(prefix)
            self._release(connection, prefix)
        return self._count_request(connection, now)

    def close(self, connection: int) -> None:
        """Forget the subscriptions of a connection that has ended."""
        for prefix in self._prefixes.pop(connection, ()):
            self._release(connection, prefix)
        del self._costs[connection]
        del self._requests[connection]

    def _release(self, connection: int, prefix: bytes) -> None:
        cost = _cost(prefix)
        self._costs[connection] -= cost
        self._holders[prefix] -= 1
        if not self._holders[prefix]:
            del self._holders[prefix]
            self._total -= cost

    def _count_request(self, connection: int, now: float) -> tuple[int, str] | None:
        if now >= self._period_end:
            self._period_end = now + _PERIOD
            self._requests.clear()
        self._requests[connection] += 1
        return (connection, TOO_OFTEN) if self._requests[connection] > _MAX_REQUESTS else None


def _cost(prefix: bytes) -> int:
    return _BRANCH + _NODE * len(prefix)
