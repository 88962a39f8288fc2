"""Which units of a frame are published: not those of addresses that change with every frame.

A unit with a new address makes up to 113 topics. A broken or hostile module that sends 16 of them
in each frame would cost 1,800 new topics a frame: most of a core at ten frames a second. So new
addresses come from a budget: as many as the largest pack has, and then one for each frame.
"""

from collections.abc import Sequence
from typing import Final

from recbms_zmq.sensors.units import Unit
from recbms_zmq.wire.frames import MAX_UNITS

_PER_FRAME: Final = 1


class UnitAdmission:
    """Admits the units of one BMS."""

    def __init__(self) -> None:
        self._last: set[int] = set()
        # From the one that was there longest ago. A unit that comes and goes stays known.
        self._known: dict[int, None] = {}
        self._budget = MAX_UNITS

    def admitted(self, units: Sequence[Unit]) -> Sequence[Unit]:
        """Return the units with known addresses, and as many of the others as may be new."""
        self._budget = min(self._budget + _PER_FRAME, MAX_UNITS)
        addresses = {unit.address for unit in units}
        if addresses == self._last:
            return units
        new = sorted(addresses - self._known.keys())[: self._budget]
        self._budget -= len(new)
        admitted = [unit for unit in units if unit.address in self._known or unit.address in new]
        for unit in admitted:
            # Out and in again: a dict keeps the order in which keys were added, not the last use.
            self._known.pop(unit.address, None)
            self._known[unit.address] = None
        while len(self._known) > MAX_UNITS:
            del self._known[next(iter(self._known))]
        self._last = {unit.address for unit in admitted}
        return admitted
