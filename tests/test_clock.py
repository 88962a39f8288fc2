"""Tests of points in time."""

import datetime as dt
import time

from hypothesis import given
from hypothesis import strategies as st

from recbms_zmq.clock import Instant


def test_the_wall_time_is_shown_in_utc_with_milliseconds() -> None:
    assert Instant(0.0, 1795344279.123).isoformat() == "2026-11-22T10:44:39.123Z"
    assert Instant(0.0, 0.0).isoformat() == "1970-01-01T00:00:00.000Z"


@given(st.floats(-1e9, 1e11) | st.integers(-(10**12), 10**14).map(lambda ms: ms / 1000))
def test_every_wall_time_is_shown_as_datetime_shows_it(wall: float) -> None:
    shown = dt.datetime.fromtimestamp(wall, dt.UTC).isoformat(timespec="milliseconds")
    assert Instant(0.0, wall).isoformat() == shown.removesuffix("+00:00") + "Z"


def test_a_later_moment_is_as_much_later_on_both_clocks() -> None:
    assert Instant(10.0, 1000.0).at(12.5) == Instant(12.5, 1002.5)
    assert Instant(10.0, 1000.0).at(8.0) == Instant(8.0, 998.0)


def test_now_is_between_before_and_after_on_both_clocks() -> None:
    before = (time.monotonic(), time.time())
    now = Instant.now()
    after = (time.monotonic(), time.time())
    assert before[0] <= now.monotonic <= after[0]
    assert before[1] <= now.wall <= after[1]
