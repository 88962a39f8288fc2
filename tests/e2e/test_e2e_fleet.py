"""A fleet over four processes on two hosts, Redis Streams, and a group of three workers.

The hosts are network namespaces, so it takes root. RECBMS_FLEET and RECBMS_FLEET_SECONDS are the
number of BMS and how long they are read, for a larger fleet by hand (with `-s`, it prints figures).
"""

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from support.namespace import Host, own_network
from support.pages import ROOT, block
from support.process import environment
from support.waiting import PATIENCE, eventually

from e2e import installation
from e2e.engines import Redis
from e2e.program import Program
from e2e.service import children
from e2e.signalk import HERE
from e2e.waiting import wait_until_equal

SIZE: Final = int(os.environ.get("RECBMS_FLEET", "40"))
SECONDS: Final = float(os.environ.get("RECBMS_FLEET_SECONDS", "5"))
SHARDS: Final = 4
STREAMS: Final = [f"recbms:{number}" for number in range(SHARDS)]
TS: Final = "2026-11-26T10:00:00.000Z"
WORKERS: Final = ("one", "two", "three")
PLACES: Final = {
    "~/recbms/bin/python": HERE["~/recbms/bin/python"],
    "flows/pipes": str(ROOT / "flows" / "pipes"),
}


class Fleet:
    """Everything but the broker, on two hosts; the first is that of the worker `one`."""

    def __init__(self, folder: Path, redis: Redis, hosts: tuple[Host, Host]) -> None:
        self._folder = folder
        self._redis = redis
        self._hosts = hosts
        self._programs: list[Program] = []
        self.workers: dict[str, Program] = {}

    def read(self, shard: int) -> Program:
        """Start one process with its part of the BMS; what it writes is also in a file."""
        config = self._folder / f"shard-{shard}.toml"
        config.write_text(
            "".join(
                f'[[bms]]\nname = "home-{number}"\nurl = "sim:?seed={number}"\n'
                for number in range(shard, SIZE, SHARDS)
            )
        )
        host = self._hosts[shard // 2]
        script = block(
            "fleet feed",
            {
                "shard-0.toml": str(config),
                "recbms:0": STREAMS[shard],
                "--bare |": f"--bare | tee {self.written(shard)} |",
                "~/recbms/bin/recbms-zmq": HERE["~/recbms/bin/recbms-zmq"],
                "192.168.8.5:6379": f"{host.gateway}:{self._redis.port}",
                **PLACES,
            },
        )
        return self._start(host, ["bash", "-c", script], f"shard-{shard}.log")

    def work(self, name: str) -> None:
        """Start a worker."""
        host = self._hosts[name != "one"]
        address = {"192.168.8.5:6379": f"{host.gateway}:{self._redis.port}", **PLACES}
        worker = block("fleet worker", address).strip()
        script = f"exec {worker} --name {name} --takeover 3 --report 2"
        self.workers[name] = self._start(host, ["bash", "-c", script], f"worker-{name}.log")

    def written(self, shard: int) -> Path:
        """Return the file with all that a process has written."""
        return self._folder / f"written-{shard}.jsonl"

    def pending(self, name: str) -> int:
        """Return how many messages a worker has got and not acknowledged."""
        found = [self._redis.ask("XINFO", "CONSUMERS", each, "workers") for each in STREAMS]
        return sum(each["pending"] for all_ in found for each in all_ if each["name"] == name)

    def stop_with_messages(self, name: str) -> int:
        """Stop a worker that has messages which it has not handled; return its process id."""
        pid = self.workers[name].pid

        def try_once() -> bool:
            os.kill(pid, signal.SIGSTOP)
            # One that waits for messages gets them now; one that does something else does not.
            for _ in range(20):
                if self.pending(name):
                    return True
            os.kill(pid, signal.SIGCONT)
            return False

        eventually(try_once, "a worker has got messages")
        return pid

    def handled(self) -> int:
        """Return how many messages were counted."""
        return sum(map(int, self._redis.ask("HGETALL", "recbms:count").values()))

    def stored(self) -> int:
        """Return how many messages the streams have."""
        return sum(int(self._redis.ask("XLEN", stream)) for stream in STREAMS)

    def close(self) -> None:
        for program in self._programs:
            program.stop()

    def _start(self, host: Host, command: list[str], log: str) -> Program:
        program = Program([*host.enter, *command], self._folder / log, environment())
        self._programs.append(program)
        return program


@pytest.fixture
def redis(installed: Callable[[Callable[[], object]], None], tmp_path: Path) -> Iterator[Redis]:
    """A Redis that loses nothing it has confirmed, for hosts in the network of this test."""
    installed(installation.network_namespaces)
    installed(installation.redis_server)
    with own_network():
        server = Redis(
            tmp_path, **{"bind": "0.0.0.0", "protected-mode": "no", "appendfsync": "always"}
        )
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture
def fleet(redis: Redis, tmp_path: Path) -> Iterator[Fleet]:
    with ExitStack() as stack:
        hosts = Host(0), Host(1)
        for host in hosts:
            stack.callback(host.close)
        fleet = Fleet(tmp_path, redis, hosts)
        stack.callback(fleet.close)
        yield fleet


def identity(line: bytes) -> tuple[str, str, int]:
    message = json.loads(line)
    return message["topic"], message["run"], message["seq"]


@pytest.mark.timeout(150 + 20 * SECONDS, func_only=True)
def test_each_message_counts_once_though_a_worker_and_the_broker_are_killed(
    fleet: Fleet, redis: Redis
) -> None:
    for name in WORKERS:
        fleet.work(name)
    pipes = [fleet.read(shard) for shard in range(SHARDS)]
    began = time.monotonic()
    eventually(lambda: fleet.handled() > 20 * SIZE, "messages are handled", 30 + SIZE / 5)

    # One worker dies with messages that it has not handled.
    fleet.stop_with_messages("two")
    fleet.workers["two"].kill()
    eventually(lambda: fleet.pending("two") == 0, "another worker has taken them over")
    # One hangs for so long that others handle its messages; it goes on with them later.
    three = fleet.stop_with_messages("three")
    eventually(lambda: fleet.pending("three") == 0, "another worker has taken them over")
    reports = fleet.workers["three"].log().count("handled")
    os.kill(three, signal.SIGCONT)
    eventually(lambda: fleet.workers["three"].log().count("handled") > reports, "it goes on")
    redis.kill()
    eventually(lambda: "retrying" in fleet.workers["one"].log(), "the broker is missed")
    redis.start()
    before = fleet.handled()
    eventually(lambda: fleet.handled() > before, "it goes on")
    while time.monotonic() < began + SECONDS:  # for a longer run by hand
        time.sleep(0.1)

    for pipe in pipes:
        [run] = [pid for pid in children(pipe.pid) if "recbms_zmq" in command_line(pid)]
        os.kill(run, signal.SIGTERM)
    assert [pipe.wait(60 + SIZE / 5) for pipe in pipes] == [0] * SHARDS
    wait_until_equal(fleet.handled, fleet.stored(), 60 + SIZE / 5)
    elapsed = time.monotonic() - began

    stored = [redis.entries(stream) for stream in STREAMS]
    written = [fleet.written(shard).read_bytes().splitlines() for shard in range(SHARDS)]
    assert stored == written  # nothing is lost, twice, or out of order
    lines = [line for shard in stored for line in shard]
    assert max(Counter(map(identity, lines)).values()) == 1
    devices = Counter(identity(line)[0].split("/")[1] for line in lines)
    assert len(devices) == SIZE
    counted = redis.ask("HGETALL", "recbms:count")
    assert counted == {f"recbms/{device}": str(count) for device, count in devices.items()}
    newest = {identity(line)[0]: line.decode() for line in lines}
    last: dict[str, Any] = redis.ask("HGETALL", "recbms:last")
    assert {topic: text.partition(" ")[2] for topic, text in last.items()} == newest

    assert [fleet.pending(name) for name in WORKERS] == [0] * len(WORKERS)
    log = "".join(worker.log() for worker in fleet.workers.values())
    assert re.search(
        r"^one: handled \d+, \d+/s, lag \d+ \(\d+\.\d s\), pending \d+, lost 0$", log, re.MULTILINE
    )
    print(f"\n{SIZE} BMS, {len(lines)} messages in {elapsed:.0f} s\n{log}")


def test_messages_that_are_lost_are_counted(redis: Redis, tmp_path: Path) -> None:
    def feed(first: int, last: int) -> None:
        for number in range(first, last + 1):
            message = {"topic": "recbms/home/soc", "key": "soc", "seq": number, "ts": TS}
            os.write(pipe_in, json.dumps(message).encode() + b"\n")

    python, scripts = PLACES.values()
    url = f"redis://127.0.0.1:{redis.port}"
    pipe_out, pipe_in = os.pipe()
    command = [python, f"{scripts}/to_redis_stream.py", url, STREAMS[0], "--maxlen", "100"]
    log = tmp_path / "feed.log"
    with log.open("wb") as output:
        feeder = subprocess.Popen(command, stdin=pipe_out, stderr=output, env=environment())
    os.close(pipe_out)
    worker = None
    try:
        feed(1, 1000)
        eventually(lambda: newest(redis) == 1000, "all are in the stream")
        stored = int(redis.ask("XLEN", STREAMS[0]))
        assert stored < 1000
        # One worker gets 60 of them and ends; most of those are trimmed before they are taken over.
        redis.ask("XGROUP", "CREATE", STREAMS[0], "workers", "0")
        read = ("COUNT", "60", "STREAMS", STREAMS[0], ">")
        redis.ask("XREADGROUP", "GROUP", "workers", "zero", *read)
        redis.ask("XTRIM", STREAMS[0], "MAXLEN", str(stored - 50))
        command = [python, f"{scripts}/redis_worker.py", url, STREAMS[0]]
        options = ["--takeover", "1", "--report", "0.2"]
        worker = Program([*command, *options], tmp_path / "worker.log", environment())
        text = f"handled {stored - 50}, "
        eventually(lambda: text in worker.log() and ", pending 0, " in worker.log(), "the rest")
        eventually(lambda: f", pending 0, lost {1050 - stored}" in worker.log(), "what is lost")
        # Redis is there again, without what it had confirmed.
        redis.ask("FLUSHALL")
        feed(1001, 1002)
        eventually(lambda: "has lost 1000 entries" in log.read_text(), "what Redis has lost")
    finally:
        os.close(pipe_in)
        if worker is not None:
            worker.stop()
        assert feeder.wait(PATIENCE) == 0


def newest(redis: Redis) -> int:
    """Return the number of the newest entry of the first stream."""
    found = redis.ask("XREVRANGE", STREAMS[0], "+", "-", "COUNT", "1")
    return int(found[0][0].partition("-")[2]) if found else 0


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
