"""The pipes of flows/pipes/README.md, word for word, into real servers.

Only addresses are changed. What arrives is compared with what the same service publishes on ZeroMQ.
"""

import json
import os
import re
import runpy
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from support.bms import FakeBms
from support.fixtures import MakeBms, Subscribe
from support.frames import SETTINGS, STATUS, status
from support.pages import ROOT, block
from support.process import matches
from support.subscriber import Subscriber
from support.waiting import eventually

from e2e import installation
from e2e.broker import Broker
from e2e.engines import Nats, Redis, Server
from e2e.pipeline import MakePipeline, stages
from e2e.scripted_bms import ScriptedBms

S = TypeVar("S", bound=Server)
State = dict[str, bytes]
"""The newest body of every topic."""

# What would end a command, a quotation or a line, if it were not wrapped up.
NASTY = "x\"; '$(id)' `id` \\\" \\\\ %s \r\nFLUSHALL\r\n*1\r\n$8\r\nFLUSHALL\r\n \u00b0\u20ac\x7f"


class Consumer:
    """An MQTT client that keeps what comes, in order, and its retain flag."""

    def __init__(self, port: int) -> None:
        self.received: list[tuple[bytes, bool]] = []
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._keep
        self._client.on_connect = self._subscribe
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        eventually(self._client.is_connected, "the consumer is connected")

    def _subscribe(self, *_: Any) -> None:
        self._client.subscribe("recbms/#", qos=1)

    def _keep(self, _client: Any, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        assert json.loads(message.payload)["topic"] == message.topic
        self.received.append((bytes(message.payload), message.retain))

    def newest(self) -> State:
        return state(body for body, _ in list(self.received))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def state(bodies: Any) -> State:
    """Return the last body of every topic; events are no state."""
    found = {}
    for body in bodies:
        message = json.loads(body)
        if message["kind"] != "event":
            found[message["topic"]] = body
    return found


def sent(reference: Subscriber) -> list[bytes]:
    """Return the bodies of all that the service has published until now."""
    while reference.socket.poll(0):
        reference.received.append(reference.socket.recv_multipart())
    return reference.bodies


def wait_until_same(look: Callable[[], Any], reference: Callable[[], Any]) -> None:
    """Wait until both are the same; else fail with pytest's comparison."""
    try:
        eventually(lambda: look() == reference(), "both are the same")
    except AssertionError:
        assert look() == reference()


def has_voltage(found: State, volts: float) -> bool:
    body = found.get("recbms/main/voltage")
    return body is not None and json.loads(body)["payload"] == volts


def by_topic(bodies: list[bytes]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for body in bodies:
        found.setdefault(json.loads(body)["topic"], []).append(body)
    return found


def without_repeats(bodies: list[bytes]) -> list[bytes]:
    """Return what subscriber.py takes for new, which is each message once."""
    messages = runpy.run_path(str(ROOT / "flows" / "pipes" / "subscriber.py"))["Filter"]()
    return [body for body in bodies if messages.is_new(json.loads(body))]


@pytest.fixture
def broker(
    installed: Callable[[Callable[[], object]], None], tmp_path: Path, cleared: ExitStack
) -> Broker:
    """A mosquitto of this test alone."""
    installed(installation.mosquitto)
    program = Broker(tmp_path)
    program.start()
    cleared.callback(program.stop)
    return program


@pytest.fixture
def nats(
    installed: Callable[[Callable[[], object]], None], tmp_path: Path, cleared: ExitStack
) -> Nats:
    installed(installation.nats_server)
    return started(Nats(tmp_path), cleared)


@pytest.fixture
def redis(
    installed: Callable[[Callable[[], object]], None], tmp_path: Path, cleared: ExitStack
) -> Redis:
    installed(installation.redis_server)
    installed(installation.jq)
    return started(Redis(tmp_path), cleared)


def started(server: S, cleared: ExitStack) -> S:
    server.start()
    cleared.callback(server.stop)
    return server


@pytest.fixture
def bms(make_bms: MakeBms) -> FakeBms:
    """A BMS that sends what the test wants, and nothing else."""
    return make_bms(greeting=[SETTINGS, STATUS])


@pytest.fixture
def lively_bms(cleared: ExitStack) -> ScriptedBms:
    """A BMS that goes on sending, as a real one does."""
    served = ScriptedBms()
    served.start()
    cleared.callback(served.close)
    return served


def to_mqtt(port: int, url: str) -> str:
    there = {"ws://192.168.8.2/ws": url, "--host 127.0.0.1": f"--host 127.0.0.1 --port {port}"}
    return block("mqtt pipe", there)


def to_redis(port: int, url: str) -> str:
    options = f"REDIS_OPTIONS='-h 127.0.0.1 -p {port}' "
    return options + block("redis pipe", {"ws://192.168.8.2/ws": url})


@pytest.mark.parametrize("server", ["broker", "nats"])
def test_mqtt_has_every_message_and_keeps_the_last_of_each_topic(
    server: str,
    request: pytest.FixtureRequest,
    bms: FakeBms,
    pipeline: MakePipeline,
    subscribe: Subscribe,
    cleared: ExitStack,
) -> None:
    port = request.getfixturevalue(server).port
    live = Consumer(port)
    cleared.callback(live.close)
    pipe = pipeline(to_mqtt(port, bms.url), RECBMS_DEVICE_NAME='Käpt\'n "x" \\')
    reference = subscribe(pipe.endpoint)
    reference.message(key="settings/remote_switch")
    bms.send(status(erro={"present": 1, "addr": 2, "st": 2, "con_st": 3}, error=NASTY))
    reference.message(kind="event")
    bms.send(status(vbat=9.87))
    reference.message(key="voltage", payload=9.87)

    wait_until_same(live.newest, lambda: state(sent(reference)))
    # The events too, which are no state.
    wait_until_same(lambda: set(sent(reference)) - {body for body, _ in live.received}, set)
    everything = [body for body, _ in live.received]
    assert without_repeats(everything) == everything
    assert any(json.loads(body)["kind"] == "event" for body in everything)
    late = Consumer(port)
    cleared.callback(late.close)
    # The same state, all of it retained, and no event.
    wait_until_same(
        lambda: sorted(late.received),
        lambda: sorted((body, True) for body in state(sent(reference)).values()),
    )

    os.kill(stages(pipe.program.pid)["recbms_zmq"], signal.SIGTERM)
    assert pipe.wait() == 0
    goodbye = {"payload": "offline", "reason": "stopped"}
    eventually(lambda: matches(json.loads(live.received[-1][0]), goodbye), "the last message")


def test_a_nats_client_gets_it_too(nats: Nats, bms: FakeBms, pipeline: MakePipeline) -> None:
    with nats.subscribed("recbms.main.soc") as heard:
        pipeline(to_mqtt(nats.port, bms.url))
        while (line := heard.readline()) == b"PING\r\n":
            pass  # the server looks whether we are there
        subject, size = re.fullmatch(rb"MSG (\S+) 1 (\d+)\r\n", line).groups()  # type: ignore[union-attr]
        message = json.loads(heard.read(int(size)))
    assert subject == b"recbms.main.soc"
    assert (message["topic"], message["payload"]) == ("recbms/main/soc", 28.5)


def test_a_broker_that_hangs_costs_values_in_between_and_no_memory(
    broker: Broker,
    bms: FakeBms,
    pipeline: MakePipeline,
    subscribe: Subscribe,
    cleared: ExitStack,
) -> None:
    pipe = pipeline(to_mqtt(broker.port, bms.url), RECBMS_REPORT="all")
    reference = subscribe(pipe.endpoint)
    consumer = Consumer(broker.port)
    cleared.callback(consumer.close)
    eventually(lambda: "recbms/main/soc" in consumer.newest(), "the state is there")
    os.kill(broker.program.pid, signal.SIGSTOP)
    try:
        for number in range(100):  # 2 MB of lines
            bms.send(status(vbat=10 + number / 100))
            reference.message(key="voltage", payload=10 + number / 100)
    finally:
        os.kill(broker.program.pid, signal.SIGCONT)
    wait_until_same(consumer.newest, lambda: state(sent(reference)))
    heard = [json.loads(body)["seq"] for body, _ in consumer.received if b'/voltage"' in body]
    assert heard == sorted(heard)
    assert heard[-1] > len(heard) + 50, "nothing was left out, so the pipe was never full"


def test_redis_has_every_message_byte_for_byte_whatever_is_in_it(
    redis: Redis, bms: FakeBms, pipeline: MakePipeline, subscribe: Subscribe
) -> None:
    options = {"RECBMS_DEVICE_NAME": 'Käpt\'n "x" \\', "RECBMS_EMIT": "both"}
    pipe = pipeline(to_redis(redis.port, bms.url), **options)
    reference = subscribe(pipe.endpoint)
    reference.message(key="settings/remote_switch")
    bms.send(status(erro={"present": 1, "addr": 2, "st": 2, "con_st": 3}, error=NASTY))
    reference.message(kind="event")
    # A line as long as no other: all of a large pack in one.
    bms.send(status(vbat=9.87, units=16, cells=32))
    reference.message(kind="snapshot", device="main")
    eventually(lambda: has_voltage(state(sent(reference)), 9.87), "the last voltage")

    wait_until_same(lambda: state(redis.entries("recbms/main")), lambda: state(sent(reference)))
    wait_until_same(lambda: set(sent(reference)) - set(redis.entries("recbms/main")), set)
    entries = redis.entries("recbms/main")
    assert json.loads(entries[0])["payload"] == "offline"  # the first message of a run
    found = by_topic(entries)
    for topic, bodies in by_topic(without_repeats(sent(reference))).items():
        # Of what the reference missed at the start, it got the last.
        assert found[topic][-len(bodies) :] == bodies
    assert max(map(len, entries)) > 20_000
    assert any(json.loads(body)["kind"] == "event" for body in entries)
    assert redis.keys() == ["recbms/main"]


def test_a_redis_that_was_killed_ends_the_pipe_and_the_next_run_has_the_whole_state(
    redis: Redis,
    lively_bms: ScriptedBms,
    pipeline: MakePipeline,
    subscribe: Subscribe,
) -> None:
    pipe = pipeline(to_redis(redis.port, lively_bms.url), RECBMS_REPORT="all")
    eventually(lambda: "recbms/main/soc" in state(redis.entries("recbms/main")), "the state")
    redis.kill()
    assert pipe.wait() != 0
    pipe.start()
    assert pipe.wait() != 0, "there is no Redis"
    redis.start()
    before = redis.entries("recbms/main")
    lively_bms.change(vbat=11)
    pipe.start()
    reference = subscribe(pipe.endpoint)
    reference.message(key="voltage", payload=11)
    lively_bms.is_silent = True
    wait_until_same(lambda: state(redis.entries("recbms/main")), lambda: state(sent(reference)))

    entries = redis.entries("recbms/main")
    assert entries[: len(before)] == before
    assert len({json.loads(body)["run"] for body in entries}) == 2
    assert without_repeats(entries) == entries


def test_as_a_service_the_last_message_arrives_though_all_are_signalled(
    redis: Redis, bms: FakeBms, pipeline: MakePipeline, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[[bms]]\nurl = "{bms.url}"\n')
    start, _ = block(
        "redis service",
        {
            "ExecStart=/etc/recbms-zmq/": "exec flows/pipes/",
            "/etc/recbms-zmq/config.toml": str(config),
            "/opt/recbms-zmq/bin/": "~/recbms/bin/",
        },
    ).splitlines()
    pipe = pipeline(f"REDIS_OPTIONS='-h 127.0.0.1 -p {redis.port}' {start}")
    eventually(lambda: "recbms/main/soc" in state(redis.entries("recbms/main")), "the state")
    assert stages(pipe.program.pid)["recbms_zmq"] == pipe.program.pid
    pipe.end_all()
    assert pipe.wait() == 0
    last = eventually(
        lambda: [m for m in map(json.loads, redis.entries("recbms/main")) if "reason" in m][2:],
        "the last message",
    )
    assert [(m["payload"], m["reason"]) for m in last] == [("offline", "stopped")]
    eventually(lambda: not stages(pipe.program.pid), "all of the pipe has ended")
