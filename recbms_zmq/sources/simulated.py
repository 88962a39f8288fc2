"""Frames of a simulated pack in this process, for `demo` and for trials: `sim:`."""

import asyncio

from recbms_zmq.clock import Instant
from recbms_zmq.simulator import parse_simulator_url
from recbms_zmq.simulator.traffic import Traffic
from recbms_zmq.sources import LiveSource, Receiver


class SimulatedSource(LiveSource):
    """A simulated BMS as a source. Faults of its connection look like those of a real one.

    Raises:
        UsageError: `url` is not `sim:` or `sim:?OPTION=VALUE&…`.

    """

    sends_settings = True

    def __init__(self, url: str) -> None:
        self._options = parse_simulator_url(url)

    async def run(self, receiver: Receiver) -> None:
        """Deliver until cancelled."""
        traffic = Traffic(self._options)
        start = Instant.now()
        is_connected = False
        while True:
            now = Instant.now()
            step = traffic.step(now.monotonic - start.monotonic)
            if step.breaks or step.link in {"parting", "closing", "refusing"}:
                if is_connected:
                    receiver.disconnected("the simulated connection broke off", now)
                is_connected = False
            else:
                if not is_connected:
                    receiver.connected(now)
                is_connected = True
                for message in step.messages:
                    receiver.received(message.data, now)
            # Read again: making the frames of a large pack takes time.
            elapsed = Instant.now().monotonic - start.monotonic
            await asyncio.sleep(traffic.due - elapsed)
