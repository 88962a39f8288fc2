"""A timer of the event loop for objects that know when they have something to do next."""

import asyncio
from collections.abc import Callable

NEVER = float("inf")


class Timer:
    """Calls back once at the earliest of the times that were set.

    Setting a later time changes nothing. A timeout moves with every frame; so that costs one
    comparison for each frame, and one early call, which sets the new time.

    Args:
        call: called at the time; it may find nothing to do.

    """

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._due = NEVER
        self._handle: asyncio.TimerHandle | None = None

    def set(self, due: float) -> None:
        """Call at this time of the monotonic clock, if not before it."""
        if due < self._due:
            self.cancel()
            self._due = due
            self._handle = asyncio.get_running_loop().call_at(due, self._fire)

    def cancel(self) -> None:
        """Do not call."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._due = NEVER

    def _fire(self) -> None:
        self._handle = None
        self._due = NEVER
        self._call()
