"""Sensors as columns, with a row of values for each frame; and the rounding of a value."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import compress, groupby
from math import isfinite
from operator import ne
from typing import Any, Final

from recbms_zmq.sensors.sensor import UNKNOWN, Sensor, Value
from recbms_zmq.sensors.table import UNIT_SENSORS
from recbms_zmq.sensors.units import Unit

_NO_VALUE: Final[Any] = object()  # differs from every value, so the first frame is rounded whole


class Columns:
    """Sensors, and their values in the last frame, raw and rounded."""

    def __init__(self, sensors: tuple[Sensor, ...]) -> None:
        self.sensors, self._decimals = _shared(sensors)
        self._raw: list[Any] = [_NO_VALUE] * len(sensors)
        self._rounded: list[Value | None] = [None] * len(sensors)

    def rounded(self, raw: list[Any]) -> tuple[list[Value | None], list[int]]:
        """Round a frame's values, but only those that have changed: comparing them costs less.

        Returns:
            The values, and the columns of those that have changed.

        """
        # A copy: the caller keeps the values of the frame before, to compare.
        values = self._rounded.copy()
        changed = []
        for column in compress(range(len(raw)), map(ne, raw, self._raw)):
            value = round_value(raw[column], self._decimals[column])
            if value != values[column]:
                values[column] = value
                changed.append(column)
        self._raw, self._rounded = raw, values
        return values, changed


@lru_cache(maxsize=16)  # shapes of packs in a fleet; a hostile one costs the others some memory
def _shared(sensors: tuple[Sensor, ...]) -> tuple[tuple[Sensor, ...], tuple[int | None, ...]]:
    """Return the sensors, and their decimals: the same objects for all packs of one shape.

    A tuple of a hundred sensors takes 850 bytes. There would be two for each BMS.
    """
    return sensors, tuple([sensor.decimals for sensor in sensors])


def round_value(value: Any, decimals: int | None) -> Value | None:
    """Round a number to the sensor's decimals; None if it is not finite, which is no reading."""
    if decimals is None or value is None or value is UNKNOWN:
        unchanged: Value | None = value
        return unchanged
    number: float = value
    if not isfinite(number):
        return None
    # Adding zero turns -0.0 into 0.0.
    return round(number, decimals) + 0.0 if decimals else round(number)


def unit_sensors(unit: Unit) -> Iterator[Sensor]:
    """Yield the sensors of a unit, in the order of `UNIT_SENSORS`."""
    for row in UNIT_SENSORS:
        if row.group == "unit":
            yield row.at(unit.address)
        else:
            found: Any = row.value(unit)
            for number in range(1, len(found) + 1):
                yield row.at(unit.address, number)


def runs_of(sensors: Sequence[Sensor], prefix: str) -> list[slice]:
    """Return the runs of columns of which the keys begin with a prefix: one for each unit."""
    columns = enumerate(sensors)
    runs = groupby(columns, key=lambda column: column[1].key.startswith(prefix))
    found = [[number for number, _ in run] for is_wanted, run in runs if is_wanted]
    return [slice(run[0], run[-1] + 1) for run in found]
