"""What `check HOST` finds at a host, and what it advises for each answer."""

import asyncio

import pytest
from support.bms import Behaviour, Connection, FakeBms, close_at_once
from support.fixtures import MakeBms
from support.module import FakeModule, answer
from support.raw_server import raw_server

from recbms_zmq.check.addresses import candidates
from recbms_zmq.check.next_steps import NO_DATA, SILENT
from recbms_zmq.check.search import Search, search
from recbms_zmq.check.sweep import answer_of
from recbms_zmq.sources import Source
from recbms_zmq.sources.http import HttpSource
from recbms_zmq.sources.websocket import WebSocketSource


def open_source(url: str) -> Source:
    return HttpSource(url) if url.startswith("http") else WebSocketSource(url)


def find(target: str, seconds: float = 30) -> Search:
    return asyncio.run(search(candidates(target), open_source, seconds, stay=False))


def test_the_websocket_is_found(bms: FakeBms) -> None:
    found = find(bms.authority)
    assert (found.url, found.failures) == (bms.url, {})
    assert found.probe.is_typed


def test_the_page_of_older_firmware_is_found() -> None:
    module = FakeModule(answer(status="404 Not Found"), answer())
    try:
        found = find(module.authority)
    finally:
        module.close()
    assert found.url == module.url
    assert list(found.failures) == [f"ws://{module.authority}/ws"]
    assert len(module.requests) == 2


def page(status: str, content: bytes = b"", headers: str = "") -> bytes:
    return answer(content, status=status, headers=headers)


LOGIN = b"\xef\xbb\xbf\r\n<!DOCTYPE html><form action=login>"


@pytest.mark.parametrize(
    ("response", "tried", "advice"),
    [
        (page("404 Not Found"), 2, "neither /ws nor /cell"),
        (page("400 Bad Request"), 2, "neither /ws nor /cell"),
        (page("200 OK", b"{}"), 2, "neither /ws nor /cell"),
        (page("200 OK", LOGIN), 2, "a login page"),
        (page("401 Unauthorized"), 1, "asks for a password"),
        (page("403 Forbidden"), 1, "asks for a password"),
        (page("429 Too Many Requests"), 1, "too many clients"),
        (page("503 Service Unavailable"), 1, "too many clients"),
        (page("302 Found", headers="Location: http://127.0.0.1:9/x\r\n"), 1, "redirects"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", 2, "neither /ws nor /cell"),
    ],
)
def test_each_answer_gets_its_advice(response: bytes, tried: int, advice: str) -> None:
    with raw_server(response) as server:
        found = find(server.authority)
    assert (found.url, len(found.failures)) == (None, tried)
    assert advice in found.next_step


NO_PAGE = "the BMS answered with HTTP status 426"


@pytest.mark.parametrize(
    ("behave", "failure", "advice"),
    [
        (Connection.wait_closed, "nothing received", SILENT),
        (close_at_once, "connection closed by the BMS, code 1000 (OK)", "too many clients"),
    ],
    ids=["silent", "closing"],
)
def test_a_websocket_without_frames_gets_the_advice_and_not_the_missing_page(
    make_bms: MakeBms, behave: Behaviour, failure: str, advice: str
) -> None:
    bms = make_bms(behave=behave)
    found = find(bms.authority, seconds=1)
    page = f"http://{bms.authority}/cell"
    assert found.failures == {bms.url: failure, page: NO_PAGE}
    assert found.probe.connected_after is not None
    assert advice in found.next_step
    assert answer_of(found) == "possible"


def test_a_module_whose_bms_is_away_is_a_module(make_bms: MakeBms) -> None:
    found = find(make_bms(greeting=['{"type":"status"}']).authority, seconds=1)
    assert found.next_step == NO_DATA
    assert answer_of(found) == "possible"


def test_a_refused_connection_ends_the_search(make_bms: MakeBms) -> None:
    bms = make_bms()
    bms.stop()
    found = find(bms.authority)
    assert found.failures == {bms.url: "connection refused"}
    assert "is it the module's address" in found.next_step


def test_a_host_that_does_not_answer_ends_the_search() -> None:
    with raw_server(None) as server:
        found = find(server.authority, seconds=0.3)
    assert found.failures == {f"ws://{server.authority}/ws": "no answer"}
    assert "Is the module on" in found.next_step


def test_a_name_that_cannot_be_resolved_ends_the_search() -> None:
    found = find("no-such-bms.invalid")
    assert list(found.failures) == ["ws://no-such-bms.invalid/ws"]
    assert "check its spelling" in found.next_step
