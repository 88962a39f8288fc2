"""A number over the last minutes, for the chart. Pure: the time is an argument."""

from collections import deque
from typing import Final

HISTORY: Final = 600
"""Seconds that are remembered."""


class History:
    """A number over the last minutes, one value a second, None while nothing is known."""

    def __init__(self) -> None:
        self._points: deque[tuple[int, float | None]] = deque(maxlen=HISTORY + 2)

    def add(self, value: float | None, now: float) -> None:
        """Note the value that holds from now on; it takes the place of another of this second."""
        second = int(now)
        if self._points and self._points[-1][0] == second:
            self._points.pop()
        self._points.append((second, value))

    def columns(self, count: int, now: float, span: int = HISTORY) -> list[float | None]:
        """Return the mean of each of `count` equal parts of the last `span` seconds.

        A part in which nothing new came has the value that held before it. The parts begin at
        multiples of their length, so that they do not change while time passes.
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
                columns.append(sum(numbers) / len(numbers) if numbers else None)
                held = values[-1]
            else:
                columns.append(held)
        return columns
