"""Rounding, the most frequent step of a frame: what a reading is, and when it counts as changed."""

from math import isfinite
from typing import Final, overload

from recbms_zmq.sensors.sensor import UNKNOWN, Unknown

_POWERS: Final = tuple(10.0**decimals for decimals in range(10))
_LARGE: Final = 1e9
"""Up to here a product is off by less than 1e-7, far less than the 0.01 that is left to `round`."""
# From 2**52 on, floats are whole numbers. So adding this and taking it away again rounds.
_ROUNDS: Final = 1.5 * 2.0**52


@overload
def shown(value: float | None, decimals: int) -> float | None: ...
@overload
def shown(value: float | Unknown | None, decimals: int) -> float | Unknown | None: ...
def shown(value: float | Unknown | None, decimals: int) -> float | Unknown | None:
    """Return a value as it is published; None if it is not finite, which is no reading.

    The same as `round`, with 0.0 for -0.0, in half of the time: `round` writes a decimal text and
    reads it again. That is only needed near the middle between two results.
    """
    if value is None or value is UNKNOWN:
        return value
    power = _POWERS[decimals]
    scaled = value * power
    if -_LARGE < scaled < _LARGE:
        whole = scaled + _ROUNDS - _ROUNDS
        if -0.49 < scaled - whole < 0.49:
            return whole / power
    # Adding zero turns -0.0 into 0.0.
    return round(value, decimals) + 0.0 if isfinite(value) else None
