"""Energy counters: what went into a pack and what came out of it, from its voltage and current.

Between two frames voltage and current are taken to go in straight lines. That is the trapezoidal
rule, for charge as it is known; for energy it means the integral of the two lines' product, which
the formula here gives exactly (the plain trapezoid of the two powers would leave the curvature
out). As a pack's voltage is never negative, power changes its sign where the current does, and
there an interval is split. So with a sample put in on the lines the counters stay the same, and
charged less discharged is the integral itself.

Pure: the time is an argument, and only the monotonic clock has a place here. Nothing is read or
written: what the counters were before this run has to be told (`resume`), see `state`.
"""

from typing import Final, NamedTuple

from msgspec import Struct

MAX_VOLTAGE: Final = 3_000.0
"""V. REC's longest chain, 16 units of 16 cells, has about 1,100 V."""
MAX_CURRENT: Final = 10_000.0
"""A. One wild number that is believed would stay in a counter for ever; see `EnergyMeter.add`."""
_SECONDS_PER_HOUR: Final = 3600.0
_WATT_SECONDS_PER_KWH: Final = 3.6e6


class Counters(Struct, frozen=True, gc=False):
    """Totals since counting began; none ever falls. None: unknown, which is something else than 0.

    Attributes:
        energy_charged, energy_discharged: kWh.
        charge_in, charge_out: Ah.

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
        max_gap: seconds between two samples over which is not integrated any more.

    """

    def __init__(self, *, max_gap: float = 60.0) -> None:
        self._max_gap = max_gap
        self._charged = _Sum()  # kWh
        self._discharged = _Sum()
        self._in = _Sum()  # Ah
        self._out = _Sum()
        self._last: _Sample | None = None
        self._resumed = self._has_current = self._has_power = False

    @property
    def totals(self) -> Counters | None:
        """All four counters, as they are to be kept; None before `resume`."""
        if not self._resumed:
            return None
        return Counters(
            self._charged.value, self._discharged.value, self._in.value, self._out.value
        )

    def resume(self, before: Counters) -> None:
        """Tell what the counters were before this run; what was counted since is added to it."""
        self._resumed = True
        self._charged.add(before.energy_charged or 0.0)
        self._discharged.add(before.energy_discharged or 0.0)
        self._in.add(before.charge_in or 0.0)
        self._out.add(before.charge_out or 0.0)

    def add(self, now: float, voltage: float | None, current: float | None) -> Counters:
        """Count on to this moment, and return what can be said of the counters now.

        A value that is missing, not finite or out of all bounds (negative voltage, more than
        `MAX_VOLTAGE` or `MAX_CURRENT`) is a gap, and a gap is not bridged. A counter is unknown
        until `resume`, and until the first sample that has what it counts.

        Args:
            now: monotonic seconds.
            voltage: V.
            current: A, positive while charging.

        """
        # Written so that a NaN, for which every comparison is false, is no value either.
        if voltage is not None and not 0 <= voltage <= MAX_VOLTAGE:
            voltage = None
        if current is not None and not -MAX_CURRENT <= current <= MAX_CURRENT:
            current = None
        sample = _Sample(now, voltage, current)
        last, self._last = self._last, sample
        if last is not None and 0 < now - last.at <= self._max_gap:
            self._integrate(last, sample)
        self._has_current = self._has_current or current is not None
        self._has_power = self._has_power or (current is not None and voltage is not None)
        return self._known()

    def _known(self) -> Counters:
        totals = self.totals
        if totals is None or not self._has_current:
            return NOT_KNOWN
        if not self._has_power:
            return Counters(charge_in=totals.charge_in, charge_out=totals.charge_out)
        return totals

    def _integrate(self, a: "_Sample", b: "_Sample") -> None:
        """Count an interval, in two parts if the current turns round in it."""
        if a.current is None or b.current is None:
            return
        seconds = b.at - a.at
        if not min(a.current, b.current) < 0 < max(a.current, b.current):
            self._count(seconds, a.voltage, a.current, b.voltage, b.current)
            return
        part = a.current / (a.current - b.current)
        voltage = None
        if a.voltage is not None and b.voltage is not None:
            voltage = a.voltage + part * (b.voltage - a.voltage)
        self._count(part * seconds, a.voltage, a.current, voltage, 0.0)
        self._count((1 - part) * seconds, voltage, 0.0, b.voltage, b.current)

    def _count(
        self, seconds: float, v0: float | None, i0: float, v1: float | None, i1: float
    ) -> None:
        """Count a piece in which the current has one direction."""
        charge = seconds * (i0 + i1) / 2 / _SECONDS_PER_HOUR
        (self._in if charge > 0 else self._out).add(abs(charge))
        if v0 is not None and v1 is not None:
            watt_seconds = seconds * (v0 * (2 * i0 + i1) + v1 * (i0 + 2 * i1)) / 6
            energy = watt_seconds / _WATT_SECONDS_PER_KWH
            (self._charged if energy > 0 else self._discharged).add(abs(energy))


class _Sample(NamedTuple):
    """What one frame said; `at` in monotonic seconds."""

    at: float
    voltage: float | None
    current: float | None


class _Sum:
    """A sum that never stalls (Kahan's).

    A plain float stops growing where what is added is lost in its rounding: after decades of
    kWh, at a few mW. Here the lost part is carried over to the next addition.
    """

    __slots__ = ("_lost", "value")

    def __init__(self) -> None:
        self.value = 0.0
        self._lost = 0.0

    def add(self, amount: float) -> None:
        amount += self._lost
        before = self.value
        self.value = before + amount
        self._lost = amount - (self.value - before)
