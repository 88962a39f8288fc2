"""Lines on stdout: whole, in order, and never at the expense of anything else."""

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from support.bms import FakeBms
from support.fixtures import MakeBms, Run, Subscribe
from support.frames import STATUS, status
from support.process import Lines, command, socket_pair, terminal
from support.subscriber import Subscriber, has_voltage
from support.waiting import eventually

pytestmark = pytest.mark.slow

MEBIBYTE = 2**20


KINDS = [os.pipe, socket_pair, terminal]


@contextmanager
def connected(make: Callable[[], tuple[int, int]]) -> Iterator[tuple[int, int]]:
    ours, theirs = make()
    try:
        yield ours, theirs
    finally:
        os.close(ours)
        os.close(theirs)


def feed(bms: FakeBms, subscriber: Subscriber, numbers: range, **shape: int) -> None:
    """Send a frame for each number, each when all of the one before has come out of ZeroMQ."""
    for number in numbers:
        bms.send(status(vbat=number / 100, **shape))
        message = subscriber.until(partial(has_voltage, volts=number / 100))
        if message["kind"] == "reading":
            subscriber.message(key="link/frame_interval")


def seqs_by_topic(bodies: list[bytes]) -> dict[str, list[int]]:
    """Return the counts of every topic's messages; a line that was cut is no JSON."""
    found: dict[str, list[int]] = {}
    for body in bodies:
        message = json.loads(body)
        found.setdefault(message["topic"], []).append(message["seq"])
    return found


@pytest.mark.parametrize(
    ("make", "emit"),
    [*((make, "readings") for make in KINDS), (os.pipe, "snapshot")],
)
def test_a_reader_asleep_holds_up_nothing_and_then_gets_the_newest_line_of_every_topic(
    make: Callable[[], tuple[int, int]],
    emit: str,
    make_bms: MakeBms,
    run: Run,
    subscribe: Subscribe,
) -> None:
    # A snapshot of this pack is a line of 5 kB, which a pipe does not take in one piece.
    shape = {"units": 4, "cells": 16} if emit == "snapshot" else {}
    bms = make_bms(greeting=[])
    with connected(make) as (ours, theirs):
        options = ["--emit", emit, "--report", "all", "--stale-after", "1000"]
        service = run(*options, bms.url, stdout=theirs)
        subscriber = subscribe(service.endpoint())
        feed(bms, subscriber, range(1000, 1100), **shape)
        memory = service.memory
        feed(bms, subscriber, range(1100, 1400), **shape)
        assert service.memory < memory + MEBIBYTE

        # The reader wakes up, gets what it has missed, and then everything as before.
        newest = {topic: seqs[-1] for topic, seqs in seqs_by_topic(subscriber.bodies).items()}
        final = set({json.loads(body)["topic"]: body for body in subscriber.bodies}.values())
        lines = Lines(os.fdopen(os.dup(ours), "rb"))
        lines.until(lambda found: final <= set(found), "the newest lines")
        for number in range(1400, 1402):
            before = len(subscriber.bodies)
            feed(bms, subscriber, range(number, number + 1), **shape)
            # One by one: a terminal holds less than two frames, and the reader may be late.
            lines.until(set(subscriber.bodies[before:]).issubset, "the next lines")
        assert service.stop() == 0
    for topic, seqs in seqs_by_topic(lines.all()).items():
        gaps = [after for before, after in pairwise(seqs) if after != before + 1]
        assert gaps in ([], [newest[topic]]), topic
        if topic.endswith(("/voltage", "/snapshot")):
            assert gaps, "the reader was not asleep"
            assert seqs[-1] == newest[topic] + 2


@pytest.mark.parametrize("make", KINDS)
def test_no_flag_of_a_shared_stdout_is_changed(
    make: Callable[[], tuple[int, int]], bms: FakeBms, run: Run
) -> None:
    with connected(make) as (ours, theirs):
        before = fcntl.fcntl(theirs, fcntl.F_GETFL)
        service = run("--no-publish", "--format", "json", bms.url, stdout=theirs)
        lines = Lines(os.fdopen(os.dup(ours), "rb"))
        lines.line('"key":"soc"')
        during = fcntl.fcntl(theirs, fcntl.F_GETFL)
        assert service.stop() == 0
        after = fcntl.fcntl(theirs, fcntl.F_GETFL)
    lines.all()
    assert before == during == after


@pytest.mark.parametrize("make", [socket_pair, terminal])
def test_a_reader_that_is_gone_ends_it(
    make: Callable[[], tuple[int, int]], make_bms: MakeBms, run: Run
) -> None:
    bms = make_bms(greeting=[])
    ours, theirs = make()
    service = run("--no-publish", "--format", "json", bms.url, stdout=theirs)
    os.close(theirs)
    os.read(ours, 1)
    os.close(ours)
    bms.send(STATUS)
    assert service.wait() == 141


def test_a_file_gets_whole_lines_and_is_appended_to(bms: FakeBms, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("before\n", encoding="ascii")
    with path.open("ab") as file:
        service = run("--no-publish", bms.url, stdout=file)
    eventually(lambda: b"remote_switch" in path.read_bytes(), "the last line in the file")
    assert service.stop() == 0
    first, *lines = path.read_text(encoding="ascii").splitlines()
    assert first == "before"
    assert [json.loads(line)["seq"] for line in lines][-1] == 3


def test_a_full_disk_is_reported_and_ends_it(bms: FakeBms, run: Run) -> None:
    with Path("/dev/full").open("wb") as full:
        service = run("--no-publish", bms.url, stdout=full)
        assert service.wait() == 73
    assert service.stderr.text().endswith(
        "recbms-zmq: cannot write to standard output: No space left on device\n"
    )


def test_a_file_size_limit_leaves_what_fits(bms: FakeBms, run: Run, tmp_path: Path) -> None:
    """A short write to a file is followed by the reason."""
    path = tmp_path / "log.jsonl"
    shell = ["bash", "-c", f'ulimit -f 2; exec {" ".join(command())} "$@" >{path}', "bash"]
    service = run("--no-publish", bms.url, python=shell)
    assert service.wait() == 73
    assert path.stat().st_size == 2 * 1024
    assert service.stderr.text().endswith("File too large\n")


def test_without_stdout_it_publishes_all_the_same(
    bms: FakeBms, run: Run, subscribe: Subscribe
) -> None:
    shell = ["sh", "-c", f'exec {" ".join(command())} "$@" >&- <&-', "sh"]
    service = run("--no-stdout", bms.url, python=shell)
    subscribe(service.endpoint()).message(key="soc")
    assert service.stop() == 0


@pytest.mark.parametrize("make", KINDS)
def test_a_log_without_a_reader_holds_up_nothing(
    make: Callable[[], tuple[int, int]],
    make_bms: MakeBms,
    run: Run,
    subscribe: Subscribe,
    tmp_path: Path,
) -> None:
    """Both outputs go to one reader, and it is asleep: `recbms-zmq run … 2>&1 | …`."""
    bms = make_bms(greeting=[])
    endpoint = f"ipc://{tmp_path}/pub"
    with connected(make) as (ours, theirs):
        options = ["--publish", endpoint, "--report", "all", "--stale-after", "1000"]
        service = run(*options, bms.url, stdout=theirs, stderr=theirs)
        subscriber = subscribe(endpoint)
        feed(bms, subscriber, range(1000, 1050))
        bms.send("not JSON", "[]", '{"type":"unheard of"}')
        feed(bms, subscriber, range(1050, 1051))

        lines = Lines(os.fdopen(os.dup(ours), "rb"))
        lines.until(lambda found: subscriber.bodies[-1] in found, "the newest lines")
        bms.send("{}")
        lines.line("an object without type")
        assert service.stop() == 0
    # Log lines that find no room are counted in the next line that does.
    logged = [line for line in map(bytes.decode, lines.all()) if not line.startswith("{")]
    words = ("online", "add up to", "not JSON", "not a JSON object", "unknown message type")
    arrived = sum(any(word in line for line in logged) for word in words)
    lost = sum(
        int(n) for line in logged for n in re.findall(r"\((\d+) lines before this one", line)
    )
    if make is not terminal:  # which takes lines in pieces, so that two writers mix theirs
        assert arrived + lost == len(words)
    assert json.loads(lines.all()[-1])["reason"] == "stopped"
