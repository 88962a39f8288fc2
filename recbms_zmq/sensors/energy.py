"""Energy counters: the energy and the charge that went into a pack and came out of it.

Charge is the integral of the current, energy the integral of the power (voltage times current).
Both use the trapezoidal rule: between two samples the value is a straight line. Where that line
crosses zero, the interval is split, so charging and discharging within one interval both count.

A sample without a usable value is skipped, as if its frame had not come: the line goes on to the
next usable one. Over more than `max_gap` nothing is counted.

Counters are plain floats: 1 mW for 1 s still changes 100,000 kWh by 19 units in the last place, so
no counter stalls within the life of a pack.

Time is an argument, in seconds of the monotonic clock. Nothing is read or written here; the totals
of earlier runs are added by `resume` (see `service.counters`).
"""

from typing import Final

from msgspec import Struct

MAX_VOLTAGE: Final = 3_000.0
"""V. REC's longest chain, 16 units of 16 cells, has about 1,100 V."""
MAX_CURRENT: Final = 10_000.0
"""A. A wild number beyond this is skipped: a counter would keep its energy for ever."""
_SECONDS_PER_HOUR: Final = 3600.0
_WATT_SECONDS_PER_KWH: Final = 3.6e6


# `gc=False`, as in `wire.frames`: new ones for each frame, without a cycle.
class Counters(Struct, frozen=True, gc=False):
    """Totals since counting began. They never fall. None is unknown, which is not 0.

    Attributes:
        energy_charged, energy_discharged: kWh, at least 0.
        charge_in, charge_out: Ah, at least 0.

    """

    energy_charged: float | None = None
    energy_discharged: float | None = None
    charge_in: float | None = None
    charge_out: float | None = None


NOT_KNOWN: Final = Counters()
FROM_ZERO: Final = Counters(0.0, 0.0, 0.0, 0.0)


class EnergyMeter:
    """Counts the energy and the charge of one pack.

    Args:
        max_gap: seconds between two usable samples up to which the interval counts.

    """

    def __init__(self, *, max_gap: float = 60.0) -> None:
        self._charge = _Integral(max_gap)  # A s
        self._energy = _Integral(max_gap)  # W s
        self._before: Counters | None = None

    @property
    def totals(self) -> Counters | None:
        """All four counters, as they are stored; None before `resume`."""
        if self._before is None:
            return None
        return Counters(
            (self._before.energy_charged or 0.0) + self._energy.positive / _WATT_SECONDS_PER_KWH,
            (self._before.energy_discharged or 0.0) + self._energy.negative / _WATT_SECONDS_PER_KWH,
            (self._before.charge_in or 0.0) + self._charge.positive / _SECONDS_PER_HOUR,
            (self._before.charge_out or 0.0) + self._charge.negative / _SECONDS_PER_HOUR,
        )

    def resume(self, before: Counters) -> None:
        """Add the totals of earlier runs to what is counted in this one."""
        self._before = before

    def add(self, now: float, voltage: float | None, current: float | None) -> Counters:
        """Integrate up to `now`; return the totals that are known.

        A counter is known after `resume` and the first sample that has what it counts.

        Args:
            now: monotonic seconds.
            voltage: V, 0 to `MAX_VOLTAGE`; anything else is no value.
            current: A, positive while charging, at most `MAX_CURRENT` either way.

        """
        # Every comparison with NaN is false, so NaN is no value either.
        if current is not None and -MAX_CURRENT <= current <= MAX_CURRENT:
            self._charge.add(now, current)
            if voltage is not None and 0 <= voltage <= MAX_VOLTAGE:
                self._energy.add(now, voltage * current)
        totals = self.totals
        if totals is None or not self._charge.has_samples:
            return NOT_KNOWN
        if not self._energy.has_samples:
            return Counters(charge_in=totals.charge_in, charge_out=totals.charge_out)
        return totals


class _Integral:
    """The integral of a value over time; its positive and negative parts apart, both at least 0."""

    def __init__(self, max_gap: float) -> None:
        self._max_gap = max_gap
        self._at = 0.0
        self._value = 0.0
        self.has_samples = False
        self.positive = 0.0
        self.negative = 0.0

    def add(self, now: float, value: float) -> None:
        """Count the line from the last sample to this one."""
        before, seconds = self._value, now - self._at
        # Nothing for a time that has not advanced, as in a burst, nor for a gap: what happened in
        # it is not known.
        if self.has_samples and 0 < seconds <= self._max_gap:
            if before < 0 < value or value < 0 < before:
                until_zero = seconds * before / (before - value)
                self._count(until_zero * before / 2)
                self._count((seconds - until_zero) * value / 2)
            else:
                self._count(seconds * (before + value) / 2)
        self._at, self._value, self.has_samples = now, value, True

    def _count(self, area: float) -> None:
        if area > 0:
            self.positive += area
        else:
            self.negative -= area
