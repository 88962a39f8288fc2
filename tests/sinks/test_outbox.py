"""What is published in one turn of the event loop leaves at its end, as if sent batch by batch."""

import asyncio
import socket
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.retained import Topic

from recbms_zmq.reporting.batch import Batch
from recbms_zmq.service.runner import run
from recbms_zmq.service.selector import ServiceSelector
from recbms_zmq.sinks.outbox import AT_ONCE, Outbox

TOPICS = [Topic(name) for name in (b"a", b"b", b"c")]
MANY = AT_ONCE // 2


class Sink:
    """Does with messages what every sink does."""

    def __init__(self) -> None:
        self.calls: list[list[bytes]] = []
        self.sent: list[tuple[bytes, bytes, bool]] = []
        self.retained: dict[Any, Any] = {}

    def publish(self, batch: Batch) -> None:
        self.calls.append([body for _, body, _ in batch.messages])
        for topic, body, retained in batch.messages:
            self.sent.append((topic, body, batch.complete))
            if retained is not None:
                self.retained[retained] = body
        for expired in batch.expired:
            self.retained.pop(expired, None)


def bodies(*numbers: int) -> Batch:
    return Batch([(b"a", b"%d" % number, None) for number in numbers], [])


BATCHES = st.builds(
    lambda topics, expired, complete: (topics, expired, complete),
    st.lists(st.sampled_from(TOPICS), max_size=3),
    st.lists(st.sampled_from(TOPICS), max_size=2),
    st.booleans(),
)


@given(st.lists(st.tuples(st.booleans(), st.lists(BATCHES, max_size=5)), max_size=4))
def test_nothing_is_changed_by_sending_it_together(
    turns: list[tuple[bool, list[tuple[list[Topic], list[Topic], bool]]]],
) -> None:
    """Each message once, in order; what expired is what expired at its place in that order."""
    together, one_by_one = Sink(), Sink()

    async def main() -> None:
        alone = [False]
        outbox = Outbox(lambda: alone[-1])
        outbox.sinks.append(together)
        number = 0
        for is_alone, turn in turns:
            alone.append(is_alone)
            for topics, expired, complete in turn:
                messages = [(t.topic, b"%d" % (number := number + 1), t) for t in topics]
                one_by_one.publish(Batch([*messages], [*expired], complete))
                outbox.publish(Batch([*messages], [*expired], complete))
            await asyncio.sleep(0)
        outbox.flush()

    asyncio.run(main())
    assert together.sent == one_by_one.sent
    assert list(together.retained.items()) == list(one_by_one.retained.items())


def test_a_turn_is_one_piece_unless_it_is_long_or_a_batch_is_alone() -> None:
    sinks = [Sink(), Sink()]

    async def main() -> None:
        alone: list[bool] = []
        outbox = Outbox(lambda: bool(alone))
        outbox.sinks += sinks
        for numbers in ([1, 2], [3]):
            outbox.publish(bodies(*numbers))
        assert [sink.calls for sink in sinks] == [[], []]
        await asyncio.sleep(0)
        outbox.publish(bodies(4))
        outbox.flush()
        for start in (0, MANY, 2 * MANY):
            outbox.publish(bodies(*range(start, start + MANY)))
        await asyncio.sleep(0)
        alone.append(True)
        outbox.publish(bodies(5))
        outbox.publish(bodies(6))

    asyncio.run(main())
    pieces = [[1, 2, 3], [4], [*range(2 * MANY)], [*range(2 * MANY, 3 * MANY)], [5], [6]]
    expected = [[b"%d" % number for number in piece] for piece in pieces]
    assert [sink.calls for sink in sinks] == [expected, expected]


def test_the_messages_behind_the_first_of_a_read_leave_together() -> None:
    """A flood: each read has several frames, and the first one is not kept back for the others."""
    sink = Sink()

    async def main() -> None:
        outbox = Outbox(selector.is_alone)
        outbox.sinks.append(sink)
        loop = asyncio.get_running_loop()
        reader, writer = socket.socketpair()
        with reader, writer:
            read = asyncio.Event()

            def receive() -> None:
                for number in reader.recv(100):
                    outbox.publish(bodies(number))
                read.set()

            loop.add_reader(reader, receive)
            for frames in ([1], [2, 3, 4], [5]):
                writer.send(bytes(frames))
                await asyncio.wait_for(read.wait(), 10)
                read.clear()
                await asyncio.sleep(0)
            loop.remove_reader(reader)

    with ServiceSelector() as selector:
        run(main(), selector)
    assert sink.calls == [[b"1"], [b"2"], [b"3", b"4"], [b"5"]]
