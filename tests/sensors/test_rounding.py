"""Tests of rounding: it is Python's own, digit for digit."""

from math import isfinite

from hypothesis import example, given
from hypothesis import strategies as st

from recbms_zmq.sensors.rounding import shown

DECIMALS = st.integers(0, 9)
# Numbers in the middle between two results, or a float beside it.
MIDDLES = st.builds(
    lambda half, places: half / 2 / 10**places, st.integers(-(10**10), 10**10), st.integers(0, 4)
)


@given(value=st.floats() | MIDDLES | st.floats(-100, 100), decimals=DECIMALS)
@example(value=2.675, decimals=2)
@example(value=-0.0001, decimals=3)
@example(value=-0.0, decimals=1)
@example(value=-0.5, decimals=0)
@example(value=999999.9995, decimals=3)
def test_a_value_is_rounded_as_python_does_and_never_to_minus_zero(
    value: float, decimals: int
) -> None:
    expected = round(value, decimals) + 0.0 if isfinite(value) else None
    assert repr(shown(value, decimals)) == repr(expected)


def test_no_value_stays_none() -> None:
    assert shown(None, 1) is None
