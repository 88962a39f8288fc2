"""Messages on their way from a reporter to the sinks."""

from typing import Protocol

from msgspec import Struct


class Retained(Protocol):
    """The last message of a topic, for subscribers that come after it was sent.

    It is made again from its parts: keeping the bodies takes 61 KiB more for each BMS.
    """

    def last_body(self) -> bytes:
        """Return the body of the last message, byte for byte."""


Outgoing = tuple[bytes, bytes, Retained | None]
"""A message on its way out: topic, body, and what makes the body again for late joiners; None for
an event, which is true only once. A plain tuple, because a named one takes six times as long."""


class Batch(Struct):
    """What happened at one moment.

    Attributes:
        messages: to send, in this order.
        expired: topics whose last message is not true any more; sinks drop them after `messages`.
        complete: whether no line may be left out for a slow reader. The source waits for it then.

    """

    messages: list[Outgoing]
    expired: list[bytes]
    complete: bool = False
