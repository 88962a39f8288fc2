"""Subscribers of a running service."""

import json
import time
from collections.abc import Callable
from typing import Any

import zmq

from support.process import matches
from support.waiting import PATIENCE

Parts = list[bytes]


class Subscriber:
    """A SUB socket that remembers what it got.

    Args:
        endpoint: where the service publishes.
        prefixes: of topics; none for all.
        rcvhwm: how many messages may wait here.

    """

    def __init__(self, endpoint: str, *prefixes: str, rcvhwm: int = 0) -> None:
        self.received: list[Parts] = []
        self._context = zmq.Context()
        self.socket: zmq.Socket[bytes] = self._context.socket(zmq.SUB)
        self.socket.set(zmq.LINGER, 0)
        self.socket.set(zmq.RCVHWM, rcvhwm)
        self.socket.set(zmq.IPV6, int("[" in endpoint))
        for prefix in prefixes or ("",):
            self.socket.subscribe(prefix)
        self.socket.connect(endpoint)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.received]

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, body in self.received]

    def message(self, **fields: Any) -> dict[str, Any]:
        """Read until a message in which these fields are so; return it."""
        return self.until(lambda message: matches(message, fields), str(fields))

    def until(self, last: Callable[[dict[str, Any]], bool], what: str = "") -> dict[str, Any]:
        """Read until such a message; return it."""
        deadline = time.monotonic() + PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            if self.socket.poll(max(1, int(left * 1000))):
                self.received.append(self.socket.recv_multipart())
                message: dict[str, Any] = json.loads(self.received[-1][1])
                if last(message):
                    return message
        raise AssertionError(f"no message {what}; the last ones are {self.bodies[-5:]}")

    def close(self) -> None:
        self.socket.close()
        self._context.term()


def has_voltage(message: dict[str, Any], volts: float) -> bool:
    """Return whether a reading or a snapshot has this voltage of the pack."""
    if message["kind"] == "snapshot":
        return bool(message["payload"]["voltage"] == volts)
    return bool(message["key"] == "voltage" and message["payload"] == volts)
