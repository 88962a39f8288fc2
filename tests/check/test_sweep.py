"""How many addresses are asked at a time, and what their answers mean."""

import asyncio
from collections import Counter
from ipaddress import IPv4Address, IPv4Network

import pytest
from support.frames import SETTINGS, STATUS
from support.virtual_time import Timetable, run_in_virtual_time

from recbms_zmq.check.probe import Probe
from recbms_zmq.check.search import Search
from recbms_zmq.check.sweep import Answer, answer_of, sweep
from recbms_zmq.clock import Instant
from recbms_zmq.sources import LiveSource, Receiver


class Crowd:
    """Hosts that refuse after a while, and how many of them are asked at a time."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.now = self.most = 0

    def open_source(self, url: str) -> "Host":
        self.asked[url] += 1
        return Host(self)


class Host(LiveSource):
    sends_settings = True

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd

    async def run(self, receiver: Receiver) -> None:
        self._crowd.now += 1
        self._crowd.most = max(self._crowd.most, self._crowd.now)
        for _ in range(3):
            await asyncio.sleep(0)
        self._crowd.now -= 1
        receiver.disconnected("connection refused", Instant.now())


def test_each_address_is_asked_once_and_32_at_a_time() -> None:
    addresses = list(IPv4Network("192.168.8.0/24").hosts())
    crowd = Crowd()
    answers = asyncio.run(sweep(addresses, crowd.open_source, 30, lambda *_: None))
    assert answers == {"refused": 254}
    assert crowd.most == 32
    assert crowd.asked == {f"ws://{address}/ws": 1 for address in addresses}


@pytest.mark.parametrize(
    ("reasons", "answer"),
    [
        (["no answer within 1 s"], "silent"),
        (["connection refused"], "refused"),
        (["connection refused", "no answer within 1 s"], "silent"),
        (["the BMS answered with HTTP status 404"], "web server"),
        (["the BMS answered with HTTP status 404", "connection refused"], "web server"),
        (["the BMS answered with HTTP status 401"], "possible"),
        (["the BMS answered with HTTP status 503"], "possible"),
        (["nothing received", "the BMS answered with HTTP status 404"], "possible"),
    ],
)
def test_what_is_at_an_address_follows_from_how_its_urls_failed(
    reasons: list[str], answer: Answer
) -> None:
    failures = {f"http://h/{number}": reason for number, reason in enumerate(reasons)}
    probe = Probe(Host(Crowd()))
    assert answer_of(Search(None, probe, failures)) == answer
    assert answer_of(Search("ws://h/ws", probe, failures)) == "bms"


def test_the_model_of_each_bms_is_waited_for() -> None:
    models: list[str | None] = []

    async def run() -> None:
        await sweep(
            [IPv4Address("192.168.8.2")],
            lambda _: Timetable({0.1: STATUS, 2.0: SETTINGS}),
            30,
            lambda _, __, found: models.append(found.probe.normalizer.description.model),
        )

    run_in_virtual_time(run())
    assert models == ["ABMS"]
