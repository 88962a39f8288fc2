"""Energy counters that survive a restart, `kill -9` and a power cut.

What is promised:

- A published counter never falls, also after `kill -9` and a power cut, while the disk works. For
  this the file holds, beside each total, a value that is reserved: nothing above it is published
  before a file with a higher one is on the disk. After an unclean end a counter starts at its
  reserved value, and stays there until the total has reached it.
- After an unclean end, up to `SAVE_EVERY` seconds of energy are not counted. After a clean end,
  nothing is lost.
- While the disk cannot be written to, counters go on in memory.

Without a state directory this module is not loaded.
"""

import math
from collections.abc import Callable
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import astuple

from recbms_zmq.clock import Instant
from recbms_zmq.sensors.energy import FROM_ZERO, Counters, EnergyMeter
from recbms_zmq.service.state_store import Storage

_LEAST: Final = (0.1, 0.1, 2.0, 2.0)
"""kWh and Ah above the totals that are reserved at least: a minute of 6 kW, or of 120 A."""
_GROWTH: Final = 4
"""What was counted since the last write, times this, is reserved if it is more: so a pack of much
power is not written more often than one of little power."""

_Total = Annotated[float, Meta(ge=0)]


class _Totals(Struct, frozen=True):
    energy_charged: _Total
    energy_discharged: _Total
    charge_in: _Total
    charge_out: _Total


class _Saved(_Totals, frozen=True, kw_only=True):
    """The content of a file. `reserved` is null where it equals the totals."""

    reserved: _Totals | None = None
    saved: str = ""


class _Reserve:
    """What may be published of one total.

    Attributes:
        published: the highest value that was published, or may have been before an unclean end.
        limit: what is reserved on the disk; infinite while the disk cannot be written to.

    """

    def __init__(self, least: float) -> None:
        self.published = 0.0
        self.limit = math.inf
        self._least = least
        self._dumped: float | None = None
        self._reserved: float

    def publish(self, total: float) -> float:
        # `max`, because after an unclean end the total is below what was published.
        self.published = max(self.published, min(total, self.limit))
        return self.published

    def extend(self, total: float) -> float:
        """Return what is to be reserved on the disk, beside this total."""
        counted = 0.0 if self._dumped is None else total - self._dumped
        self._dumped = total
        self._reserved = max(self.published, total + max(self._least, _GROWTH * counted))
        # This may be less than what is reserved now, and has to hold while the file is written.
        self.limit = min(self.limit, self._reserved)
        return self._reserved

    def confirm(self) -> None:
        """Publish up to what is reserved: it is on the disk."""
        self.limit = self._reserved


class EnergyRecord:
    """The energy counters of one BMS, a `state_store.Record`.

    Args:
        name: of the BMS.
        meter: counts; its totals are unknown until `load`.
        save_soon: called when what is reserved is used up; the counter waits for the write.

    """

    storage = Storage("energy.json")

    def __init__(self, name: str, meter: EnergyMeter, save_soon: Callable[[], None]) -> None:
        self.name = name
        self._meter = meter
        self._save_soon = save_soon
        self._reserves = [_Reserve(least) for least in _LEAST]
        self._dumped: tuple[float, ...] = ()
        self._is_saved = False

    def limit(self, counters: Counters) -> Counters:
        """Return what may be published of these totals; None stays None."""
        limited: list[float | None] = []
        is_used_up = False
        for reserve, total in zip(self._reserves, astuple(counters), strict=True):
            if total is None:
                limited.append(None)
            else:
                is_used_up = is_used_up or total > reserve.limit
                limited.append(reserve.publish(total))
        if is_used_up:
            self._save_soon()
        return Counters(*limited)

    def load(self, content: bytes | None) -> None:
        """Let the meter go on from the totals of the file; from 0 without one.

        Raises:
            ValueError: the file is damaged.
            RecursionError: the same.

        """
        totals = FROM_ZERO
        if content is not None:
            saved = msgspec.json.decode(content, type=_Saved)
            totals = Counters(*astuple(saved)[: len(_LEAST)])
            if saved.reserved is not None:
                for reserve, value in zip(self._reserves, astuple(saved.reserved), strict=True):
                    reserve.published = value
        self._meter.resume(totals)

    def dump(self, *, last: bool) -> bytes | None:
        """Return the totals and what is reserved; None if the totals on the disk are the same.

        Args:
            last: whether nothing is published any more, so that nothing needs to be reserved.

        """
        assert self._meter.totals is not None
        totals = astuple(self._meter.totals)
        if self._is_saved and totals == self._dumped and not last:
            return None
        pairs = zip(self._reserves, totals, strict=True)
        if last:
            reserved = tuple(max(reserve.published, total) for reserve, total in pairs)
        else:
            reserved = tuple(reserve.extend(total) for reserve, total in pairs)
        self._dumped = totals
        saved = _Saved(
            *totals,
            reserved=None if reserved == totals else _Totals(*reserved),
            saved=Instant.now().isoformat(),
        )
        return msgspec.json.format(msgspec.json.encode(saved)) + b"\n"

    def saved(self) -> None:
        """Publish up to what is reserved: it is on the disk now."""
        self._is_saved = True
        for reserve in self._reserves:
            reserve.confirm()

    def unsaved(self) -> None:
        """Publish totals as they are: the disk cannot be written to."""
        self._is_saved = False
        for reserve in self._reserves:
            reserve.limit = math.inf
