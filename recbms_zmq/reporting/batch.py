"""Messages on their way from a reporter to the sinks."""

from typing import NamedTuple

Outgoing = tuple[bytes, bytes, bool]
"""A message on its way out: topic, body, and whether it is retained, that is, true until the next
one of its topic. A plain tuple, because a named one takes six times as long to make."""


class Batch(NamedTuple):
    """Messages to send, in this order, and topics that are no longer true after them.

    A `complete` one has no line left out for a slow reader: its source waits for that reader.
    """

    messages: list[Outgoing]
    expired: list[bytes]
    complete: bool = False
