"""When a fault acts."""

import pytest

from recbms_zmq.simulator.fault_schedule import Schedule
from recbms_zmq.simulator.faults import parse_faults


def active(text: str, times: list[float], seed: int = 0) -> list[float]:
    """The times at which a fault acts on a frame."""
    schedule = Schedule(parse_faults(text), seed)
    return [time for time in times if schedule.step(time, is_frame=True)]


TENTHS = [n / 10 for n in range(100)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nan at 0s", [0]),
        ("nan at 3s", [3.0]),
        ("nan at 3.05s", [3.1]),
        ("nan at 3s for 300ms", [3.0, 3.1, 3.2]),
        ("nan every 3s", [3.0, 6.0, 9.0]),
        ("nan every 4s for 200ms", [4.0, 4.1, 8.0, 8.1]),
        ("nan at 11s", []),
        ("nan 100%", TENTHS),
        ("stall at 9.5s", [9.5, 9.6, 9.7, 9.8, 9.9]),
        ("drop every 4s", [4.0, 8.0]),
    ],
)
def test_a_fault_acts_when_it_was_ordered(text: str, expected: list[float]) -> None:
    assert active(text, TENTHS) == expected


def test_a_fault_of_one_frame_waits_for_a_frame() -> None:
    schedule = Schedule(parse_faults("nan at 1s, drop at 1s"), 0)
    assert schedule.step(1, is_frame=False) == [("drop", None)]
    assert schedule.step(1.5, is_frame=False) == []
    assert schedule.step(2, is_frame=True) == [("nan", None)]
    assert schedule.step(3, is_frame=True) == []


def test_chance_hangs_on_the_seed_and_comes_as_often_as_it_should() -> None:
    times = [float(n) for n in range(10_000)]
    hits = active("nan 5%", times, seed=1)
    assert hits == active("nan 5%", times, seed=1)
    assert hits != active("nan 5%", times, seed=2)
    assert 400 < len(hits) < 600


def test_two_faults_with_the_same_chance_do_not_come_together() -> None:
    schedule = Schedule(parse_faults("nan 50%, empty 50%"), 0)
    seen = {tuple(schedule.step(n, is_frame=True)) for n in range(100)}
    assert len(seen) == 4


def test_a_frame_beside_the_others_changes_nothing_for_them() -> None:
    schedule = Schedule(parse_faults("nan at 1s, clock at 2s for 2s, empty 100%"), 0)
    empty, clock, nan = ("empty", None), ("clock", None), ("nan", None)
    assert schedule.for_extra_frame(1.5) == [empty]
    assert schedule.step(1.6, is_frame=True) == [nan, empty]
    assert schedule.step(3, is_frame=False) == [clock]
    assert schedule.for_extra_frame(3) == [clock, empty]


def test_a_schedule_knows_when_something_begins_or_ends() -> None:
    schedule = Schedule(parse_faults("stall at 1s for 5s, drop every 4s, nan 1%"), 0)
    assert sorted(schedule.next_times(0)) == [1, 4]
    schedule.step(1, is_frame=False)
    assert sorted(schedule.next_times(1)) == [4, 6]
    schedule.step(4, is_frame=False)
    assert sorted(schedule.next_times(4)) == [6, 8]
    schedule.step(9.7, is_frame=False)  # late, and the next is in time all the same
    assert list(schedule.next_times(9.7)) == [12]
    assert (
        schedule.times_begun("stall"),
        schedule.times_begun("drop"),
        schedule.times_begun("nan"),
    ) == (1, 2, 0)
