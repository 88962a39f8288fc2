"""Sensors as columns, with a row of values for each frame; and the rounding of a value."""

from functools import lru_cache
from itertools import compress
from operator import ne
from typing import Any, Final

from recbms_zmq.sensors.rounding import shown
from recbms_zmq.sensors.sensor import Sensor, Value

NO_VALUE: Final[Any] = object()  # differs from every value, so the first frame is rounded whole


class Columns:
    """Sensors, and their values in the last frame, raw and rounded."""

    def __init__(self, sensors: tuple[Sensor, ...]) -> None:
        self.sensors, self._decimals = shared_columns(sensors)
        self._raw: list[Any] = [NO_VALUE] * len(sensors)
        self._rounded: list[Value | None] = [None] * len(sensors)

    def rounded(self, raw: list[Any]) -> list[Value | None]:
        """Round a frame's values, but only those that have changed: comparing them costs less."""
        # A copy: the caller keeps the values of the frame before, to compare.
        values = self._rounded.copy()
        for column in compress(range(len(raw)), map(ne, raw, self._raw)):
            decimals = self._decimals[column]
            values[column] = raw[column] if decimals is None else shown(raw[column], decimals)
        self._raw, self._rounded = raw, values
        return values


@lru_cache(maxsize=16)  # shapes of packs in a fleet; a hostile one costs the others some memory
def shared_columns(
    sensors: tuple[Sensor, ...],
) -> tuple[tuple[Sensor, ...], tuple[int | None, ...]]:
    """Return the sensors, and the decimals to which their values still have to be rounded.

    They are the same objects for all packs of one shape.

    A tuple of a hundred sensors takes 850 bytes. There would be two for each BMS.
    """
    return sensors, tuple([None if row.is_rounded else row.decimals for row in sensors])
