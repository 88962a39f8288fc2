"""A number over the last ten minutes, for the chart. Pure: the time is an argument."""

from collections import deque
from math import inf, isfinite
from typing import Final

HISTORY: Final = 600
"""Seconds that are kept."""


class History:
    """A number over the last `HISTORY` seconds, at most one value a second, None while unknown."""

    def __init__(self) -> None:
        # Two more than seconds: one before the first part, and the second that has just begun.
        self._points: deque[tuple[int, float | None]] = deque(maxlen=HISTORY + 2)

    def add(self, value: float | None, now: float) -> None:
        """Set the value from now on; it replaces an earlier value of the same second."""
        second = int(now)
        if self._points and self._points[-1][0] == second:
            self._points.pop()
        self._points.append((second, value))

    def columns(self, count: int, now: float, span: int = HISTORY) -> list[float | None]:
        """Return the mean of each of `count` equal parts of the last `span` seconds.

        A part without a value of its own repeats the one before it. The parts begin at multiples of
        their length, so that a finished part never changes.
        """
        length = span / count
        end = (now // length + 1) * length
        start = end - span
        held: float | None = None
        parts: list[list[float | None]] = [[] for _ in range(count)]
        for second, value in self._points:
            part = int((second - start) // length)
            if part < 0:
                held = value
            elif part < count:
                parts[part].append(value)
        columns = []
        for values in parts:
            numbers = [value for value in values if value is not None]
            if values:
                mean = sum(numbers) / len(numbers) if numbers else inf
                columns.append(mean if isfinite(mean) else None)  # huge ones have no sum
                held = values[-1]
            else:
                columns.append(held)
        return columns
