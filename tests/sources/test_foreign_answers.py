"""Whatever a module answers over HTTP is a frame or a sentence, and the next answer is read again.

A real server on loopback answers what hypothesis makes: whole answers, however they are framed, and
the same with something lost, doubled or put between.
"""

import asyncio
import re
from collections.abc import Generator, Iterator
from typing import Final

import pytest
from fuzz import sources
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.module import CELL, FakeModule, answer
from support.mutations import WIRE
from support.receiver import Calls, RecordingReceiver

from recbms_zmq.sources import backoff
from recbms_zmq.sources.http import HttpSource

SENTENCE = re.compile(
    r"the BMS gave no valid answer|the answer is not a frame of a BMS"
    r"|the BMS answered with HTTP status \d{3}"
    r"|the answer was longer than --max-frame|connection reset by peer"
)
LIMIT = 4096
SPACES = st.sampled_from(["", " ", "\t", "  "])
_HEADERS: Final = (
    *("Server: x", "Connection: close", "X:", "Content-Type: a; charset=\xff", " y", "z : z", ":"),
    *("Set-Cookie: " + "a" * 2000, "Transfer-Encoding: identity", "Content-Encoding: gzip"),
)
HEADERS = st.sampled_from(_HEADERS)
CONTENTS = st.just(CELL) | st.binary(max_size=40) | WIRE.filter(lambda data: len(data) <= LIMIT)


def anycase(draw: st.DrawFn, word: str) -> str:
    return draw(st.sampled_from([word, word.lower(), word.upper()]))


@st.composite
def framed(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Make a whole answer; return it and its content."""
    content = draw(CONTENTS)
    end = draw(st.sampled_from(["\r\n", "\n"]))
    reason = draw(st.sampled_from([" OK", " ", " \xff\xfe"]))
    lines = [f"HTTP/1.{draw(st.sampled_from('01'))} 200{reason}"]
    lines += draw(st.lists(st.sampled_from(["Server: x", "X:", "Connection: close"]), max_size=2))
    how = draw(st.sampled_from(["length", "chunks", "end"]))
    if how == "length":
        length = f"{draw(SPACES)}{len(content)}{draw(SPACES)}"
        lines.append(f"{anycase(draw, 'Content-Length')}:{length}")
    elif how == "chunks":
        lines.append(f"{anycase(draw, 'Transfer-Encoding')}: chunked")
        end = "\r\n"
    head = f"{end.join(lines)}{end}{end}".encode("latin-1")
    return head + (_chunks(draw, content, end) if how == "chunks" else content), content


def _chunks(draw: st.DrawFn, content: bytes, end: str) -> bytes:
    """Put content into chunks of any sizes."""
    data, rest = b"", content
    while rest:
        size = draw(st.integers(1, len(rest)))
        digits = draw(st.sampled_from(["{:x}", "{:X}", "0{:x}"])).format(size)
        extension = draw(st.sampled_from(["", ";a=b", "; a"]))
        data += f"{digits}{extension}{end}".encode() + rest[:size] + end.encode()
        rest = rest[size:]
    return data + f"0{end}{draw(st.sampled_from(['', f'X: y{end}']))}{end}".encode()


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """Break an answer as a bad module or a wrong address does."""
    data, _ = draw(framed())
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        how = draw(st.sampled_from(["cut", "lose", "double", "insert", "status", "header"]))
        if how == "cut":
            data = data[:start]
        elif how == "lose":
            data = data[:start] + data[start + draw(st.sampled_from([1, 2, 20])) :]
        elif how == "double":
            data = data[:start] + data
        elif how == "insert":
            data = data[:start] + draw(st.binary(max_size=4)) + data[start:]
        elif how == "status":
            status = draw(st.sampled_from([b"100", b"204", b"301", b"404", b"503", b"20", b"999"]))
            data = data.replace(b"200", status, 1)
        else:
            header = draw(HEADERS | st.text(max_size=9)).encode("latin-1", "replace")
            data = data.replace(b"\n", b"\n" + header + b"\r\n", 1)
    return data


@pytest.fixture(scope="module")
def module() -> Iterator[FakeModule]:
    module = FakeModule()
    yield module
    module.close()


def at_once(**_: float) -> Generator[float]:
    while True:
        yield 0.0


def asked(module: FakeModule, first: bytes) -> Calls:
    """Return what is heard of a module that answers this first, and then properly."""
    module.answers = [first, answer()]

    async def run() -> Calls:
        receiver = RecordingReceiver()
        source = HttpSource(module.url, interval=0.0, max_frame=LIMIT)
        task = asyncio.create_task(source.run(receiver))
        good = ("frame", CELL.decode())
        await receiver.until(lambda: len(receiver.calls) > 2 and receiver.calls[-1] == good)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return receiver.calls

    return asyncio.run(run())


FUNCTION_SCOPED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(framed())
@FUNCTION_SCOPED
def test_a_whole_answer_is_read_however_it_is_framed(
    monkeypatch: pytest.MonkeyPatch, module: FakeModule, case: tuple[bytes, bytes]
) -> None:
    monkeypatch.setattr(backoff, "reconnect_delays", at_once)
    data, content = case
    assert asked(module, data)[:2] == [("connected", ""), ("frame", content.decode("latin-1"))]


@given(broken() | st.binary(max_size=200))
@FUNCTION_SCOPED
def test_any_answer_is_a_frame_or_a_sentence_and_the_next_one_is_read(
    monkeypatch: pytest.MonkeyPatch, module: FakeModule, data: bytes
) -> None:
    monkeypatch.setattr(backoff, "reconnect_delays", at_once)
    calls = asked(module, data)
    for what, text in calls:
        assert what != "disconnected" or SENTENCE.fullmatch(text)
        assert what != "frame" or len(text) <= LIMIT


@given(broken() | st.binary(max_size=200).map(lambda data: b"HTTP/1.1 200 OK\r\n" + data))
def test_what_is_read_is_what_another_client_reads(data: bytes) -> None:
    sources.http_answer(data)
