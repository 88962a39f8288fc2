"""Which sensors are wanted: patterns of their keys, such as `soc,power,cell_voltage/*`.

In a pattern `*` stands for any characters, also for `/`; `?` and `[...]` are as in file names.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import translate
from typing import Any, Final

from recbms_zmq.sensors.sensor import Sensor
from recbms_zmq.sensors.table import SENSORS
from recbms_zmq.sensors.units import MOST_ADDRESS
from recbms_zmq.text import did_you_mean, quoted
from recbms_zmq.wire.frames import MAX_CELLS, MAX_SENSORS

_NUMBERS: Final = {"cell": MAX_CELLS, "temperature": MAX_SENSORS}


class Selection:
    """The keys that match one of the patterns `only`, and none of `leave_out`.

    Args:
        only: patterns, or texts with several of them, separated by commas; empty for all keys.
        leave_out: the same; empty for none.

    """

    def __init__(self, only: Iterable[str], leave_out: Iterable[str]) -> None:
        self._only = _matcher(only)
        self._leave_out = _matcher(leave_out)
        self.selects = self._only is not None or self._leave_out is not None
        """Whether there is a pattern; without one every key is selected."""

    def has(self, key: str) -> bool:
        """Return whether a key is selected."""
        if self._leave_out is not None and self._leave_out(key):
            return False
        return self._only is None or bool(self._only(key))


def _matcher(texts: Iterable[str]) -> Callable[[str], Any] | None:
    patterns = [translate(pattern) for text in texts for pattern in text.split(",")]
    return re.compile("|".join(patterns)).match if patterns else None


def mistake(pattern: str) -> str:
    """Return what is wrong with a pattern that no sensor has, as a part of a sentence; else ""."""
    matches = re.compile(translate(pattern)).match
    if any(matches(key) for sensor in SENSORS for key in _keys(sensor)):
        return ""
    shapes = [sensor.key.format(unit="*", number="*") for sensor in SENSORS]
    groups = {shape.partition("/")[0] + "/*" for shape in shapes if "/" in shape}
    return f"no sensor has {quoted(pattern)}{did_you_mean(pattern, [*shapes, *sorted(groups)])}"


def _keys(sensor: Sensor) -> Iterator[str]:
    """Yield every key that a row of the table can have."""
    if "{" not in sensor.key:
        yield sensor.key
        return
    for unit in range(MOST_ADDRESS + 1):
        for number in range(1, _NUMBERS.get(sensor.group, 1) + 1):
            yield sensor.key.format(unit=unit, number=number)
