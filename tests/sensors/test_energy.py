"""The energy counters against integrals that are known from analysis, and with any input."""

import math
import random
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbms_zmq.sensors.energy import (
    FROM_ZERO,
    NOT_KNOWN,
    Counters,
    EnergyMeter,
)

Sample = tuple[float, float | None, float | None]
ALL = ("energy_charged", "energy_discharged", "charge_in", "charge_out")


def count(samples: Iterable[Sample], before: Counters = FROM_ZERO, max_gap: float = 60) -> Counters:
    meter = EnergyMeter(max_gap=max_gap)
    meter.resume(before)
    for sample in samples:
        meter.add(*sample)
    totals = meter.totals
    assert totals is not None
    return totals


def as_list(counters: Counters) -> list[float]:
    values = [getattr(counters, name) for name in ALL]
    assert None not in values
    return values


def regular(seconds: float, step: float = 1.0) -> list[float]:
    return [n * step for n in range(round(seconds / step) + 1)]


def irregular(seconds: float, seed: int) -> list[float]:
    """Steps from a burst's milliseconds to five seconds; the last one ends the drive exactly."""
    chance = random.Random(seed)
    times = [0.0]
    while times[-1] < seconds:
        times.append(times[-1] + chance.choice((0.001, 0.3, 1.0, 1.1, 2.5, 5.0)))
    return [*times[:-1], seconds]


@pytest.mark.parametrize("resistance", [0.0, 0.02])  # ohm
@pytest.mark.parametrize("offset", [0, 1e9], ids=["at boot", "decades after boot"])
@pytest.mark.parametrize("times", [regular(36_000), irregular(36_000, 1), irregular(36_000, 2)])
def test_a_sine_of_current_is_counted_to_a_thousandth(
    times: list[float], offset: float, resistance: float
) -> None:
    # v = V + R i, as a pack with an internal resistance; i = A sin wt.
    # Over a half wave i^2 gives A^2 T / 4, i gives A T / pi.
    volt, amplitude, period = 52.0, 100.0, 600.0

    def current(t: float) -> float:
        return amplitude * math.sin(2 * math.pi * t / period)

    counted = count((offset + t, volt + resistance * current(t), current(t)) for t in times)
    charge = amplitude * period / math.pi
    loss = resistance * amplitude**2 * period / 4
    energies = [60 * (volt * charge + loss) / 3.6e6, 60 * (volt * charge - loss) / 3.6e6]
    charges = [60 * charge / 3600] * 2
    assert as_list(counted) == pytest.approx([*energies, *charges], rel=1e-3)


def test_steps_of_current_are_counted_to_a_thousandth() -> None:
    # 2 h of +50 A, 1 h of -80 A, 1 h of nothing. A step takes the second between two frames.
    def current(t: float) -> float:
        return 50.0 if t < 7200 else -80.0 if t < 10_800 else 0.0

    counted = count((t, 51.2, current(t)) for t in regular(14_400))
    assert as_list(counted) == pytest.approx([5.12, 4.096, 100, 80], rel=1e-3)


def test_an_interval_in_which_the_current_turns_counts_in_both_directions() -> None:
    # From +30 A to -60 A in 54 s at 50 V: the current turns after 18 s.
    counted = count([(0, 50.0, 30.0), (54, 50.0, -60.0)])
    charge_in, charge_out = 18 * 15 / 3600, 36 * 30 / 3600
    assert as_list(counted) == pytest.approx(
        [charge_in * 0.05, charge_out * 0.05, charge_in, charge_out], rel=1e-12
    )


def test_a_gap_is_bridged_up_to_its_limit_and_not_beyond() -> None:
    up_to = count([(0, 50.0, 10.0), (60, 50.0, 10.0)])
    beyond = count([(0, 50.0, 10.0), (60.001, 50.0, 10.0), (61.001, 50.0, 10.0)])
    assert up_to.charge_in == pytest.approx(600 / 3600)
    assert beyond.charge_in == pytest.approx(10 / 3600)
    shorter = count([(0, 50.0, 10.0), (11, 50.0, 10.0)], max_gap=10)
    assert shorter == FROM_ZERO


@pytest.mark.parametrize(("voltage", "current"), [(0.0, 36.0), (3000.0, 36.0), (50.0, 10_000.0)])
def test_up_to_its_limits_a_sample_counts(voltage: float, current: float) -> None:
    counted = count([(0, voltage, current), (36, voltage, current)])
    assert counted.energy_charged == pytest.approx(voltage * current / 100_000)
    assert counted.charge_in == pytest.approx(current / 100)


@pytest.mark.parametrize("max_gap", [60, 1])
@pytest.mark.parametrize(
    ("voltage", "current"),
    [
        *((50.0, value) for value in (None, math.nan, math.inf, -math.inf, 1e300, -1e300)),
        *((50.0, value) for value in (10_000.1, -10_000.1)),
        *((value, 36.0) for value in (None, math.nan, math.inf, -0.1, 3000.1)),
    ],
)
def test_a_sample_that_cannot_be_used_counts_as_if_it_had_not_come(
    voltage: float | None, current: float | None, max_gap: float
) -> None:
    samples: list[Sample] = [(t, 50.0, 36.0) for t in range(11)]
    without = count(samples[:5] + samples[6:], max_gap=max_gap)
    samples[5] = (5, voltage, current)
    counted = count(samples, max_gap=max_gap)
    assert counted.energy_charged == without.energy_charged
    # A sample without a usable voltage still has a usable current.
    expected = (
        without.charge_in
        if current != 36.0
        else count([(t, 50.0, 36.0) for t in range(11)], max_gap=max_gap).charge_in
    )
    assert counted.charge_in == expected


def test_counters_are_unknown_until_resume() -> None:
    meter = EnergyMeter()
    assert meter.add(0, 50.0, 72.0) == NOT_KNOWN
    assert meter.add(50, 50.0, 72.0) == NOT_KNOWN
    assert meter.totals is None
    meter.resume(Counters(10, 20, 30, 40))
    # What was counted before that is kept.
    assert as_list(meter.add(100, 50.0, 72.0)) == pytest.approx([10.1, 20, 32, 40])


def test_a_counter_without_a_measurement_is_unknown_and_not_zero() -> None:
    meter = EnergyMeter()
    meter.resume(FROM_ZERO)
    assert meter.add(0, 50.0, None) == NOT_KNOWN
    assert meter.add(1, None, 3600.0) == Counters(charge_in=0, charge_out=0)
    assert meter.add(2, None, 3600.0) == Counters(charge_in=1, charge_out=0)
    assert meter.add(3, 50.0, 3600.0) == Counters(0, 0, 2, 0)
    assert meter.add(4, None, None) == Counters(0, 0, 2, 0)  # and what is known stays known


def test_a_counter_of_decades_does_not_stall() -> None:
    # 1 mW for 1 s at 100,000 kWh.
    counted = count([(0, 50.0, 2e-5), (1, 50.0, 2e-5)], Counters(1e5, 0, 0, 0))
    assert counted.energy_charged is not None
    assert (counted.energy_charged - 1e5) * 3.6e6 == pytest.approx(1e-3, rel=0.05)


def test_a_year_of_frames_adds_up() -> None:
    counted = count((n * 60.0, 51.2, 0.1) for n in range(525_600 + 1))
    assert as_list(counted) == pytest.approx([0.1 * 51.2 * 8.760, 0, 876, 0], rel=1e-9)


foreign = st.none() | st.floats() | st.floats(-200, 200) | st.sampled_from([0.0, -0.0, 5e-324])
volts = st.floats(0, 100)
amperes = st.floats(-200, 200)


@given(st.lists(st.tuples(st.floats(-1, 100), foreign, foreign), max_size=60), st.booleans())
def test_no_counter_ever_falls_or_stops_being_a_number(
    steps: list[Sample], is_resumed: bool
) -> None:
    meter = EnergyMeter()
    if is_resumed:
        meter.resume(Counters(1e-9, 12345.678, 0.1, 1e12))
    now = 0.0
    known: dict[str, float] = {}
    for step, voltage, current in steps:
        now += step
        counters = meter.add(now, voltage, current)
        for name in ALL:
            value = getattr(counters, name)
            if value is None:
                assert name not in known, "what was known is known"
            else:
                assert math.isfinite(value)
                assert value >= known.get(name, 0)
                known[name] = value
    assert is_resumed or not known


@given(st.lists(st.tuples(st.floats(0.001, 59), volts, amperes), min_size=2, max_size=60))
def test_charged_less_discharged_is_the_integral(steps: list[tuple[float, float, float]]) -> None:
    now = charge = energy = size = 0.0
    samples: list[tuple[float, float, float]] = []
    for step, voltage, current in steps:
        now += step
        samples.append((now, voltage, current))
    for (t0, v0, i0), (t1, v1, i1) in pairwise(samples):
        charge += (t1 - t0) * (i0 + i1) / 2
        energy += (t1 - t0) * (v0 * i0 + v1 * i1) / 2
        size += (t1 - t0) * 200 * 100
    counted = as_list(count(samples))
    assert (counted[0] - counted[1]) * 3.6e6 == pytest.approx(energy, abs=1e-12 * size)
    assert (counted[2] - counted[3]) * 3600 == pytest.approx(charge, abs=1e-12 * size)


@given(
    amperes,
    amperes,
    st.floats(0.001, 59),
    st.lists(st.floats(0, 1), max_size=10),
)
def test_more_samples_on_the_same_line_change_nothing(
    start: float, end: float, length: float, parts: list[float]
) -> None:
    def at(part: float) -> Sample:
        return (part * length, 50.0, start + part * (end - start))

    whole = as_list(count([at(0), at(1)]))
    split = as_list(count(map(at, (0, *sorted(parts), 1))))
    assert split == pytest.approx(whole, rel=1e-9, abs=1e-12)


@given(st.lists(st.tuples(st.floats(0.001, 59), volts, amperes), max_size=30))
def test_reversed_currents_change_places(steps: list[tuple[float, float, float]]) -> None:
    now = 0.0
    forth: list[Sample] = []
    back: list[Sample] = []
    for step, voltage, current in steps:
        now += step
        forth.append((now, voltage, current))
        back.append((now, voltage, -current))
    charged, discharged, charge_in, charge_out = as_list(count(forth))
    swapped = [discharged, charged, charge_out, charge_in]
    assert as_list(count(back)) == pytest.approx(swapped, rel=1e-12)
