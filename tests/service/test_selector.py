"""Tests of how the event loop waits: with real sockets, and a clock that the test moves."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from math import ceil
from selectors import EVENT_READ, EVENT_WRITE

import pytest

from recbms_zmq.service import selector as module
from recbms_zmq.service.selector import MANY, PAUSE, ServiceSelector

ENOUGH = ceil(MANY)
"""Events in a second from which on there are pauses."""


class Bench:
    """A selector that watches pairs of sockets, and records its pauses."""

    def __init__(self, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self.arriving: list[int] = []
        self.selector = stack.enter_context(ServiceSelector(lambda: self.now))
        self.pairs = [socket.socketpair() for _ in range(3)]
        for ours, theirs in self.pairs:
            stack.enter_context(ours)
            stack.enter_context(theirs)
            self.selector.register(ours, EVENT_READ)
        monkeypatch.setattr(self.selector, "_pause", self.pause)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        for number in self.arriving:
            self.send(number)

    def send(self, number: int) -> None:
        self.pairs[number][1].send(b"frame")

    def read(self, timeout: float | None = None) -> list[int]:
        """Wait once, and read what came; return from which sockets."""
        ours: list[object] = [ours for ours, _ in self.pairs]
        ready = sorted(ours.index(key.fileobj) for key, _ in self.selector.select(timeout))
        for number in ready:
            self.pairs[number][0].recv(100)
        return ready

    def receive(self, events: int, seconds: float) -> None:
        """Have so many events within a time."""
        for _ in range(events):
            self.send(0)
            assert self.read() == [0]
        self.now += seconds
        self.read(0)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(stack, monkeypatch)


@pytest.mark.parametrize(
    ("events", "seconds"),
    [(1, 1.0), (ENOUGH - 1, 1.0), (2 * ENOUGH - 2, 2.0), (100 * ENOUGH, 105.0)],
)
def test_a_frame_that_comes_alone_is_read_at_once(
    bench: Bench, events: int, seconds: float
) -> None:
    bench.receive(events, seconds)
    bench.send(1)
    assert (bench.read(), bench.read(0.001), bench.pauses) == ([1], [], [])


@pytest.mark.parametrize(
    ("events", "seconds"), [(ENOUGH, 1.0), (2 * ENOUGH, 2.0), (100 * ENOUGH, 100.0)]
)
def test_frames_that_come_close_together_are_read_together(
    bench: Bench, events: int, seconds: float
) -> None:
    bench.receive(events, seconds)
    bench.arriving = [0, 1, 2]
    assert (bench.read(), bench.pauses) == ([0, 1, 2], [PAUSE])
    bench.arriving = []
    # What is due in between is done in time, and what waits to be read is read at once.
    assert (bench.read(0.005), bench.pauses) == ([], [PAUSE, 0.005])
    bench.send(2)
    assert (bench.read(), bench.read(0), bench.pauses) == ([2], [], [PAUSE, 0.005])


def test_the_pauses_end_when_fewer_frames_come(bench: Bench) -> None:
    bench.receive(ENOUGH, 1.0)
    assert (bench.read(0.001), bench.pauses) == ([], [0.001])
    bench.receive(ENOUGH - 2, 0.999)
    assert (bench.read(0.001), bench.pauses) == ([], [0.001, 0.001])
    bench.receive(0, 0.001)
    assert (bench.read(0.001), bench.pauses) == ([], [0.001, 0.001])


def test_a_pause_ends_when_a_slow_reader_can_take_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MANY", 0)
    now = iter(range(1000))
    ours, theirs = socket.socketpair()
    with ours, theirs, ServiceSelector(lambda: next(now)) as selector:
        ours.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                ours.send(bytes(65536))
        selector.register(ours, EVENT_READ)
        selector.modify(ours, EVENT_READ | EVENT_WRITE)
        assert selector.select(0.001) == []  # many events, by this clock
        monkeypatch.setattr(module, "PAUSE", 3600.0)
        reader = threading.Thread(target=lambda: theirs.recv(10_000_000))
        reader.start()
        (((key, events)),) = selector.select()
        reader.join()
        assert (key.fileobj, events) == (ours, EVENT_WRITE)
        # One that waits no more does not end a pause.
        selector.modify(ours, EVENT_READ)
        monkeypatch.setattr(module, "PAUSE", 0.001)
        theirs.send(b"frame")
        assert [(key.fileobj, events) for key, events in selector.select()] == [(ours, EVENT_READ)]
        selector.unregister(ours)
        assert selector.select(0.001) == []


def test_the_first_message_of_a_turn_is_alone_unless_several_events_were_found(
    bench: Bench,
) -> None:
    found = []
    for senders in ([], [0], [0, 1], [0]):
        for number in senders:
            bench.send(number)
        assert bench.read(0) == senders
        found.append([bench.selector.is_alone() for _ in range(3)])
    first = [True, False, False]
    assert found == [first, first, [False, False, False], first]
