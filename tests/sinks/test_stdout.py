"""The sink for stdout by itself, on real pipes and sockets, with any mixture of lines and reads."""

import asyncio
import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.process import small_pipe
from support.waiting import PATIENCE

from recbms_zmq.errors import OutputError, ReaderGone, RecBmsError
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.sinks import descriptors, stdout
from recbms_zmq.sinks.stdout import StdoutSink

Make = Callable[[], tuple[int, int]]


def socket_pair() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return ours.detach(), theirs.detach()


def batch(*lines: tuple[int, bytes]) -> Batch:
    """Return a batch of messages, each with the number of its topic."""
    return Batch([(b"topic/%d" % topic, body, None) for topic, body in lines], [])


class Sent:
    """Remembers what was sent, and makes lines that hold topic, count and length."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}

    def batch(self, lines: list[tuple[int, int]]) -> Batch:
        made = []
        for topic, length in lines:
            count = self.counts[topic] = self.counts.get(topic, 0) + 1
            made.append((topic, b"%d %d %d " % (topic, count, length) + b"x" * length))
        return batch(*made)


def received(data: bytes) -> dict[int, list[int]]:
    """Return the counts that came on every topic, having seen that every line is whole."""
    assert data.endswith(b"\n") or not data
    found: dict[int, list[int]] = {}
    for line in data.splitlines():
        topic, count, length, text = line.split(b" ")
        assert text == b"x" * int(length)
        found.setdefault(int(topic), []).append(int(count))
    return found


async def exercise(sink: StdoutSink, ours: int, steps: list[Any], sent: Sent) -> bytes:
    """Send and read in turn, then read until nothing is left."""
    os.set_blocking(ours, False)
    data = b""

    def read(count: int) -> bool:
        nonlocal data
        try:
            more = os.read(ours, count)
        except BlockingIOError:
            return False
        data += more
        return True

    for step in steps:
        if isinstance(step, int):
            read(step)
        else:
            sink.publish(step if isinstance(step, Batch) else sent.batch(step))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        more = True
        while more or not sink._idle.is_set():
            await asyncio.sleep(0)
            more = read(65536)
    return data


def run_sink(make: Make, work: Callable[[StdoutSink, int], Any]) -> Any:
    ours, theirs = make()

    def failed(error: RecBmsError) -> None:
        raise error

    async def main() -> Any:
        sink = StdoutSink(theirs, failed)
        try:
            return await work(sink, ours)
        finally:
            fd = sink._writer.fd
            sink.close()
            # Otherwise it would go on to write, to whatever has this number then.
            assert not asyncio.get_running_loop().remove_writer(fd)

    try:
        return asyncio.run(main())
    finally:
        os.close(theirs)
        os.close(ours)


# Lines from a few bytes to more than a pipe takes in one piece, on a few topics.
LINES = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([0, 100, 500, 4090, 5000, 20_000])), max_size=12
)
STEPS = st.lists(st.one_of(LINES, st.sampled_from([1, 4096, 30_000])), max_size=20)


@pytest.mark.parametrize(
    ("make", "polled"),
    [
        (os.pipe, False),
        (os.pipe, True),
        (small_pipe, False),
        (small_pipe, True),
        (socket_pair, False),
    ],
)
@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_lines_are_whole_in_order_and_the_newest_of_each_topic_arrives(
    make: Make, polled: bool, steps: list[Any]
) -> None:
    sent = Sent()
    with pytest.MonkeyPatch.context() as patch:
        if polled:
            patch.setattr(stdout, "open_writer", descriptors._PolledWriter)
        data = run_sink(make, lambda sink, ours: exercise(sink, ours, steps, sent))
    counts = received(data)
    assert {topic: of_topic[-1] for topic, of_topic in counts.items()} == sent.counts
    for of_topic in counts.values():
        assert of_topic == sorted(set(of_topic))


def test_a_pipe_that_cannot_be_opened_again_is_written_to_without_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a pipe of another user's, under `sudo -u`."""
    really_open = os.open

    def refuse(path: str, *args: Any) -> int:
        if path.startswith("/proc/self/fd/"):
            raise PermissionError
        return really_open(path, *args)

    monkeypatch.setattr(os, "open", refuse)
    sent = Sent()

    async def work(sink: StdoutSink, ours: int) -> bytes:
        assert isinstance(sink._writer, descriptors._PolledWriter)
        flags = fcntl.fcntl(sink._writer.fd, fcntl.F_GETFL)
        data = await exercise(sink, ours, [[(topic, 400) for topic in range(100)]] * 10, sent)
        assert fcntl.fcntl(sink._writer.fd, fcntl.F_GETFL) == flags
        assert not flags & os.O_NONBLOCK
        return data

    counts = received(run_sink(os.pipe, work))
    assert all(of_topic[-1] == 10 for of_topic in counts.values())
    assert len(counts) == 100


@pytest.mark.parametrize("polled", [False, True])
def test_a_reader_that_goes_is_reported_once(polled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if polled:
        monkeypatch.setattr(stdout, "open_writer", descriptors._PolledWriter)
    reported: list[RecBmsError] = []
    ours, theirs = os.pipe()

    async def main() -> None:
        sink = StdoutSink(theirs, reported.append)
        os.close(ours)
        for _ in range(3):
            sink.publish(batch((1, b"line"), (2, b"line")))
            await asyncio.sleep(0)
        await sink.drain(PATIENCE)
        sink.close()

    asyncio.run(main())
    os.close(theirs)
    assert [type(error) for error in reported] == [ReaderGone]


def test_the_end_waits_for_a_slow_reader_but_not_for_one_that_sleeps() -> None:
    async def slow(sink: StdoutSink, ours: int) -> bytes:
        sink.publish(batch(*[(topic, b"x" * 1000) for topic in range(200)]))
        data = b""

        async def read() -> None:
            nonlocal data
            while data.count(b"\n") < 200:
                data += os.read(ours, 1000)
                await asyncio.sleep(0)

        await asyncio.gather(sink.drain(PATIENCE), read())
        return data

    assert run_sink(os.pipe, slow).count(b"\n") == 200

    async def asleep(sink: StdoutSink, _: int) -> None:
        sink.publish(batch(*[(topic, b"x" * 1000) for topic in range(200)]))
        await sink.drain(0.01)

    run_sink(os.pipe, asleep)


def test_of_a_complete_batch_no_line_is_left_out_for_a_newer_one() -> None:
    bodies = [b"%03d" % number + b"x" * 1000 for number in range(50)]

    async def write(sink: StdoutSink, ours: int) -> bytes:
        sink.publish(batch((1, b"y" * 3000)))
        for number in range(0, 50, 5):
            lines = batch(*[(1, body) for body in bodies[number : number + 5]])
            sink.publish(replace(lines, complete=True))
        return await exercise(sink, ours, [], Sent())

    assert run_sink(small_pipe, write).splitlines()[1:] == bodies


def test_with_a_slow_reader_every_topic_comes_within_two_rounds() -> None:
    topics, lines_a_step = 100, 10

    async def read_slowly(sink: StdoutSink, ours: int) -> bytes:
        os.set_blocking(ours, False)
        sent = Sent()
        data = b""
        while data.count(b"\n") < 20 * topics:
            sink.publish(sent.batch([(topic, 90) for topic in range(topics)]))
            for _ in range(lines_a_step):
                await asyncio.sleep(0)
                with contextlib.suppress(BlockingIOError):
                    data += os.read(ours, 100)
        return data[: data.rindex(b"\n")]

    order = [int(line.split()[0]) for line in run_sink(small_pipe, read_slowly).splitlines()]
    for start in range(len(order) - 2 * topics):
        assert len(set(order[start : start + 2 * topics])) == topics


def test_each_turn_of_the_event_loop_fills_the_pipe_again() -> None:
    """In a flood of one BMS a turn takes long, and the lines of all the others wait for it."""

    async def read_all_there_is(sink: StdoutSink, ours: int) -> list[int]:
        fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, 2**16)
        sink.publish(batch(*[(topic, b"x" * 400) for topic in range(1000)]))
        sizes = []
        for _ in range(3):
            sizes.append(len(os.read(ours, 2**20)))
            await asyncio.sleep(0)  # here a reader waits until it is noticed, and then is called
            await asyncio.sleep(0)
        return sizes

    assert all(size > 2**16 * 0.9 for size in run_sink(os.pipe, read_all_there_is))


def test_for_a_reader_asleep_one_line_of_each_topic_waits() -> None:
    async def asleep(sink: StdoutSink, ours: int) -> bytes:
        for number in range(1000):
            sink.publish(batch(*[(topic, b"%d %d" % (topic, number)) for topic in range(3)]))
        return await exercise(sink, ours, [], Sent())

    lines = run_sink(small_pipe, asleep).splitlines()
    assert sorted(lines[-3:]) == [b"0 999", b"1 999", b"2 999"]
    # What is in the pipe, a group that was begun, and two rounds.
    assert len(lines) < 4096 // 4 + 100


# Batches of lines, each perhaps with topics that expire with it; and reads.
EXPIRING = st.lists(
    st.one_of(
        st.tuples(LINES, st.sets(st.integers(0, 3))), st.sampled_from([1, 4096, 30_000, 100_000])
    ),
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(steps=EXPIRING)
def test_no_line_comes_after_the_one_that_expired_its_topic(steps: list[Any]) -> None:
    """As with `offline`, which expires all readings; it has a topic of its own here, 9."""
    published: list[tuple[int, int]] = []  # topic and count of each line, in their order
    expired: dict[int, set[int]] = {}  # by the place of the line that expired them
    sent = Sent()
    made: list[Any] = []
    for step in steps:
        if isinstance(step, int):
            made.append(step)
            continue
        lines, topics = step
        if topics:
            lines = [*lines, (9, 50)]
            expired[len(published) + len(lines) - 1] = topics
        batch = sent.batch(lines)
        published += [(int(body.split()[0]), int(body.split()[1])) for _, body, _ in batch.messages]
        made.append(replace(batch, expired=[b"topic/%d" % topic for topic in topics]))

    data = run_sink(small_pipe, lambda sink, ours: exercise(sink, ours, made, sent))
    counts = received(data)
    assert {topic: of_topic[-1] for topic, of_topic in counts.items()} == sent.counts
    assert all(of_topic == sorted(set(of_topic)) for of_topic in counts.values())
    places = [
        published.index((int(line.split()[0]), int(line.split()[1]))) for line in data.splitlines()
    ]
    for number, place in enumerate(places):
        for later in places[number:]:
            assert later >= place or published[later][0] not in expired.get(place, ())


def test_when_all_is_written_the_event_loop_is_at_rest() -> None:
    async def write(sink: StdoutSink, ours: int) -> bytes:
        data = await exercise(sink, ours, [[(topic, 500) for topic in range(50)]], Sent())
        loop: Any = asyncio.get_running_loop()
        assert not loop.remove_writer(sink._writer.fd)  # otherwise it is writable all the time
        return data

    assert run_sink(small_pipe, write).count(b"\n") == 50


def test_a_disk_that_is_almost_full_takes_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first write is a short one, and only the second one fails."""
    file = descriptors.FileWriter(1)
    taken: list[bytes] = []

    def write(_: int, data: bytes) -> int:
        if taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken.append(data[:3])
        return 3

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OutputError, match=r"^cannot write to standard output: No space left"):
        file.write(b"abcdef")
    assert taken == [b"abc"]


def test_a_file_takes_everything_in_as_many_writes_as_it_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: list[bytes] = []

    def write(_: int, data: bytes) -> int:
        taken.append(data[:2])
        return len(taken[-1])

    monkeypatch.setattr(os, "write", write)
    assert descriptors.FileWriter(1).write(b"abcde") == 5
    assert taken == [b"ab", b"cd", b"e"]
