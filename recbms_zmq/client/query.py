"""Asks a running service which of its BMS are online, for `recbms-zmq check`.

A service replays the last message of each topic to a new subscriber, so the answer comes at once.
It has no end mark, and the number of BMS is not known. So the replay is requested again: what has
come before the last of them is complete (see `_is_replay` and `_REPLAYS`).
"""

import contextlib
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

import msgspec
import zmq

from recbms_zmq.client.subscriber import LONGEST_WAIT, Subscriber
from recbms_zmq.errors import Unavailable
from recbms_zmq.reporting.messages import Availability, decode_message

_REPLAYS: Final = 3
"""Replays of one topic after which all topics have come.

A service handles subscriptions in order, and sends each replay as a whole. The first replay of a
topic may be part of one for another client, and begin in its middle. The second one is requested
after the first has come, so it belongs to our subscription or to a later one. The third one shows
that the second is complete.
"""


class ServiceQuery:
    """A subscriber that asks once.

    Args:
        endpoint: where the service publishes.
        prefix: the first part of its topics.
        server_key, secret_key: paths of CURVE keys, as for `Subscriber`.

    Raises:
        UsageError, ConfigError: the endpoint or a key file cannot be used.

    """

    def __init__(
        self, endpoint: str, prefix: str, server_key: str | None, secret_key: str | None
    ) -> None:
        self._endpoint = endpoint
        self._prefix = prefix
        with contextlib.ExitStack() as stack:
            context = stack.enter_context(zmq.Context())
            self._subscriber = stack.enter_context(Subscriber(context, server_key, secret_key))
            self._subscriber.connect(endpoint)
            self._stack = stack.pop_all()
        self._last: dict[str, Availability] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def ask(self, devices: Sequence[str], seconds: float) -> list[Availability]:
        """Return the availability of these BMS, or of all BMS of the service if none is named.

        Raises:
            Unavailable: no service answered in time, it refused this client, or it does not have
                all of these BMS.

        """
        deadline = time.monotonic() + seconds
        found = self._ask_for(devices, deadline) if devices else self._ask_for_all(deadline)
        if found is None:
            raise Unavailable(self._why(devices, seconds))
        return found

    def _ask_for(self, devices: Sequence[str], deadline: float) -> list[Availability] | None:
        for device in devices:
            self._subscriber.socket.subscribe(f"{self._prefix}/{device}/availability")
        while not all(device in self._last for device in devices):
            message = self._next(deadline)
            if message is None:
                return None
            self._last[message.device] = message
        return [self._last[device] for device in devices]

    def _ask_for_all(self, deadline: float) -> list[Availability] | None:
        self._subscriber.socket.subscribe(f"{self._prefix}/")
        first: str | None = None
        replays = 0
        while (message := self._next(deadline)) is not None:
            if first is None:
                first = message.topic
            elif message.topic == first and self._is_replay(message):
                replays += 1
                if replays == _REPLAYS:
                    return list(self._last.values())
            self._last[message.device] = message
            if message.topic == first:
                # A SUB socket forwards each subscription once, so each time it is a shorter one.
                self._subscriber.socket.subscribe(first[: len(first) - replays])
        return None

    def _is_replay(self, message: Availability) -> bool:
        """Whether this message has come before: a new one of a topic has a new `seq`."""
        last = self._last.get(message.device)
        return last is not None and (message.run, message.seq) == (last.run, last.seq)

    def _next(self, deadline: float) -> Availability | None:
        """Return the next availability message, or None at the deadline."""
        sub, events = self._subscriber.socket, self._subscriber.events
        poller = zmq.Poller()
        poller.register(sub, zmq.POLLIN)
        poller.register(events, zmq.POLLIN)
        while (left := deadline - time.monotonic()) > 0:
            ready = dict(poller.poll(int(min(left, LONGEST_WAIT) * 1000) + 1))
            if events in ready:
                _, refused, _ = self._subscriber.read_event()
                if refused:
                    raise Unavailable(f"{self._endpoint} refused the connection: {refused}")
            if sub in ready:
                # Another program's publisher may send anything.
                with contextlib.suppress(msgspec.DecodeError):
                    message = decode_message(sub.recv_multipart()[-1])
                    if isinstance(message, Availability):
                        return message
        return None

    def _why(self, devices: Sequence[str], seconds: float) -> str:
        missing = ", ".join(device for device in devices if device not in self._last)
        if missing and self._last:
            return f"the service at {self._endpoint} has no BMS called {missing}"
        about = f" of {missing}" if missing else ""
        return (
            f"nothing came{about} from {self._endpoint} within {seconds:g} s: is recbms-zmq run "
            "publishing there, and can this machine reach it?"
        )
