"""The PUB side: newcomers, slow ones, hostile ones, and addresses (paths are in `test_ipc`)."""

import asyncio
import json
import os
import socket
import stat
import sys
from pathlib import Path

import pytest
import zmq
from support.bms import Connection, FakeBms
from support.fixtures import MakeBms, Run, Subscribe
from support.frames import SETTINGS, STATUS, status
from support.process import Command
from support.subscriber import Subscriber
from support.waiting import PATIENCE, eventually
from support.zmtp import greet

pytestmark = pytest.mark.slow

MEBIBYTE = 2**20
LAST = "settings/remote_switch"


def newest(service: Command) -> dict[str, bytes]:
    """Return the last line of every topic."""
    return {json.loads(line)["topic"]: line for line in service.stdout}


def test_a_newcomer_gets_the_whole_state_as_it_was_sent(
    bms: FakeBms, run: Run, subscribe: Subscribe
) -> None:
    alarm = {"present": 1, "addr": 2, "st": 2, "con_st": 3}
    service = run(bms.url)
    service.message(key=LAST)
    bms.send(status(erro=alarm))
    service.message(kind="event")
    state = newest(service)
    events = [topic for topic in state if topic.endswith("/event")]
    for topic in events:
        del state[topic]  # an event happens once, and is not replayed
    assert len(events) == 1

    # The second one as well as the first; what comes after that is news.
    first, second = subscribe(service.endpoint()), subscribe(service.endpoint())
    for newcomer in (first, second):
        newcomer.message(key=LAST)
    bms.send(status(vbat=12.5, erro=alarm))
    for newcomer in (first, second):
        newcomer.message(key="voltage", payload=12.5)
        assert set(newcomer.bodies[:-1]) == set(state.values())


def test_while_a_bms_is_offline_a_newcomer_gets_availability_and_description_only(
    make_bms: MakeBms, run: Run, subscribe: Subscribe
) -> None:
    async def settings_only(connection: Connection) -> None:
        """Keep the connection, but not the BMS, alive."""
        while True:
            await connection.send(SETTINGS)
            await asyncio.sleep(0.05)

    bms = make_bms(behave=settings_only)
    service = run("--stale-after", "1", bms.url)
    bms.send(STATUS)
    service.message(key=LAST)
    service.message(key="availability", payload="offline", seq=3)
    newcomer = subscribe(service.endpoint())
    newcomer.message(key="device")
    bms.send(STATUS)
    newcomer.message(key="availability", payload="online")
    before = newcomer.messages[:-1]
    assert [(m["key"], m["seq"]) for m in before] == [("availability", 3), ("device", 1)]


def test_a_subscriber_that_never_reads_costs_no_memory_and_no_one_else(
    make_bms: MakeBms, run: Run, subscribe: Subscribe
) -> None:
    bms = make_bms(greeting=[])
    service = run("--report", "all", "--hwm", "1000", "--no-stdout", bms.url)
    asleep = subscribe(service.endpoint(), rcvhwm=1)
    awake = subscribe(service.endpoint())

    def feed(frames: range) -> None:
        for number in frames:
            bms.send(status(units=4, cells=16, vbat=number / 100))
            awake.message(key="voltage", payload=number / 100)

    feed(range(1000, 1100))  # 20,000 messages, 8 MB: all queues on the way are full
    memory = service.memory
    feed(range(1100, 1300))
    assert service.memory < memory + MEBIBYTE
    for topic, seqs in by_topic(awake).items():
        assert sorted(set(seqs)) == list(range(seqs[0], seqs[-1] + 1)), topic  # none is missing
    # The one that was asleep has whole messages, and sees from their counts what it lost.
    wake(bms, asleep)
    voltages = by_topic(asleep)["recbms/main/voltage"]
    assert voltages == sorted(voltages)  # a replay is a repeat
    assert voltages[-1] > len(set(voltages))


def wake(bms: FakeBms, subscriber: Subscriber) -> None:
    """Read what waits for a subscriber, until something new reaches it."""
    for number in range(5000, 6000):
        bms.send(status(units=4, cells=16, vbat=number / 100))
        while subscriber.socket.poll(200):
            subscriber.received.append(subscriber.socket.recv_multipart())
        if any(m["key"] == "voltage" and m["payload"] >= 50 for m in subscriber.messages[-500:]):
            return


def by_topic(subscriber: Subscriber) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for topic, body in subscriber.received:
        found.setdefault(topic.decode(), []).append(json.loads(body)["seq"])
    return found


def test_several_endpoints_give_the_same(
    make_bms: MakeBms, run: Run, subscribe: Subscribe, tmp_path: Path
) -> None:
    bms = make_bms(greeting=[])
    path = tmp_path / "pub"
    service = run(
        *("--publish", "tcp://127.0.0.1:*", "--publish", f"ipc://{path}"),
        *("--publish", "tcp://[::1]:*", bms.url),
    )
    service.message(key="availability")
    subscribers = [subscribe(service.endpoint(number)) for number in range(3)]
    for subscriber in subscribers:
        subscriber.message(key="availability")
    bms.send(SETTINGS, STATUS)
    service.message(key=LAST)
    for subscriber in subscribers:
        subscriber.message(key=LAST)
    service.message(key=LAST)
    assert service.endpoint(1) == f"ipc://{path}"
    assert service.endpoint(2).startswith("tcp://[::1]:")
    lines = list(service.stdout)
    for subscriber in subscribers:
        # Without the repeats: a replay for one of them reaches all.
        bodies = list(dict.fromkeys(subscriber.bodies))
        assert bodies == lines[: len(bodies)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert service.stop() == 0


@pytest.fixture(params=["tcp://127.0.0.1:*", "ipc://{folder}/pub", "ipc://@recbms-test-{pid}"])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address of each kind."""
    return str(request.param).format(folder=tmp_path, pid=os.getpid())


def test_the_second_service_on_an_address_takes_over_when_the_first_ends(
    endpoint: str, bms: FakeBms, run: Run, subscribe: Subscribe
) -> None:
    first = run("--publish", endpoint, bms.url)
    endpoint = first.endpoint()
    # A busy machine may need more than the 5 s for it, which tests/sinks asserts.
    waits = f"from recbms_zmq.sinks import publisher; publisher.BIND_FOR = {PATIENCE}"
    code = f"{waits}; import sys; from recbms_zmq.cli import main; sys.exit(main())"
    second = run("--publish", endpoint, bms.url, python=[sys.executable, "-c", code])
    second.stderr.line("energy counters")  # it is on its way to the address
    assert first.stop() == 0
    assert second.endpoint() == endpoint
    run_id = second.message(key="availability")["run"]
    assert subscribe(endpoint).message(key="soc")["run"] == run_id


def test_an_address_that_stays_in_use_is_one_sentence_and_73(
    endpoint: str, bms: FakeBms, run: Run, subscribe: Subscribe, tmp_path: Path
) -> None:
    first = run("--publish", endpoint, bms.url, cwd=tmp_path)
    endpoint = first.endpoint()
    files = [(path, path.stat().st_ino) for path in tmp_path.iterdir()]
    second = run("--publish", endpoint, bms.url, cwd=tmp_path)
    assert second.wait() == 73
    assert second.stdout.all() == []
    assert second.stderr.all()[-1].decode() == (
        f"recbms-zmq: cannot publish on {endpoint}: another process uses this address; stop it, "
        "choose another with --publish, or none with --no-publish"
    )
    assert [(path, path.stat().st_ino) for path in tmp_path.iterdir()] == files
    run_id = first.message(key="availability")["run"]  # the first one still has it
    assert subscribe(endpoint).message(key="soc")["run"] == run_id


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("ipc:///nowhere/at/all/pub", "No such file or directory"),
        ("tcp://127.0.0.99.1:5556", "No such device"),
        ("tcp://192.0.2.1:5556", "Cannot assign requested address"),
    ],
)
def test_an_address_that_cannot_be_bound_is_reported_at_once(
    endpoint: str, reason: str, run: Run
) -> None:
    plaintext = ["--allow-plaintext"] if endpoint.startswith("tcp:") else []
    service = run(*plaintext, "--publish", endpoint, "ws://127.0.0.1:1")
    assert service.wait() == 73
    last = service.stderr.all()[-1].decode()
    assert last == f"recbms-zmq: cannot publish on {endpoint}: {reason}"


def drain(subscriber: "zmq.Socket[bytes]") -> None:
    """Read until the last message of a replay."""
    while not subscriber.recv_multipart()[0].endswith(LAST.encode()):
        pass


def test_what_subscribers_send_does_no_harm(bms: FakeBms, run: Run, subscribe: Subscribe) -> None:
    service = run(bms.url)
    service.message(key=LAST)
    memory = service.memory
    with zmq.Context() as context, context.socket(zmq.XSUB) as hostile:
        hostile.set(zmq.LINGER, 0)
        hostile.set(zmq.SNDTIMEO, int(1000 * PATIENCE))
        hostile.set(zmq.RCVTIMEO, int(1000 * PATIENCE))
        hostile.connect(service.endpoint())
        hostile.send(b"\x01")
        drain(hostile)
        for _ in range(100):
            hostile.send(b"\x02 no subscription")
            hostile.send(b"\x01" + os.urandom(8))
            hostile.send_multipart([b"\x03", b"two", b"parts"])
        for size in (513, 100_000, 10 * MEBIBYTE):
            # It closes the connection: libzmq makes a new one, subscribes again, gets a replay.
            hostile.send(b"\x02" + b"x" * size)
            drain(hostile)
    address = ("127.0.0.1", int(service.endpoint().rpartition(":")[2]))
    with socket.create_connection(address) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" + b"x" * 100_000)
    with socket.create_connection(address) as flooding:
        greet(flooding, b"SUB")
        for _ in range(20):  # 10 MB, faster than they can be read
            flooding.sendall((b"\x02" + (500).to_bytes(8, "big") + b"\x02" * 500) * 1000)
            assert service.memory < memory + 4 * MEBIBYTE
    subscribe(service.endpoint()).message(key="soc")
    bms.send(status(vbat=12.5))
    service.message(key="voltage", payload=12.5)
    assert service.memory < memory + 4 * MEBIBYTE
    assert service.stop() == 0
    assert " warning " not in service.stderr.text()


def test_a_subscriber_that_comes_and_goes_leaves_nothing_behind(bms: FakeBms, run: Run) -> None:
    service = run(bms.url)
    service.message(key=LAST)

    def visit() -> None:
        # At once: one replay answers all of them, and a second one is due a second later.
        visitors = [Subscriber(service.endpoint()) for _ in range(40)]
        for visitor in visitors:
            visitor.message(key=LAST)
            visitor.close()

    def files() -> int:
        return len(list(Path(f"/proc/{service.pid}/fd").iterdir()))

    opened = files()
    for _ in range(3):  # Python and libzmq keep what they need at most
        visit()
    memory = service.memory
    for _ in range(3):
        visit()
    assert service.memory < memory + MEBIBYTE
    eventually(lambda: files() <= opened, "the closing of old connections")
