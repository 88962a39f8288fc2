"""Explains on stderr why `listen` gets nothing: after the start, and when a service has gone."""

import math
import time
from collections.abc import Callable, Sequence

from recbms_zmq.client.subscriber import why_silent
from recbms_zmq.clock import SILENCE
from recbms_zmq.text import print_note


class Silence:
    """Prints one sentence when nothing has come for `SILENCE`, and one when that is over.

    A service that is connected may send nothing for as long as its `--refresh`, so after the first
    message only a lost connection counts. libzmq's heartbeats also find a service that hangs, and a
    machine without power.

    Args:
        endpoints: those that are subscribed to.
        topics: beginnings of topics that are subscribed to.
        write: takes each sentence.
        now: monotonic time in seconds.

    """

    def __init__(
        self,
        endpoints: Sequence[str],
        topics: Sequence[str],
        write: Callable[[str], None] = print_note,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoints = endpoints
        self._topics = topics
        self._write = write
        self._now = now
        self._start = now() + SILENCE
        self._lost: dict[str, float] = {}  # endpoints, and when their loss is explained
        self._connected: set[str] = set()
        self._known: set[str] = set()  # connected at least once
        self._refused: set[str] = set()
        self._missed: set[str] = set()  # known ones whose loss or refusal is explained
        self._misses_unknown = False
        self._has_message = False
        self._has_other = False

    @property
    def due(self) -> float:
        """The monotonic time at which `explain` has something to print; infinity for never."""
        return min(self._start, *self._lost.values(), math.inf)

    def received(self, *, wanted: bool) -> None:
        """Note a message, and whether its key is one of those to print."""
        if not wanted:
            self._has_other = True
            return
        self._has_message = True
        if len(self._endpoints) == 1:
            self._start = math.inf

    def connected(self, endpoint: str) -> None:
        """Note that a service has accepted the connection."""
        name = self._name(endpoint)
        is_over = name in self._missed or (self._misses_unknown and name not in self._known)
        self._connected.add(name)
        self._known.add(name)
        self._missed.discard(name)
        self._refused.discard(name)
        self._lost.pop(name, None)
        if is_over:
            self._write(f"connected to {name}")
            if not self._has_message:
                self._start = self._now() + SILENCE

    def disconnected(self, endpoint: str) -> None:
        """Note that a connection has ended. It is explained if it does not come back soon."""
        name = self._name(endpoint)
        if name in self._connected:
            self._connected.discard(name)
            self._lost[name] = self._now() + SILENCE

    def refused(self, endpoint: str, why: str) -> None:
        """Print which service refused the connection, once until it accepts one."""
        name = self._name(endpoint)
        self._lost.pop(name, None)
        if name not in self._refused:
            self._refused.add(name)
            self._missed.add(name)
            self._write(f"{name} refused the connection: {why}")

    def explain(self) -> None:
        """Print what is due."""
        now = self._now()
        if now >= self._start:
            self._start = math.inf
            if sentence := self.why():
                self._write(f"still waiting: {sentence}")
        for name in [each for each, due in self._lost.items() if now >= due]:
            del self._lost[name]
            self._missed.add(name)
            self._write(
                f"still waiting: {name} no longer answers; is recbms-zmq run running there?"
            )

    def why(self) -> str:
        """Return why nothing, or nothing from some service, has come; "" if that is explained."""
        missing = len(self._endpoints) - len(self._known | self._refused)
        if self._known:
            self._misses_unknown = missing > 0
            if missing > 0:
                number = f"{len(self._known)} of {len(self._endpoints)} services"
                return f"{number} answered ({', '.join(sorted(self._known))})"
            if self._has_message or self._lost:
                return ""
            if self._has_other:
                where = ", ".join(self._endpoints)
                return f"connected to {where}, but --only and --except have left out all that came"
        elif missing > 0:
            self._misses_unknown = True
        else:
            return ""
        awaited = [each for each in self._endpoints if each not in self._refused]
        return why_silent(awaited, self._topics, connected=bool(self._known))

    def _name(self, endpoint: str) -> str:
        """Return the endpoint as it was typed if that is certain: libzmq's has an IP address."""
        return self._endpoints[0] if len(self._endpoints) == 1 else endpoint
