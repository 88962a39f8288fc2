"""Frames of a simulated pack in this process, for `demo` and for trying things out: `sim:`."""

import asyncio
from typing import Final

from recbms_zmq.instant import Instant
from recbms_zmq.simulator import SimulatedBms, parse_simulator_url
from recbms_zmq.sources import LiveSource, Receiver

SETTINGS_EVERY: Final = 60.0
"""Seconds between settings frames."""


class SimulatedSource(LiveSource):
    """A simulated BMS as a source.

    Raises:
        UsageError: `url` is not `sim:` or `sim:?OPTION=VALUE&…`.

    """

    sends_settings = True

    def __init__(self, url: str) -> None:
        self._options = parse_simulator_url(url)

    async def run(self, receiver: Receiver) -> None:
        """Deliver until cancelled."""
        bms = SimulatedBms(self._options)
        start = Instant.now()
        receiver.connected(start)
        settings_due = frame_due = 0.0
        while True:
            now = Instant.now()
            elapsed = now.monotonic - start.monotonic
            if elapsed >= settings_due:
                receiver.frame(bms.settings(elapsed), now)
                settings_due = elapsed + SETTINGS_EVERY
            receiver.frame(bms.status(elapsed), now)
            # Kept to the clock, not to the time that this took.
            frame_due = max(frame_due + 1 / self._options.rate, elapsed)
            await asyncio.sleep(frame_due - elapsed)
