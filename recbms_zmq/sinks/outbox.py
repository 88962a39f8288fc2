"""What is published in one turn of the event loop, handed to the sinks in one piece.

In a large fleet, and in a flood, many frames are processed in one turn (`service/selector.py`). A
sink that sent the messages of each frame by themselves would wake libzmq's thread and the reader of
stdout each time: with 1,000 BMS at one frame a second, a fifth of the CPU time
(`python -m tests.bench paced`).
"""

import asyncio
from collections.abc import Callable
from typing import Final

from recbms_zmq.reporting.batch import Batch
from recbms_zmq.sinks import Sink

AT_ONCE: Final = 128
"""Messages that are not kept back for the end of the turn: about half of what a pipe holds."""


class Outbox:
    """Takes batches, and publishes them at the end of the turn, in their order.

    Args:
        is_alone: returns whether nothing else comes in this turn, as far as is known. A batch is
            then published at once: there is nothing to wait for, and the end of a turn is one more
            look for events.

    Attributes:
        sinks: where they go.

    """

    def __init__(self, is_alone: Callable[[], bool]) -> None:
        self.sinks: list[Sink] = []
        self._is_alone = is_alone
        self._waiting: Batch | None = None

    def publish(self, batch: Batch) -> None:
        """Publish a batch at the end of this turn of the event loop at the latest."""
        waiting = self._waiting
        # A sink drops what has expired after the messages of a batch: none of a later one may be
        # among them.
        if waiting is None or waiting.expired or waiting.complete is not batch.complete:
            self.flush()
            self._waiting = waiting = batch
            if self._is_alone():
                self.flush()
            else:
                asyncio.get_running_loop().call_soon(self.flush)
        else:
            waiting.messages += batch.messages
            waiting.expired = batch.expired
        if len(waiting.messages) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Publish now what waits."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            for sink in self.sinks:
                sink.publish(waiting)
