"""When the faults of a list are active. Pure: time is an argument, chance depends on a seed."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from recbms_zmq.simulator.faults import KINDS, Fault
from recbms_zmq.simulator.random_numbers import uniform

_CHANCE: Final = 300  # stream of random numbers


class ActiveFault(NamedTuple):
    """A fault that is active now."""

    name: str
    number: int | None


class _FaultTimer:
    """The times of one fault."""

    def __init__(self, fault: Fault, index: int, seed: int) -> None:
        self.fault = fault
        self.begun = 0
        self.next = fault.at if fault.at is not None else fault.every
        self.until = 0.0
        self._key = (seed, _CHANCE, index)
        self._draws = 0
        self._waiting = False  # for the frame that it hits

    def is_due_by_chance(self) -> bool:
        self._draws += 1
        return self.fault.chance is not None and self.fault.chance > uniform(
            *self._key, self._draws
        )

    def step(self, elapsed: float, *, is_frame: bool) -> bool:
        """Return whether the fault is active now; one that hits a single frame waits for it."""
        begins = False
        if self.next is not None and elapsed >= self.next:
            begins = True
            every = self.fault.every
            # The next multiple, not the last time plus a period: missed ones are not made up for.
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
    """The times of all faults of a list. Times are seconds since the start and do not go back."""

    def __init__(self, faults: Iterable[Fault], seed: int) -> None:
        self._timers = [_FaultTimer(fault, index, seed) for index, fault in enumerate(faults)]

    def step(self, elapsed: float, *, is_frame: bool) -> list[ActiveFault]:
        """Advance to this time, and return the active faults.

        Args:
            elapsed: seconds since the start.
            is_frame: a frame is made now, which faults may hit.

        """
        return [
            ActiveFault(timer.fault.name, timer.fault.number)
            for timer in self._timers
            if timer.step(elapsed, is_frame=is_frame)
        ]

    def for_extra_frame(self, elapsed: float) -> list[ActiveFault]:
        """Return the faults that are active for a frame outside the regular rate.

        These are all states, and faults by chance, decided for this frame.
        """
        return [
            ActiveFault(timer.fault.name, timer.fault.number)
            for timer in self._timers
            if elapsed < timer.until or (timer.fault.lasts == 0 and timer.is_due_by_chance())
        ]

    def times_begun(self, name: str) -> int:
        """Return how often the faults of this name have begun."""
        return sum(timer.begun for timer in self._timers if timer.fault.name == name)

    def next_times(self, elapsed: float) -> Iterator[float]:
        """Return the times after `elapsed` at which a fault begins or ends, as far as known."""
        for timer in self._timers:
            if timer.next is not None:
                yield timer.next
            if timer.until > elapsed:
                yield timer.until
