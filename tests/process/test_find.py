"""`recbms-zmq find` in a network of its own: hosts that are a BMS, refuse, hang and lie."""

import json
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from support.bms import Connection, FakeBms
from support.fixtures import Start
from support.frames import SETTINGS, STATUS
from support.module import FakeModule, answer
from support.namespace import can_have_a_network, own_network
from support.process import Command
from support.raw_server import RawServer, raw_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_have_a_network(), reason="takes root, and Linux's namespaces"),
]
NEW, OLD, ABSENT, HANGING, PAGE, LOCKED, SILENT, ENDLESS, ELSEWHERE, SSH = (
    f"10.77.0.{number}" for number in range(2, 12)
)
HOSTS = (NEW, OLD, ABSENT, HANGING, PAGE, LOCKED, SILENT, ENDLESS, ELSEWHERE, SSH)
RAW = {
    HANGING: None,
    PAGE: answer(b"<!DOCTYPE html><title>Router</title>"),
    LOCKED: answer(status="401 Unauthorized"),
    ENDLESS: b"HTTP/1.1 200 OK\r\n\r\n" + b'{"bms_array": ' * 200_000,
    ELSEWHERE: answer(status="302 Found", headers="Location: http://10.99.0.1/cell\r\n"),
    SSH: b"SSH-2.0-OpenSSH_9.2\r\n",
}
PACK = "unit 2: 4 cells, 1 temperature sensor; 28.5 %"
FOUND = {
    NEW: [
        f"{NEW}  ABMS, LiFePO4 Winston, 320 Ah; {PACK}",
        f"    recbms-zmq run ws://{NEW}/ws",
    ],
    OLD: [f"{OLD}  {PACK}", f"    recbms-zmq run http://{OLD}/cell"],
    LOCKED: [
        f"{LOCKED}  may be a BMS (the BMS answered with HTTP status 401)",
        f"    recbms-zmq check {LOCKED}",
    ],
}
"""What is printed at once of each; `SILENT` has two reasons, in any order."""


async def send_nothing(connection: Connection) -> None:
    await connection.wait_closed()


@pytest.fixture
def network() -> Iterator[dict[str, RawServer]]:
    """A network of 30 addresses with these hosts; returns those that speak no websocket."""
    with ExitStack() as stack:
        stack.enter_context(own_network("10.77.0.1/27", hosts=HOSTS))
        for bms in (
            FakeBms(greeting=[SETTINGS, *[STATUS] * 4], host=NEW, port=80),
            FakeBms(behave=send_nothing, host=SILENT, port=80),
        ):
            stack.callback(bms.close)
            bms.start()
        module = FakeModule(answer(status="404 Not Found"), answer(), address=(OLD, 80))
        stack.callback(module.close)
        yield {
            host: stack.enter_context(raw_server(text, (host, 80))) for host, text in RAW.items()
        }


def announcement(find: Command) -> str:
    return find.stderr.line("looking for")


def test_every_bms_of_the_network_is_found_and_nothing_else(
    start: Start, network: dict[str, RawServer]
) -> None:
    # Longer than a busy machine takes to answer.
    find = start("find", "--timeout", "8")
    text = find.stdout.text()
    assert find.wait() == 0
    assert find.stderr.text() == (
        "recbms-zmq: looking for a REC BMS in 10.77.0.0/27: 30 addresses, port 80, 32 at a time, "
        "one connection to each at a time; about 8 s at most. Ctrl-C ends it.\n"
    )
    *lines, verdict = text.splitlines()
    found = {lines[at].split()[0]: lines[at : at + 2] for at in range(0, len(lines), 2)}
    silent = found.pop(SILENT)
    assert found == FOUND
    assert silent[0].startswith(f"{SILENT}  may be a BMS (nothing received")
    assert silent[1] == f"    recbms-zmq check {SILENT}"
    assert verdict == (
        "2 BMS found in 10.77.0.0/27; others: 2 possible, 3 with another web server, 2 without "
        "a web server, 21 without an answer"
    )
    # One connection to what is no web server, and no more than /ws and /cell to what is one.
    requests = {
        host: [request.split()[1].decode() for request in server.requests]
        for host, server in network.items()
    }
    both, first = ["/ws", "/cell"], ["/ws"]
    assert requests == {
        HANGING: first,
        LOCKED: first,
        ELSEWHERE: first,
        PAGE: both,
        ENDLESS: both,
        SSH: both,
    }


def test_json_has_the_same_for_programs(start: Start, network: dict[str, RawServer]) -> None:
    assert network
    find = start("find", "--json", "--timeout", "60", f"{NEW}/30")
    facts = json.loads(find.stdout.text())
    assert find.wait() == 0
    unit = {"address": 2, "cells": 4, "sensors": 1}
    device = {"model": "ABMS", "chemistry": "LiFePO4 Winston", "capacity": 320.0}
    assert facts == {
        "networks": ["10.77.0.0/30"],
        "addresses": 2,
        "bms": [
            {
                "address": NEW,
                "url": f"ws://{NEW}/ws",
                "command": f"recbms-zmq run ws://{NEW}/ws",
                "device": {"units": [unit], **device},
                "soc": 28.5,
            }
        ],
        "possible": [],
        "verdict": ("1 BMS found in 10.77.0.0/30; others: 1 without a web server"),
        "next_step": None,
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once(
    start: Start, network: dict[str, RawServer], number: signal.Signals
) -> None:
    assert network
    find = start("find", "--timeout", "600")
    find.stdout.line(NEW)  # the others are being asked
    find.send_signal(number)
    assert find.wait() in (130, -number)
    assert "Traceback" not in find.stderr.text()


def test_nothing_found_is_an_error_with_what_to_try_next(start: Start) -> None:
    with own_network("10.77.0.1/30"):
        find = start("find")
        text = find.stdout.text()
        assert find.wait() == 69
    assert text.startswith(
        "no BMS found in 10.77.0.0/30; others: 1 without a web server, 1 without an "
        "answer\nIs the module on"
    )
    assert re.search(r"name\s+it:\s+recbms-zmq\s+find\s+192\.168\.8\.0/24", text)


def test_only_private_networks_of_a_few_addresses_are_searched(start: Start) -> None:
    with own_network("10.5.6.7/16", "203.0.113.5/24"):
        find = start("find")
        assert find.wait() == 2
    assert find.stderr.text() == (
        "recbms-zmq: 10.5.0.0/16 has 65,534 addresses, which is too many; to look in a part of it: "
        "recbms-zmq find 10.5.4.0/22\n"
        "recbms-zmq: this machine is in no private network of at most 1,022 addresses: name one, "
        "as in recbms-zmq find 192.168.8.0/24\n"
    )
    assert find.stdout.all() == []
