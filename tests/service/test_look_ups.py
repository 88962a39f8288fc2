"""Names that take long to look up, with a name server of our own that answers when it may."""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from recbms_zmq.service import look_ups
from recbms_zmq.service.runner import run
from recbms_zmq.sources.network import explain_failure

Answer = Callable[[], list[Any]]
FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]


class NameServer:
    """Answers each look-up with the next of these, as soon as it may."""

    def __init__(self, *answers: Exception | list[Any]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.may_answer = threading.Event()

    def getaddrinfo(self, host: str, *_: object) -> list[Any]:
        self.asked.append(host)
        answer = self.answers.pop(0)
        assert self.may_answer.wait(60)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def look_up(name: str = "bms.example") -> Any:
    try:
        return await asyncio.get_running_loop().getaddrinfo(name, 80)
    except OSError as exc:
        return explain_failure(exc)


def with_server(
    server: NameServer, work: Coroutine[Any, Any, Any], monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setattr(socket, "getaddrinfo", server.getaddrinfo)
    try:
        return run(work)
    finally:
        server.may_answer.set()


LATE = "the name cannot be looked up: no name server has answered for 0.01 s"


def test_a_look_up_that_does_not_end_is_named_and_the_next_try_has_its_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(look_ups, "LOOK_UP_TIMEOUT", 0.01)
    server = NameServer(FOUND, FOUND)

    async def main() -> list[Any]:
        tries = [await look_up(), await look_up()]
        server.may_answer.set()
        while (found := await look_up()) == LATE:
            pass
        return [*tries, found]

    assert with_server(server, main(), monkeypatch) == [LATE, LATE, FOUND]
    assert server.asked == ["bms.example"]


def test_an_answer_and_a_failure_are_used_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    server = NameServer(FOUND, unknown, FOUND)
    server.may_answer.set()

    async def main() -> list[Any]:
        return [await look_up(), await look_up(), await look_up()]

    reason = "the name cannot be looked up: name or service not known"
    assert with_server(server, main(), monkeypatch) == [FOUND, reason, FOUND]
    assert len(server.asked) == 3


def test_a_failure_that_came_too_late_is_not_the_answer_of_the_next_try(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(look_ups, "LOOK_UP_TIMEOUT", 0.01)
    server = NameServer(socket.gaierror(socket.EAI_AGAIN, "try again"), FOUND)

    async def main() -> list[Any]:
        tries = [await look_up()]
        server.may_answer.set()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, look_ups.LookUpLoop)
        while loop._look_ups:  # noqa: ASYNC110 it ends in a thread
            await asyncio.sleep(0)
        while (found := await look_up()) == LATE:
            pass
        return [*tries, found]

    assert with_server(server, main(), monkeypatch) == [LATE, FOUND]
    assert caplog.text == ""


def test_names_are_looked_up_beside_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    server = NameServer(FOUND, FOUND)

    async def main() -> list[Any]:
        tries = [asyncio.create_task(look_up(name)) for name in ("a.example", "b.example")]
        while len(server.asked) < 2:  # noqa: ASYNC110 asked in threads
            await asyncio.sleep(0)
        server.may_answer.set()
        return [await each for each in tries]

    assert with_server(server, main(), monkeypatch) == [FOUND, FOUND]
