"""What a sink retains of a topic, without a reporter."""

from typing import NamedTuple


class Topic(NamedTuple):
    """A topic whose messages all have the same body."""

    topic: bytes

    def last_body(self) -> bytes:
        return b"{}"
