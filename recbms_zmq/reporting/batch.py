"""Messages on their way from a reporter to the sinks."""

from collections.abc import Hashable
from typing import Protocol

from msgspec import Struct


class Retained(Hashable, Protocol):
    """The last message of a topic, for subscribers that come after it was sent.

    The same object for all messages of the topic, until it expires. Its topic and its body are made
    again from their parts: keeping them takes 7 KiB and 61 KiB more for each BMS.
    """

    @property
    def topic(self) -> bytes:
        """The topic of the message."""

    def last_body(self) -> bytes:
        """Return the body of the last message, byte for byte."""


Outgoing = tuple[bytes, bytes, Retained | None]
"""A message on its way out: topic, body, and what makes the body again for late joiners; None for
an event, which is true only once. A plain tuple, because a named one takes six times as long."""


class Batch(Struct):
    """What happened at one moment.

    Attributes:
        messages: to send, in this order.
        expired: the third parts of messages that are not true any more; sinks drop them after
            `messages`.
        complete: whether no line may be left out for a slow reader. The source waits for it then.

    """

    messages: list[Outgoing]
    expired: list[Hashable]
    complete: bool = False
