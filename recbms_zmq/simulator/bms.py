"""A simulated BMS: elapsed seconds in, frames out. No clock, no socket, no faults."""

import msgspec

from recbms_zmq.simulator import frames
from recbms_zmq.simulator.options import SimulatorOptions
from recbms_zmq.simulator.pack import START, SimulatedPack
from recbms_zmq.wire.frames import Settings, Status

_LONGEST_STEP = 30.0  # s; a third of a cell's relaxation, half of the shortest appliance
_SHORTEST_STEP = 1.0  # s
_STEPS_PER_SECOND = 10  # of real time


class SimulatedBms:
    """A BMS with its pack.

    `elapsed` is in real seconds since the start. The pack does not go back to an earlier time.

    Args:
        options: what is simulated.
        soc: state of charge at the beginning, 0 to 1; from the seed when left out.
        ambient: constant temperature around the battery, °C; that of the day when left out.

    Attributes:
        options: as given.
        pack: the pack, for tests that need its exact values.

    """

    def __init__(
        self,
        options: SimulatorOptions | None = None,
        *,
        soc: float | None = None,
        ambient: float | None = None,
    ) -> None:
        self.options = options = options or SimulatorOptions()
        # Short steps are slow when a day takes a minute; long ones are visible at real speed.
        step = min(max(options.speed / _STEPS_PER_SECOND, _SHORTEST_STEP), _LONGEST_STEP)
        self.pack = SimulatedPack(
            units=options.units,
            cells=options.cells,
            seed=options.seed,
            step=step,
            soc=soc,
            ambient=ambient,
        )
        self._encoder = msgspec.json.Encoder()

    def status(self, elapsed: float) -> bytes:
        """Return the status frame, as it comes over the websocket."""
        return self._encoder.encode(self.status_frame(elapsed))

    def settings(self, elapsed: float) -> bytes:
        """Return the settings frame, as it comes over the websocket."""
        return self._encoder.encode(self.settings_frame(elapsed))

    def status_frame(self, elapsed: float) -> Status:
        """Return the status frame before it is encoded."""
        return frames.status(*self._measure(elapsed))

    def settings_frame(self, elapsed: float) -> Settings:
        """Return the settings frame before it is encoded."""
        return frames.settings(*self._measure(elapsed))

    def _measure(self, elapsed: float) -> tuple[SimulatedPack, frames.Measured, frames.Firmware]:
        time = START + elapsed * self.options.speed
        self.pack.advance(time)
        measured = frames.Measured.of(self.pack, self.options.seed, time, elapsed)
        return self.pack, measured, self.options.firmware
