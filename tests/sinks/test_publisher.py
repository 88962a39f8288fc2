"""The PUB side in this process, with real sockets: who is answered, and who is disconnected."""

import asyncio
import contextlib
import functools
import logging
import os
import resource
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import zmq
from support.retained import Topic
from support.subscriber import Subscriber
from support.virtual_time import current_loop, run_in_virtual_time
from support.waiting import PATIENCE, eventually
from support.zmtp import greet

from recbms_zmq.curve import KeyPair
from recbms_zmq.errors import OutputError
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.sinks import clients, publisher, subscriptions
from recbms_zmq.sinks.publisher import ZmqSink
from recbms_zmq.sinks.zap import Authenticator


def batch(*topics: bytes) -> Batch:
    return Batch([(topic, b"{}", Topic(topic)) for topic in topics], [])


@contextlib.asynccontextmanager
async def started(
    *endpoints: str, max_clients: int = 256, **options: Any
) -> AsyncIterator[tuple[ZmqSink, str]]:
    """Give a sink that publishes, and its last endpoint."""
    sink = ZmqSink(hwm=options.pop("hwm", 1000), max_clients=max_clients, **options)
    try:
        for each in endpoints or ("tcp://127.0.0.1:*",):
            endpoint = await sink.bind(each)
        sink.start()
        yield sink, endpoint
    finally:
        sink.term()


async def happens(condition: Callable[[], object], _what: str) -> None:
    """Wait for a condition while the event loop runs."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110, what is waited for has no event
            await asyncio.sleep(0.005)


def connect(endpoint: str) -> socket.socket:
    """Connect as a client that never begins the handshake."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    return socket.create_connection((host, int(port)))


def is_closed(sock: socket.socket) -> bool:
    """Return whether the other side has closed, or begins a handshake."""
    sock.settimeout(PATIENCE)
    try:
        while sock.recv(4096):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True


def has_clients(sink: ZmqSink, count: int) -> bool:
    return len(sink._clients._names) == count


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


# --- subscribers that another call on the socket overlooks ---


def test_a_subscription_that_a_publish_takes_note_of_is_answered() -> None:
    async def main() -> None:
        async with started() as (sink, endpoint):
            sink.publish(batch(b"topic"))
            with contextlib.closing(Subscriber(endpoint, "topic")) as subscriber:
                # The event loop does not run, and this look makes the descriptor unreadable.
                eventually(lambda: sink._events() & zmq.POLLIN, "a subscription")
                # One that it is not sent: what a subscriber reads makes the descriptor readable.
                sink.publish(Batch([(b"other", b"{}", None)], []))
                await asyncio.to_thread(subscriber.message)
                assert [topic for topic, _ in subscriber.received] == [b"topic"]

    asyncio.run(main())


def test_a_subscription_that_a_replay_takes_note_of_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        async with started() as (sink, endpoint):
            sink.publish(batch(b"topic"))
            with contextlib.ExitStack() as stack:
                second: list[Subscriber] = []
                replay = sink._plan.replay

                def replay_while_another_subscribes(*arguments: Any) -> Any:
                    if not second:
                        second.append(
                            stack.enter_context(contextlib.closing(Subscriber(endpoint, "top")))
                        )
                        eventually(lambda: sink._events() & zmq.POLLIN, "a subscription")
                    return replay(*arguments)

                monkeypatch.setattr(sink._plan, "replay", replay_while_another_subscribes)
                # Its replay is empty: what a subscriber reads makes the descriptor readable.
                stack.enter_context(contextlib.closing(Subscriber(endpoint, "none")))
                await happens(lambda: second, "a replay")
                await asyncio.to_thread(second[0].message)

    asyncio.run(main())


def test_more_subscriptions_than_are_read_at_a_time_are_all_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publisher, "_REQUESTS_PER_TURN", 2)
    topics = [b"topic/%d" % number for number in range(20)]

    async def main() -> None:
        async with started() as (sink, endpoint):
            sink.publish(batch(*topics))
            subscriber = Subscriber(endpoint, *[topic.decode() for topic in topics])
            with contextlib.closing(subscriber):
                missing = set(topics)
                while missing:
                    await asyncio.to_thread(subscriber.message)
                    missing.discard(subscriber.received[-1][0])

    asyncio.run(main())


def test_a_subscription_before_the_start_is_answered() -> None:
    async def main() -> None:
        sink = ZmqSink(hwm=1000, max_clients=1)
        endpoint = await sink.bind("tcp://127.0.0.1:*")
        sink.publish(batch(b"topic"))
        with contextlib.closing(Subscriber(endpoint)) as subscriber:
            eventually(lambda: sink._events() & zmq.POLLIN, "a subscription")
            sink.start()
            await asyncio.to_thread(subscriber.message)
        sink.term()

    asyncio.run(main())


def test_expired_topics_are_not_replayed() -> None:
    async def main() -> None:
        async with started() as (sink, endpoint):
            sink.publish(batch(b"gone", b"kept"))
            gone = Topic(b"gone")
            sink.publish(Batch([(b"gone", b"null", gone)], [gone, Topic(b"never seen")]))
            with contextlib.closing(Subscriber(endpoint)) as subscriber:
                await asyncio.to_thread(subscriber.message)
                assert subscriber.received == [[b"kept", b"{}"]]

    asyncio.run(main())


def test_what_waits_to_be_published_is_sent_before_a_replay() -> None:
    waiting = [batch(b"new")]

    async def main() -> None:
        def send_waiting() -> None:
            while waiting:
                sink.publish(waiting.pop())

        async with started(before_replay=send_waiting) as (sink, endpoint):
            sink.publish(batch(b"old"))
            with contextlib.closing(Subscriber(endpoint)) as subscriber:
                for _ in range(3):
                    await asyncio.to_thread(subscriber.message)
                topics = [topic for topic, _ in subscriber.received]
                # The message itself, and then the replay, which has it too.
                assert topics == [b"new", b"old", b"new"]

    asyncio.run(main())


def test_a_large_replay_pauses_for_the_queues_of_subscribers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publisher, "_REPLAYED_AT_ONCE", 4)
    monkeypatch.setattr(publisher, "_REPLAY_PAUSE", 1.0)  # time to look into it
    topics = [b"topic/%d" % number for number in range(10)]
    sent: list[bytes] = []

    async def main() -> None:
        async with started() as (sink, endpoint):
            sink.publish(batch(*topics))
            send = sink._send

            def count(data: bytes, flags: int = 0) -> Any:
                if data.startswith(b"topic"):
                    sent.append(data)
                return send(data, flags)

            monkeypatch.setattr(sink, "_send", count)
            with contextlib.closing(Subscriber(endpoint)) as subscriber:
                await happens(lambda: sent, "the first part")
                assert sent == topics[:4]
                # What expires in a pause is not sent, and who comes meanwhile gets all.
                sink.publish(Batch([], [Topic(topics[5])]))
                with contextlib.closing(Subscriber(endpoint, "topic/1")) as second:
                    await asyncio.to_thread(second.message)
                    await happens(lambda: len(sent) >= 10, "the rest")
                    assert second.received[0] == [topics[1], b"{}"]
                    assert sent == [*topics[:5], *topics[6:], topics[1]]
                for _ in range(9):
                    await asyncio.to_thread(subscriber.message)
                assert [topic for topic, _ in subscriber.received[:9]] == sent[:9]

    asyncio.run(main())


def test_pauses_are_no_way_around_the_second_between_two_replays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publisher, "_REPLAYED_AT_ONCE", 4)
    monkeypatch.setattr(publisher, "_REPLAY_PAUSE", 0.2)
    sent: list[float] = []

    async def main() -> None:
        async with started() as (sink, endpoint):
            sink.publish(batch(*[b"topic/%d" % number for number in range(10)]))
            send = sink._send

            def note(data: bytes, flags: int = 0) -> Any:
                if data.startswith(b"topic"):
                    sent.append(asyncio.get_running_loop().time())
                return send(data, flags)

            monkeypatch.setattr(sink, "_send", note)
            with contextlib.closing(Subscriber(endpoint)):
                await happens(lambda: sent, "the first part")
                with contextlib.closing(Subscriber(endpoint)):
                    await happens(lambda: len(sent) >= 20, "two replays")

    asyncio.run(main())
    assert sent[10] - sent[0] > 0.9


def test_a_message_that_is_no_subscription_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with started() as (sink, endpoint):
            sink.publish(batch(b"topic"))
            with zmq.Context() as context, context.socket(zmq.XSUB) as client:
                client.set(zmq.LINGER, 0)
                client.connect(endpoint)
                for message in (b"\x07hello", b"", b"\x01topic"):
                    client.send(message)
                assert await asyncio.to_thread(client.poll, int(PATIENCE * 1000))

    asyncio.run(main())
    assert caplog.messages == []


# --- at rest ---


def test_at_rest_it_does_not_wake_up() -> None:
    async def main() -> None:
        async with started() as (sink, endpoint):
            sink.publish(batch(b"topic"))
            with contextlib.closing(Subscriber(endpoint)) as subscriber:
                await asyncio.to_thread(subscriber.message)
                loop: Any = asyncio.get_running_loop()
                select, turns = loop._selector.select, 0

                def count(timeout: float | None) -> Any:
                    nonlocal turns
                    turns += 1
                    return select(timeout)

                loop._selector.select = count

                async def is_quiet() -> bool:
                    nonlocal turns
                    turns = 0
                    await asyncio.sleep(1)
                    return turns <= 2

                # What the end of the replay leaves behind is in the first second.
                assert await is_quiet() or await is_quiet()

    asyncio.run(main())


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="Linux has this policy")
def test_the_threads_of_libzmq_do_not_interrupt_ours() -> None:
    def threads() -> set[str]:
        return {path.name for path in Path("/proc/self/task").iterdir()}

    async def main() -> tuple[set[int], int]:
        before = threads()
        async with started():
            new = threads() - before
            return {os.sched_getscheduler(int(each)) for each in new}, os.sched_getscheduler(0)

    assert asyncio.run(main()) == ({os.SCHED_BATCH}, os.SCHED_OTHER)


# --- limits of connections ---


def test_a_client_too_many_is_refused_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with started(max_clients=2) as (sink, endpoint):
            sink.publish(batch(b"topic"))
            with contextlib.ExitStack() as stack:
                accepted = [stack.enter_context(connect(endpoint)) for _ in range(2)]
                await happens(lambda: len(sink._clients._names) == 2, "two clients")
                for _ in range(3):
                    refused = stack.enter_context(connect(endpoint))
                    assert await asyncio.to_thread(is_closed, refused)
                accepted[0].close()
                await happens(lambda: len(sink._clients._names) == 1, "one client")
                subscriber = stack.enter_context(contextlib.closing(Subscriber(endpoint)))
                await asyncio.to_thread(subscriber.message)

    asyncio.run(main())
    assert warnings(caplog) == [
        "refused a subscriber from 127.0.0.1: 2 are connected (--max-clients)"
    ]


def test_a_subscriber_that_has_lost_power_does_not_stay_connected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publisher, "_HEARTBEAT_MS", 50)
    monkeypatch.setattr(publisher, "_HEARTBEAT_TIMEOUT_MS", 100)

    async def main() -> None:
        async with started() as (sink, endpoint):
            with connect(endpoint) as silent:
                await asyncio.to_thread(greet, silent, b"SUB")
                assert await asyncio.to_thread(is_closed, silent)
                await happens(lambda: not sink._clients._names, "its end")

    asyncio.run(main())


def test_for_clients_without_heartbeats_the_kernel_finds_out() -> None:
    async def main() -> None:
        async with started() as (sink, endpoint):
            with connect(endpoint):
                await happens(lambda: has_clients(sink, 1), "a client")
                (connection,) = sink._clients._names
                with socket.socket(fileno=os.dup(connection)) as ours:
                    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)

    asyncio.run(main())


def test_the_end_does_not_wait_for_a_subscriber_that_never_reads() -> None:
    async def main() -> None:
        async with started() as (sink, endpoint):
            sink.publish(batch(b"topic"))
            with connect(endpoint) as asleep:
                await asyncio.to_thread(greet, asleep, b"SUB")
                asleep.sendall(b"\x00\x01\x01")  # a subscription to all
                assert await asyncio.to_thread(asleep.recv, 1)
                # More than the buffers of the kernel take.
                sink.publish(Batch([(b"topic", b"x" * 20_000, None)] * 1000, []))
                sink.term()

    asyncio.run(main())


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="Linux names the user")
def test_a_refused_client_of_a_unix_socket_is_named_by_its_user(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    async def main() -> None:
        path = f"{tmp_path}/pub"
        async with started(f"ipc://{path}", f"ipc://@recbms-{os.getpid()}", max_clients=1):
            with socket.socket(socket.AF_UNIX) as first:
                first.connect(path)
                for address in (path, f"\0recbms-{os.getpid()}"):
                    with socket.socket(socket.AF_UNIX) as refused:
                        refused.connect(address)
                        assert await asyncio.to_thread(is_closed, refused)

    asyncio.run(main())
    assert warnings(caplog) == [
        f"refused a subscriber of user {os.getuid()}: 1 are connected (--max-clients)"
    ]


def test_with_the_last_descriptors_clients_are_refused(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with started() as (sink, endpoint):
            sink.publish(batch(b"topic"))
            with contextlib.ExitStack() as stack:
                free = os.dup(0)
                os.close(free)
                # The next connection has its other end at `free`, and gets `free + 1` itself.
                limit = (free + 2 + 16, resource.RLIM_INFINITY)
                monkeypatch.setattr(resource, "getrlimit", lambda _: limit)
                stack.enter_context(connect(endpoint))
                await happens(lambda: len(sink._clients._names) == 1, "a client")
                refused = stack.enter_context(connect(endpoint))
                assert await asyncio.to_thread(is_closed, refused)
                monkeypatch.undo()
                subscriber = stack.enter_context(contextlib.closing(Subscriber(endpoint)))
                await asyncio.to_thread(subscriber.message)

    asyncio.run(main())
    (warning,) = warnings(caplog)
    assert "from 127.0.0.1: no file descriptor is left for it; the limit is " in warning


def test_a_descriptor_that_belongs_to_something_else_by_now_is_left_alone() -> None:
    async def main() -> None:
        async with started() as (sink, _):
            left, right = socket.socketpair()
            with left, right, socket.create_server(("127.0.0.1", 0)) as server:
                link = socket.create_connection(server.getsockname())
                other, _ = server.accept()
                with link, other, contextlib.suppress(OSError):
                    for number in (left.fileno(), link.fileno(), os.dup(0), 12_345):
                        sink._clients.disconnect(number, "reason")
                    link.send(b"x")
                    assert other.recv(1) == b"x"
                left.send(b"x")
                assert right.recv(1) == b"x"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("queued", "hwm", "shares"),
    [
        (4000, 1000, [1000, 1000, 1000, 1000, 512, 512, 512, 256, 256]),
        (clients._QUEUED, 2**21, [2**21, 2**20, 2**19]),
        (clients._QUEUED, 2**18, [2**18, 2**18, 2**17]),
    ],
)
def test_the_queues_of_all_subscribers_together_are_bounded(
    queued: int, hwm: int, shares: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "_QUEUED", queued)

    async def main() -> None:
        async with started(hwm=hwm) as (sink, endpoint):
            with contextlib.ExitStack() as stack:
                for count, share in enumerate(shares, 1):
                    stack.enter_context(connect(endpoint))
                    await happens(functools.partial(has_clients, sink, count), "a client")
                    assert sink._socket.get(zmq.SNDHWM) == share
            await happens(lambda: not sink._clients._names, "the end of all")
            assert sink._socket.get(zmq.SNDHWM) == hwm

    asyncio.run(main())


def test_the_log_of_refusals_ends_with_a_word_about_it(caplog: pytest.LogCaptureFixture) -> None:
    log = clients.RefusalLog()
    for number in range(clients._MAX_LOGGED + 50):
        log.refuse(f"from {number}", "reason")
        log.refuse("from 0", "reason")
    lines = warnings(caplog)
    assert lines[0] == "refused a subscriber from 0: reason"
    assert lines[clients._MAX_LOGGED - 1 :] == [
        f"refused a subscriber from {clients._MAX_LOGGED - 1}: reason",
        "1000 subscribers have been refused; further refusals are not logged",
    ]


def test_a_failed_handshake_is_not_held_against_the_next_client_that_leaves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    public, secret = zmq.curve_keypair()

    async def main() -> None:
        authenticator = Authenticator(server=KeyPair(public, secret))
        async with started(authenticator=authenticator) as (sink, endpoint):
            sink.publish(batch(b"topic"))
            with contextlib.closing(Subscriber(endpoint)):
                await happens(lambda: warnings(caplog), "a refusal")
            await happens(lambda: not sink._clients._names, "its end")
            with zmq.Context() as context, context.socket(zmq.SUB) as encrypted:
                encrypted.set(zmq.CURVE_SERVERKEY, public)
                encrypted.curve_publickey, encrypted.curve_secretkey = zmq.curve_keypair()
                encrypted.subscribe("")
                encrypted.connect(endpoint.replace("tcp://", "tcp://127.0.0.2:0;"))
                assert await asyncio.to_thread(encrypted.poll, int(PATIENCE * 1000))
            await happens(lambda: not sink._clients._names, "the end of this one")

    asyncio.run(main())
    assert "it does not use CURVE, or went away during the handshake" in caplog.text
    assert "127.0.0.2" not in caplog.text


# --- limits of subscriptions ---


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda n: b"\x01" + b"%0201d" % n, "it subscribed to more than 200 bytes"),
        (lambda n: b"\x01" + b"%030d" % n, "it has too many subscriptions"),
        (lambda n: bytes([n % 2]) + b"x", "it subscribes and unsubscribes without a pause"),
    ],
)
def test_a_client_that_floods_with_subscriptions_is_disconnected_and_logged_once(
    make: Callable[[int], bytes],
    reason: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscriptions, "_MAX_REQUESTS", 3000)

    async def main() -> None:
        async with started() as (sink, endpoint):
            sink.publish(batch(b"topic"))
            with zmq.Context() as context, context.socket(zmq.XSUB) as hostile:
                hostile.set(zmq.LINGER, 0)
                hostile.set(zmq.SNDHWM, 0)
                hostile.connect(endpoint)
                for number in range(20_000):
                    hostile.send(make(number))
                await happens(lambda: warnings(caplog), "a warning")
                with contextlib.closing(Subscriber(endpoint)) as innocent:
                    await asyncio.to_thread(innocent.message)

    asyncio.run(main())
    (warning,) = warnings(caplog)
    assert warning.startswith(f"refused a subscriber from 127.0.0.1: {reason}")


def test_a_client_that_cancels_what_it_no_longer_wants_can_subscribe_for_ever(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "_MAX_COST", 20_000)  # of six subscriptions

    async def main() -> None:
        async with started() as (sink, endpoint):
            sink.publish(batch(b"topic"))
            with contextlib.closing(Subscriber(endpoint, "other")) as subscriber:
                for number in range(100):
                    subscriber.socket.subscribe(f"{number:030}")
                    subscriber.socket.unsubscribe(f"{number:030}")
                subscriber.socket.subscribe("topic")
                await asyncio.to_thread(subscriber.message)
                assert [topic for topic, _ in subscriber.received] == [b"topic"]

    asyncio.run(main())
    assert warnings(caplog) == []


# --- addresses ---


def test_a_wildcard_serves_ipv4_and_ipv6(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with started("tcp://*:*", max_clients=3) as (sink, endpoint):
            sink.publish(batch(b"topic"))
            port = endpoint.rpartition(":")[2]
            for address in (f"tcp://127.0.0.1:{port}", f"tcp://[::1]:{port}"):
                with contextlib.closing(Subscriber(address)) as subscriber:
                    await asyncio.to_thread(subscriber.message)
            await happens(lambda: not sink._clients._names, "the end of both")
            with contextlib.ExitStack() as stack:
                for _ in range(3):
                    stack.enter_context(connect(f"tcp://127.0.0.1:{port}"))
                await happens(lambda: len(sink._clients._names) == 3, "three clients")
                refused = stack.enter_context(connect(f"tcp://127.0.0.1:{port}"))
                assert await asyncio.to_thread(is_closed, refused)

    asyncio.run(main())
    (warning,) = warnings(caplog)
    assert warning.startswith("refused a subscriber from 127.0.0.1: ")


def test_an_address_in_use_is_tried_again_for_five_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: list[float] = []
    ignoring: list[float] = []

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            sink = ZmqSink(hwm=1, max_clients=1)
            bind = sink._bind

            def note(endpoint: str, *, ignore_lock: bool) -> str:
                (ignoring if ignore_lock else tries).append(current_loop().time())
                return bind(endpoint, ignore_lock=ignore_lock)

            monkeypatch.setattr(sink, "_bind", note)
            with pytest.raises(OutputError, match="another process uses this address; stop it"):
                await sink.bind(f"tcp://127.0.0.1:{taken.getsockname()[1]}")
            sink.term()

    run_in_virtual_time(main())
    assert tries == pytest.approx([tenth / 10 for tenth in range(11)])
    assert len(ignoring) == pytest.approx(40, abs=1)
    assert ignoring[-1] == pytest.approx(5, abs=0.11)
