"""Tests of the delays between tries to connect."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from recbms_zmq.sources.backoff import Backoff, reconnect_delays


def test_the_delays_double_from_one_second_to_a_minute() -> None:
    delays = reconnect_delays(lambda: 0.5)
    assert list(islice(delays, 9)) == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_the_jitter_is_a_quarter_to_each_side_and_never_over_a_minute() -> None:
    assert list(islice(reconnect_delays(lambda: 0.0), 8)) == [0.75, 1.5, 3, 6, 12, 24, 45, 45]
    assert list(islice(reconnect_delays(lambda: 1.0), 8)) == [1.25, 2.5, 5, 10, 20, 40, 60, 60]


def test_a_large_fleet_spreads_its_first_tries_only() -> None:
    assert list(islice(reconnect_delays(lambda: 0.5, spread=10), 4)) == [6, 2, 4, 8]


@given(st.lists(st.floats(0, 1), min_size=20, max_size=20))
def test_no_chance_makes_a_delay_short_or_longer_than_a_minute(chances: list[float]) -> None:
    source = iter(chances)
    delays = list(islice(reconnect_delays(lambda: next(source)), 20))
    assert all(0.75 <= delay <= 60 for delay in delays)
    assert all(delay >= 45 for delay in delays[6:])


def test_delays_grow_until_they_are_reset() -> None:
    backoff = Backoff()
    first = list(islice(backoff.delays, 4))
    assert all(8 * 0.75 <= delay <= 60 for delay in islice(backoff.delays, 3))
    backoff.reset()
    again = next(backoff.delays)
    assert 0.75 <= first[0] <= 1.25
    assert 0.75 <= again <= 1.25


def test_a_fleet_does_not_come_back_in_step() -> None:
    assert len({next(Backoff().delays) for _ in range(20)}) > 1
