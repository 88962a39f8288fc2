"""The readers of the service: who there is, what they do in a chaos, and whether they agree."""

import os
import random
from collections.abc import Callable
from typing import Final

from .readers import Ledger, Message, Reader
from .subscription import Lines, Subscription
from .verdict import Verdict
from .visitors import Visitors

_PIECE: Final = 1 << 16


class Company:
    """All readers.

    Args:
        stdout: of the service, not blocking.
        endpoints: of the service, tcp and ipc.
        prefixes: of topics that one of the subscribers wants.

    Attributes:
        well: the well-behaved subscriber, which is here from the beginning and always reads.

    """

    def __init__(
        self,
        stdout: int,
        endpoints: list[str],
        prefixes: tuple[str, ...],
        chance: random.Random,
        verdict: Verdict,
    ) -> None:
        self._stdout = stdout
        self._verdict = verdict
        self._chance = chance
        self._ledger = Ledger()
        self._lines = Lines()
        self._line_reader = Reader("stdout", verdict, self._ledger)
        self.stdout_ended = False
        self._stdout_stalls = False
        self._stdout_turn = 0.0
        self._endpoints = tcp, ipc = endpoints
        self.well = self._subscribe(tcp, "well-behaved", leads=True, orderly=True)
        self._others = [
            self._subscribe(tcp, "prefixes", *prefixes, orderly=True),
            self._subscribe(ipc, "slow over ipc", small=True),
            self._subscribe(ipc, "slow over ipc, heals", small=True, heals=True),
            self._subscribe(tcp, "slow over tcp, heals", small=True, heals=True),
        ]
        self._guest: Subscription | None = None
        self._guest_turn = 0.0
        self._gone: list[Reader] = []
        self._visitors = Visitors(endpoints, chance, verdict)

    def read(self, now: float) -> list[Message]:
        """Let everybody read who does not stall; return what is new to the well-behaved one."""
        if not self._stdout_stalls:
            self._read_stdout(now)
        for each in self._here[1:]:
            if not each.stalled:
                each.read(now)
        return self.well.read(now)

    def confirm(self) -> None:
        """See that all have got what the well-behaved one has."""
        for reader in self._readers:
            reader.confirm()

    def misbehave(self, now: float) -> None:
        """Come, stall, go."""
        self._visitors.look(now)
        if now >= self._stdout_turn:
            self._stdout_turn = now + self._chance.uniform(1, 6)
            self._stdout_stalls = not self._stdout_stalls
        for each in self._others:
            if each.small and now >= each.turn:
                each.turn = now + self._chance.uniform(2, 12)
                each.stalled = not each.stalled
        if now >= self._guest_turn:
            self._guest_turn = now + self._chance.uniform(1, 4)
            self._verdict.counts["guests"] += self._guest is None
            self.guest(come=self._guest is None)

    def behave(self) -> None:
        """Let only those stay who read, and let these read."""
        self._visitors.close()
        self.guest(come=False)
        self._stdout_stalls = False
        for each in self._others:
            each.stalled = False
            each.turn = 0.0

    def guest(self, *, come: bool) -> None:
        """Let a late joiner come or go."""
        if self._guest is not None:
            self._gone.append(self._guest.reader)
            self._guest.close()
            self._guest = None
        if come:
            endpoint = self._chance.choice(self._endpoints)
            self._guest = self._subscribe(endpoint, "late joiner", orderly=True)

    def disagreement(self, state: dict[str, int]) -> Callable[[], str]:
        """Return a function that names who still lacks this state of the well-behaved reader.

        Each reader has to have it once. They do not read at the same moment, so a value that comes
        and goes keeps them from all being equal at any.
        """
        had: set[str] = set()

        def lagging() -> str:
            now = self.well.reader.state
            lacking = {"stdout": self._line_reader.lacks(state, now, lambda _: True)}
            for each in self._here[1:]:
                lossy = each.small and not each.heals
                lacking[each.reader.name] = each.reader.lacks(state, now, each.wants, lossy=lossy)
            had.update(name for name, topics in lacking.items() if not topics)
            return "; ".join(
                f"{name}: {len(topics)} topics, {topics[:3]}"
                for name, topics in lacking.items()
                if name not in had
            )

        return lagging

    def standing(self) -> list[str]:
        """Return the topics that still have a value for both readers that never stall.

        At the end the service gives either of them 100 ms. On a machine that is starved one can be
        too late for that, and so can those who hold little.
        """
        topics = set(self._line_reader.state) & set(self.well.reader.state)
        return [t for t in topics if not t.endswith(("/availability", "/device"))]

    def conclude(self) -> None:
        """Check at the end that no reader has what the well-behaved one lacks."""
        for reader in self._readers:
            reader.conclude()
        if self._lines.rest:
            self._verdict.fail("messages are whole", f"stdout ends with {self._lines.rest[:99]!r}")

    def report(self) -> list[str]:
        """Return a line for each reader, for people."""
        return [
            f"{reader.name}: {reader.messages} messages, {reader.lost} lost, "
            f"{reader.repeats} repeated"
            for reader in (self._line_reader, self.well.reader, *(o.reader for o in self._others))
        ]

    def close(self) -> None:
        """Leave nothing behind."""
        self.behave()
        for each in (self.well, *self._others):
            each.close()

    @property
    def _readers(self) -> list[Reader]:
        return [self._line_reader, *(each.reader for each in self._here), *self._gone]

    @property
    def _here(self) -> list[Subscription]:
        return [self.well, *self._others, *([self._guest] if self._guest else [])]

    def _subscribe(
        self,
        endpoint: str,
        name: str,
        *prefixes: str,
        leads: bool = False,
        orderly: bool = False,
        small: bool = False,
        heals: bool = False,
    ) -> Subscription:
        reader = Reader(name, self._verdict, self._ledger, leads=leads, orderly=orderly)
        return Subscription(endpoint, reader, *prefixes, small=small, heals=heals)

    def _read_stdout(self, now: float) -> None:
        while not self.stdout_ended:
            try:
                data = os.read(self._stdout, _PIECE)
            except BlockingIOError:
                self._line_reader.looked(now)
                return
            self.stdout_ended = not data
            # The pipe was full, though not to the last byte: a burst can do that in no time.
            if len(data) > _PIECE // 2:
                self._line_reader.fell_behind(now)
            for line in self._lines.feed(data):
                self._line_reader.receive(line, now)
