"""The simulated pack: that it behaves like a battery, and its BMS like REC's."""

from collections.abc import Iterator
from itertools import pairwise

import pytest

from recbms_zmq.simulator.cells import open_circuit_voltage
from recbms_zmq.simulator.household import DAY
from recbms_zmq.simulator.pack import START, SimulatedPack
from recbms_zmq.simulator.protection import LIMITS, Condition, Extreme, Protection

HOUR = 3600.0


def live(pack: SimulatedPack, hours: float, every: float = 60.0) -> Iterator[float]:
    """Let the pack live; yields after each piece of time."""
    for _ in range(round(hours * HOUR / every)):
        pack.advance(pack.time + every)
        yield pack.time


def spread_of(pack: SimulatedPack) -> float:
    charges = [cell.soc for unit in pack.units for cell in unit.cells]
    return max(charges) - min(charges)


def test_a_day_charges_by_the_sun_and_discharges_at_night() -> None:
    pack = SimulatedPack(seed=0, step=30)
    by_hour: dict[int, list[float]] = {}
    for time in live(pack, 48):
        by_hour.setdefault(int(time % DAY / HOUR), []).append(pack.current)
    assert min(by_hour[11]) > 0
    assert max(by_hour[2]) < 0
    assert max(by_hour[21]) < 0


def test_open_circuit_voltage_rises_with_the_charge_and_fits_the_real_frame() -> None:
    curve = [open_circuit_voltage(n / 1000) for n in range(1001)]
    assert all(low < high for low, high in pairwise(curve))
    assert (curve[0], curve[-1]) == (2.6, 3.65)
    # 3.3048 V at 28.5 % while 7.5 A charge a cell of 1.95 mΩ
    assert open_circuit_voltage(0.285) + 7.5 * 0.00195 == pytest.approx(3.3048, abs=0.01)


def test_charging_ends_at_the_end_of_charge_voltage_and_the_pack_rests() -> None:
    pack = SimulatedPack(seed=1, step=30, soc=0.85)
    highest, was_full = 0.0, False
    for _ in live(pack, 8):
        highest = max(
            highest, *(cell.voltage(pack.current) for u in pack.units for cell in u.cells)
        )
        if pack.soc == 1:
            was_full = True
            assert pack.current == 0 or pack.current < 6
    assert was_full
    assert highest == pytest.approx(LIMITS.charge_end_voltage, abs=0.01)
    assert pack.protection.last is None


@pytest.mark.slow
@pytest.mark.parametrize("cells", [4, 16])  # an ABMS moves charge, the others burn it
def test_balancing_evens_the_cells_out(cells: int) -> None:
    pack = SimulatedPack(seed=2, step=30, cells=cells)
    pack.units[0].cells[1].soc += 0.02
    for _ in live(pack, 168, every=HOUR):
        pass
    assert spread_of(pack) < 0.01


@pytest.mark.slow
def test_a_healthy_pack_lives_for_weeks_without_an_alarm() -> None:
    for seed in range(2):
        pack = SimulatedPack(seed=seed, step=30)
        for _ in live(pack, 8 * 24, every=HOUR):
            assert 0.2 < pack.soc <= 1
        assert pack.protection.last is None
        assert spread_of(pack) < 0.01
        assert pack.soc == pytest.approx(pack.units[0].cells[0].soc, abs=0.03)


def test_a_leap_of_years_takes_no_longer_than_one_of_a_day() -> None:
    pack = SimulatedPack(seed=0, step=30)
    pack.advance(START + 10_000 * DAY)
    assert pack.time == START + 10_000 * DAY
    assert pack.protection.last is None


@pytest.mark.parametrize(("ambient", "sensors"), [(60.0, {4: 1, 5: 0}), (-15.0, {7: 1})])
def test_a_temperature_out_of_range_is_an_alarm_and_stops_the_charging(
    ambient: float, sensors: dict[int, int]
) -> None:
    pack = SimulatedPack(seed=0, ambient=ambient)
    assert pack.current > 0
    pack.advance(START + 60)
    active = pack.protection.active
    assert {number: raised.location for number, raised in active.items()} == sensors
    assert pack.current == 0


def condition(
    low: float = 3.3, high: float = 3.31, cold: float = 20, warm: float = 21, board: float = 30
) -> Condition:
    return Condition(
        Extreme(low, 2, 1),
        Extreme(high, 2, 3),
        Extreme(cold, 2, 1),
        Extreme(warm, 2, 2),
        Extreme(board, 2),
    )


@pytest.mark.parametrize(
    ("number", "location", "seconds", "beyond", "between", "back"),
    [
        (1, 3, 10, {"low": 3.5, "high": 3.66}, {"high": 3.41}, {"high": 3.39}),
        (2, 1, 10, {"low": 2.99, "high": 3.1}, {"low": 3.09}, {"low": 3.11}),
        (3, 1, 5, {"low": 3.0, "high": 3.26}, {"low": 3.0, "high": 3.24}, {"low": 3.09}),
        (4, 2, 10, {"warm": 55.1}, {"warm": 53.1}, {"warm": 52.9}),
        (5, 0, 5, {"board": 55.1}, {"board": 53.1}, {"board": 52.9}),
        (7, 1, 10, {"cold": -10.1}, {"cold": -8.1}, {"cold": -7.9}),
    ],
)
def test_an_alarm_rises_beyond_its_limit_and_clears_behind_its_hysteresis(
    number: int,
    location: int,
    seconds: int,
    beyond: dict[str, float],
    between: dict[str, float],
    back: dict[str, float],
) -> None:
    protection = Protection(LIMITS)
    for _ in range(seconds - 1):
        protection.step(condition(**beyond), 1)
    assert protection.shown is None
    protection.step(condition(**beyond), 1)
    assert protection.shown == (number, 2, location)
    for _ in range(60):
        protection.step(condition(**between), 1)
    assert protection.shown == (number, 2, location)
    for _ in range(seconds - 1):
        protection.step(condition(**back), 1)
    assert protection.shown == (number, 2, location)
    protection.step(condition(**back), 1)
    assert protection.shown is None
    assert protection.last == (number, 2, location)
