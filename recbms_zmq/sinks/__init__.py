"""Where messages go: standard output, and ZeroMQ. Neither ever waits for its readers."""

from typing import Protocol

from recbms_zmq.reporting.batch import Batch


class Sink(Protocol):
    """Something that takes messages and never blocks."""

    def publish(self, batch: Batch) -> None:
        """Publish the messages of a batch, in order."""
