"""How many units a pack has, so that a frame that lacks one is noticed, also the first one.

The BMS counts its units in every frame, but it is not documented whether a master without cells is
among them: such a pack always counts one unit more than a frame has. So two more things decide:

- All cells are in series. While those of a frame add up to the voltage of the pack, no unit is
  missing; if they do not, and the BMS counts more units, one is.
- Three frames in a row show how many units come. From then on, a frame with fewer lacks one, and
  one with as many is whole, also without a voltage of the pack. A frame with more opens the
  question again: the frames before lacked one, or this one has one that does not exist.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from recbms_zmq.sensors.units import Unit
from recbms_zmq.wire.frames import MAX_UNITS

FRAMES_TO_COUNT: Final = 3
"""Frames in a row that have to have a unit before it can be missing."""
MAX_DIFFERENCE: Final = 0.02
"""Ratio up to which the sum of the cells and the pack voltage may differ. One unit of 16, the most,
has 0.06 of the voltage."""


class UnitCount(NamedTuple):
    """What is known of the number of units.

    Attributes:
        stated: by the BMS; 0 if it states none that can be.
        proven: as many as there were in three frames in a row; 0 before.
        is_open: whether it is not known if the BMS counts units that are in no frame.

    """

    stated: int = 0
    proven: int = 0
    is_open: bool = True

    def is_one_missing(self, units: Sequence[Unit], present: int, voltage: float | None) -> bool:
        """Return whether a frame lacks a unit.

        Args:
            units: of the frame.
            present: their number, with those that are left out.
            voltage: of the pack, V; None if the frame has none.

        """
        if present < self.proven:
            return True
        if present >= self.stated:
            return False
        if voltage is None or not all(unit.has_all_voltages for unit in units):
            return self.is_open
        cells = [v for unit in units for v in unit.cell_voltages if v is not None]
        return not adds_up(cells, voltage)


NOT_COUNTED: Final = UnitCount()


class UnitCensus:
    """Counts the units of one BMS."""

    def __init__(self) -> None:
        self._count = NOT_COUNTED
        self._stated: int | None = None
        self._last: list[int] = []  # not a deque, which takes 760 bytes

    def update(self, stated: int | None, present: int) -> UnitCount:
        """Take the units of a frame, and return what is known with it.

        Args:
            stated: the count of the BMS; None if the frame has none.
            present: units in the frame.

        """
        if stated is None:
            return self._count
        if stated == self._stated and self._last.count(present) == FRAMES_TO_COUNT:
            return self._count  # nearly always: another frame like the last three
        if stated != self._stated:
            self._stated = stated
            self._last.clear()
            self._count = UnitCount(stated if stated <= MAX_UNITS else 0)
        self._last = [*self._last, present][-FRAMES_TO_COUNT:]
        proven = self._count.proven
        if len(self._last) == FRAMES_TO_COUNT:
            proven = max(proven, min(self._last))
        is_open = not proven or max(self._last) > proven
        if (proven, is_open) != self._count[1:]:
            self._count = UnitCount(self._count.stated, proven, is_open)
        return self._count


def adds_up(cell_voltages: Sequence[float], voltage: float) -> bool:
    """Return whether cells add up to the voltage of the pack, as all of them do."""
    total = sum(cell_voltages)
    return abs(total - voltage) <= MAX_DIFFERENCE * max(abs(voltage), abs(total))
