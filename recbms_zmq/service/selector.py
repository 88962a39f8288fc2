"""How the event loop of the service waits: seldom for a large fleet, and safely after a stop.

A frame that comes alone finds the caches of the processor filled by others: most of its cost is to
read code and data from memory again. So frames that come within `PAUSE` of each other are processed
together, once there are enough of them to make that worth it. With 100 BMS at one frame a second it
saves a third of the CPU time and two thirds of the wake-ups (`python -m tests.bench paced`).
"""

import select
import selectors
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

PAUSE: Final = 0.03
"""Seconds between two looks for events, while there are many. A BMS measures once a second, and 99
of 100 messages of 1,000 BMS are promised within 50 ms."""
MANY: Final = 1 / PAUSE
"""Events a second from which on pauses are made: below it, nearly every pause would be in vain."""
_MEASURED_FOR: Final = 1.0  # seconds

_Events = list[tuple[selectors.SelectorKey, int]]


class ServiceSelector(selectors.DefaultSelector):
    """Waits for events; pauses before it does so, while there are many.

    A pause ends early when a slow reader can take more: it would otherwise get a full pipe, 64 KiB,
    each `PAUSE`, and no more. With events that wait to be read there is no pause: a flood is read
    as fast as it can be.

    Args:
        clock: returns monotonic seconds.

    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._writers = select.poll()
        self._measured_since = clock()
        self._events = 0
        self._is_busy = False
        self._is_alone = True

    def is_alone(self) -> bool:
        """Return whether nothing else comes in this turn of the event loop, as far as is known.

        That is so for the first call of a turn whose look has found one event at most. A second
        call shows that the event was more than one message.
        """
        is_alone, self._is_alone = self._is_alone, False
        return is_alone

    def select(self, timeout: float | None = None) -> _Events:
        """Wait for events, at most this many seconds."""
        if timeout is not None and timeout <= 0:
            events = super().select(0)
        elif self._is_busy:
            events = super().select(0) or self._wait_after_pause(timeout)
        else:
            events = self._wait(timeout)
        self._is_alone = len(events) <= 1
        self._measure(len(events))
        return events

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch a descriptor."""
        return self._note(super().register(fileobj, events, data))

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch a descriptor for other events."""
        return self._note(super().modify(fileobj, events, data))

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Watch a descriptor no more."""
        key = super().unregister(fileobj)
        self._forget(key.fd)
        return key

    def _wait(self, timeout: float | None) -> _Events:
        # Looks once more when the wait has ended without events. A process that was stopped
        # (SIGSTOP, a container that is paused) wakes up within the wait, and Python takes that for
        # a timeout, whatever has arrived meanwhile: a BMS whose frames wait to be read would be
        # taken for silent.
        return super().select(timeout) or super().select(0)

    def _wait_after_pause(self, timeout: float | None) -> _Events:
        pause = PAUSE if timeout is None else min(PAUSE, timeout)
        self._pause(pause)
        return self._wait(None if timeout is None else timeout - pause)

    def _pause(self, seconds: float) -> None:
        self._writers.poll(seconds * 1000)

    def _measure(self, events: int) -> None:
        self._events += events
        elapsed = self._clock() - self._measured_since
        if elapsed >= _MEASURED_FOR:
            self._is_busy = self._events >= MANY * elapsed
            self._measured_since += elapsed
            self._events = 0

    def _note(self, key: selectors.SelectorKey) -> selectors.SelectorKey:
        if key.events & selectors.EVENT_WRITE:
            self._writers.register(key.fd, select.POLLOUT)
        else:
            self._forget(key.fd)
        return key

    def _forget(self, descriptor: int) -> None:
        with suppress(KeyError):  # most are only read
            self._writers.unregister(descriptor)
