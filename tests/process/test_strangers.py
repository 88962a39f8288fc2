"""Clients that only want to do harm: the command goes on, in bounded memory, and logs them once."""

import contextlib
import resource
import socket
import time

import pytest
import zmq
from support.bms import FakeBms
from support.fixtures import Run, Subscribe
from support.frames import status
from support.process import Command
from support.waiting import eventually

pytestmark = pytest.mark.slow

MEBIBYTE = 2**20


def address(service: Command) -> tuple[str, int]:
    return "127.0.0.1", int(service.endpoint().rpartition(":")[2])


def warnings(service: Command) -> list[str]:
    lines = service.stderr.text().splitlines()
    return [line.partition(" warning ")[2] for line in lines if "refused a sub" in line]


def test_a_flood_of_subscriptions_is_ended_in_bounded_memory(
    bms: FakeBms, run: Run, subscribe: Subscribe
) -> None:
    count, reason = 200_000, "it has too many subscriptions"
    service = run(bms.url)
    service.message(key="settings/remote_switch")
    memory = service.memory
    with zmq.Context() as context, context.socket(zmq.XSUB) as hostile:
        hostile.set(zmq.LINGER, 0)
        hostile.set(zmq.SNDHWM, 0)
        hostile.connect(service.endpoint())
        for number in range(count):
            hostile.send(b"\x01%09d" % number)
            if number % (count // 20) == 0:
                bms.send(status(vbat=10 + number / count))
                service.message(key="voltage", payload=round(10 + number / count, 2))
        service.stderr.line(reason)
        assert service.memory < memory + 64 * MEBIBYTE
        subscribe(service.endpoint(), "recbms/main/soc").message(key="soc")
    assert service.stop() == 0
    (warning,) = warnings(service)
    assert warning.startswith(f"refused a subscriber from 127.0.0.1: {reason}")


def test_without_descriptors_the_bms_is_read_and_subscribers_come_back(
    bms: FakeBms, run: Run, subscribe: Subscribe
) -> None:
    def few_descriptors() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))

    service = run("--stale-after", "1000", bms.url, preexec_fn=few_descriptors)
    service.message(key="settings/remote_switch")
    early = subscribe(service.endpoint())
    early.message(key="soc")
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(socket.create_connection(address(service)))
        service.stderr.line("no file descriptor is left for")
        bms.send(status(vbat=12.5))
        service.message(key="voltage", payload=12.5)
        early.message(key="voltage", payload=12.5)
        # The BMS drops the link: a descriptor for a new one is free.
        bms.drop()
        bms.wait_for_connections(2)
        bms.send(status(vbat=12.6))
        service.message(key="voltage", payload=12.6)
        eventually(lambda: rests(service), "rest")
    late = subscribe(service.endpoint())
    late.message(key="soc")
    assert service.stop() == 0
    lines = service.stderr.text().splitlines()
    shortage = [line.partition(" warning ")[2] for line in lines if "no file descriptor" in line]
    assert len(shortage) == len(set(shortage)) <= 2


def rests(service: Command) -> bool:
    """Return whether the process needs less than a fifth of a core for a while."""
    began, used = time.monotonic(), service.cpu_seconds
    time.sleep(0.5)
    return service.cpu_seconds - used < 0.2 * (time.monotonic() - began)


def test_clients_that_read_nothing_cost_bounded_memory(
    bms: FakeBms, run: Run, subscribe: Subscribe
) -> None:
    """200 queues of the default 10,000 messages would take 256 MiB."""
    service = run("--report", "all", "--no-stdout", bms.url)
    awake = subscribe(service.endpoint(), "recbms/main/voltage")
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x01NULL" + bytes(16 + 1 + 31)
    ready = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03SUB"
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            client = stack.enter_context(socket.create_connection(address(service)))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(greeting + ready + b"\x00\x01\x01")
        memory = service.memory
        for number in range(1000, 1080):
            bms.send(status(units=4, cells=16, vbat=number / 100))
            awake.message(key="voltage", payload=number / 100)
        assert service.memory < memory + 100 * MEBIBYTE
    assert service.stop() == 0
