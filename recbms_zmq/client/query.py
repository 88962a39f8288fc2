"""Asks a running service which of its BMS are online, for `recbms-zmq check`.

A service answers every new subscription with the last message of each topic, so the answer is
there at once. Its end is found by subscribing once more, to one topic that has already come: the
answer to that is behind all answers to the first.
"""

import contextlib
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import msgspec
import zmq
from zmq.utils.monitor import parse_monitor_message

from recbms_zmq.client.subscriber import REFUSED, use_curve, why_refused
from recbms_zmq.errors import Unavailable, UsageError
from recbms_zmq.reporting.messages import Availability, decode_message


class ServiceQuery:
    """A subscriber that asks once.

    Args:
        endpoint: where the service publishes.
        prefix: the first part of its topics.
        server_key, secret_key: paths of CURVE keys, as for `subscribing.use_curve`.

    Raises:
        UsageError, ConfigError: the endpoint or a key file cannot be used.

    """

    def __init__(
        self, endpoint: str, prefix: str, server_key: str | None, secret_key: str | None
    ) -> None:
        self._endpoint = endpoint
        self._prefix = prefix
        self._stack = contextlib.ExitStack()
        with self._stack:
            context = self._stack.enter_context(zmq.Context())
            self._sub = self._stack.enter_context(context.socket(zmq.SUB))
            self._sub.set(zmq.LINGER, 0)
            self._sub.set(zmq.RCVHWM, 0)  # the state of many packs comes at once
            # Elsewhere it would make ::1 of localhost, where no service is by default.
            self._sub.set(zmq.IPV6, 1 if "[" in endpoint else 0)
            use_curve(self._sub, server_key, secret_key)
            self._refusals = self._stack.enter_context(self._sub.get_monitor_socket(REFUSED))
            try:
                self._sub.connect(endpoint)
            except zmq.ZMQError as exc:
                why = zmq.strerror(exc.errno or 0)
                raise UsageError(f"cannot connect to {endpoint}: {why}") from exc
            self._stack = self._stack.pop_all()

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
        """Return the availability of these BMS, or of all that the service has.

        Raises:
            Unavailable: no service answered in time, it refused us, or has not all of these BMS.

        """
        for device in devices:
            self._sub.subscribe(f"{self._prefix}/{device}/availability")
        if not devices:
            self._sub.subscribe(f"{self._prefix}/")
        found: dict[str, Availability] = {}
        first: str | None = None
        deadline = time.monotonic() + seconds
        while (message := self._next(deadline)) is not None:
            if message.topic == first:
                return list(found.values())
            found[message.device] = message
            if devices and len(found) == len(set(devices)):
                return [found[device] for device in devices]
            if first is None:
                first = message.topic
                if not devices:
                    self._sub.subscribe(first)
        raise Unavailable(self._why(devices, found, seconds))

    def _next(self, deadline: float) -> Availability | None:
        """Wait for a message of this kind, until the deadline."""
        poller = zmq.Poller()
        poller.register(self._sub, zmq.POLLIN)
        poller.register(self._refusals, zmq.POLLIN)
        while (left := deadline - time.monotonic()) > 0:
            ready = dict(poller.poll(int(left * 1000) + 1))
            if self._refusals in ready:
                event = int(parse_monitor_message(self._refusals.recv_multipart())["event"])
                raise Unavailable(f"{self._endpoint} refuses us: {why_refused(event)}")
            if self._sub in ready:
                # Somebody else's publisher says other things.
                with contextlib.suppress(msgspec.DecodeError):
                    message = decode_message(self._sub.recv_multipart()[-1])
                    if isinstance(message, Availability):
                        return message
        return None

    def _why(self, devices: Sequence[str], found: dict[str, Availability], seconds: float) -> str:
        missing = [device for device in devices if device not in found]
        if found:
            return f"the service at {self._endpoint} has no BMS called {', '.join(missing)}"
        about = f" of {', '.join(missing)}" if missing else ""
        return (
            f"nothing came{about} from {self._endpoint} within {seconds:g} s: is recbms-zmq run "
            "publishing there, and may this machine reach it?"
        )
