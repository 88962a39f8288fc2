"""When the faults of a list act. Pure: time is an argument, and chance is drawn from a seed."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from recbms_zmq.simulator.faults import KINDS, Fault
from recbms_zmq.simulator.random_numbers import uniform

_CHANCE: Final = 300  # stream of random numbers


class Acting(NamedTuple):
    """A fault that acts now."""

    name: str
    number: int | None


class _Clock:
    """When one fault acts."""

    def __init__(self, fault: Fault, index: int, seed: int) -> None:
        self.fault = fault
        self.begun = 0
        self.next = fault.at if fault.at is not None else fault.every
        self.until = 0.0
        self._key = (seed, _CHANCE, index)
        self._draws = 0
        self._waiting = False  # for the one frame that it hits

    def is_due_by_chance(self) -> bool:
        self._draws += 1
        return self.fault.chance is not None and self.fault.chance > uniform(
            *self._key, self._draws
        )

    def step(self, elapsed: float, *, is_frame: bool) -> bool:
        """Tell whether the fault acts now; one that hits a single frame waits for one."""
        begins = False
        if self.next is not None and elapsed >= self.next:
            begins = True
            every = self.fault.every
            self.next = None if every is None else (elapsed // every + 1) * every
        if is_frame and self.is_due_by_chance():
            begins = True
        if begins:
            self.begun += 1
            self.until = elapsed + self.fault.lasts
            self._waiting = self.fault.lasts == 0
        acts = elapsed < self.until or (self._waiting and self._hits(is_frame=is_frame))
        self._waiting = self._waiting and not acts
        return acts

    def _hits(self, *, is_frame: bool) -> bool:
        return is_frame or KINDS[self.fault.name].lasts is None


class Schedule:
    """When the faults of a list act. Times are seconds since the start and do not go back."""

    def __init__(self, faults: Iterable[Fault], seed: int) -> None:
        self._clocks = [_Clock(fault, index, seed) for index, fault in enumerate(faults)]

    def step(self, elapsed: float, *, is_frame: bool) -> list[Acting]:
        """Go on to this time, and give what acts now.

        Args:
            elapsed: seconds since the start.
            is_frame: a frame is made now, which may be hit.

        """
        return [
            Acting(clock.fault.name, clock.fault.number)
            for clock in self._clocks
            if clock.step(elapsed, is_frame=is_frame)
        ]

    def aside(self, elapsed: float) -> list[Acting]:
        """Give what acts on a frame that is made beside the regular ones, and change nothing else.

        That is every state, and chance as it falls for this frame.
        """
        return [
            Acting(clock.fault.name, clock.fault.number)
            for clock in self._clocks
            if elapsed < clock.until or (clock.fault.lasts == 0 and clock.is_due_by_chance())
        ]

    def begun(self, name: str) -> int:
        """Tell how often the faults of this name have begun."""
        return sum(clock.begun for clock in self._clocks if clock.fault.name == name)

    def changes(self, elapsed: float) -> Iterator[float]:
        """Give the times after `elapsed` at which something is known to begin or end."""
        for clock in self._clocks:
            if clock.next is not None:
                yield clock.next
            if clock.until > elapsed:
                yield clock.until
