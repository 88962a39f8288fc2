"""A SUB socket with its reader, and lines of a pipe: where readers get what they get."""

from typing import Final

import zmq

from .readers import Message, Reader

_HEALING: Final = 2.0
"""Seconds before it subscribes once more: the state that comes then is a lot to read too."""


class Lines:
    """Puts lines together that come in pieces."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Add what has come; return the lines that are whole now."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        return lines


class Subscription:
    """A SUB socket with its reader.

    Args:
        heals: after a loss it subscribes again as soon as it has caught up, which brings the state.
        small: it can hold little itself, so that what it leaves unread is soon the service's.

    """

    def __init__(
        self,
        endpoint: str,
        reader: Reader,
        *prefixes: str,
        heals: bool = False,
        small: bool = False,
    ) -> None:
        self.reader = reader
        self.prefixes = prefixes or ("",)
        self.heals = heals
        self.small = small
        self._healed = 0.0
        self.stalled = small
        self.turn = float("inf") if small else 0.0
        """When it begins or ends to stall. In the first chaos it does from the beginning, so that
        the service has as much waiting for it as it ever may."""
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
        self.socket.set(zmq.LINGER, 0)
        self.socket.set(zmq.RCVHWM, 10 if small else 0)
        if small:
            self.socket.set(zmq.RCVBUF, 65_536)
        self._subscribe()
        self.socket.connect(endpoint)

    def read(self, now: float, most: int = 500) -> list[Message]:
        """Read what is there, but no more than so many; return what is new."""
        found = []
        for _ in range(most):
            try:
                _, body = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                if self.heals and self.reader.gap and now > self._healed + _HEALING:
                    self._healed = now
                    self.reader.gap = False
                    self.reader.state.clear()
                    self._subscribe(again=True)
                break
            message = self.reader.receive(body, now)
            if message is not None:
                found.append(message)
        return found

    def wants(self, topic: str) -> bool:
        return topic.startswith(self.prefixes)

    def close(self) -> None:
        self.socket.close()

    def _subscribe(self, *, again: bool = False) -> None:
        for prefix in self.prefixes:
            if again:
                self.socket.unsubscribe(prefix)
            self.socket.subscribe(prefix)
