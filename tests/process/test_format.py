"""`run --format`: lines for people on a terminal, JSON in a pipe; or what is asked for."""

import csv
import os
import pty
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support.bms import FakeBms
from support.fixtures import MakeBms, Run, Start, Subscribe
from support.frames import SETTINGS, STATUS, status
from support.process import Command, Lines

STATE = re.compile(r"\d\d:\d\d:\d\d   28\.5 %   13\.24 V    \+7\.46 A  charging, full in 31 h")


class Pty(NamedTuple):
    """A terminal: where a program writes, and the lines that come out."""

    fd: int
    lines: Lines


@pytest.fixture
def terminal() -> Iterator[Pty]:
    ours, theirs = pty.openpty()
    yield Pty(theirs, Lines(os.fdopen(ours, "rb")))
    os.close(theirs)


def until(lines: Lines, pattern: re.Pattern[str]) -> list[str]:
    """Wait for a line that is like this; return the lines until then."""

    def find(found: list[bytes]) -> list[str]:
        shown = [line.decode().rstrip("\r") for line in found]
        places = [number for number, line in enumerate(shown) if pattern.fullmatch(line)]
        return shown[: places[0] + 1] if places else []

    return lines.until(find, pattern.pattern)


def test_a_terminal_gets_lines_for_people_and_subscribers_get_messages(
    bms: FakeBms, run: Run, subscribe: Subscribe, terminal: Pty
) -> None:
    service = run(bms.url, stdout=terminal.fd)
    online, _ = until(terminal.lines, STATE)
    assert re.fullmatch(r"\d\d:\d\d:\d\d  online", online)
    subscribe(service.endpoint()).message(key="soc", payload=28.5)
    assert service.stop() == 0
    service.stderr.line("main: online")  # stderr is no terminal


@pytest.mark.parametrize(
    "option", ["--emit readings", "--report all", "--bare", "--only soc", "--format json"]
)
def test_a_terminal_gets_messages_if_they_are_asked_for(
    bms: FakeBms, run: Run, terminal: Pty, option: str
) -> None:
    run("--no-publish", *option.split(), bms.url, stdout=terminal.fd)
    terminal.lines.line('"topic":"recbms/main/soc","payload":28.5')


def test_a_pipe_gets_what_is_asked_for(make_bms: MakeBms, run: Run) -> None:
    bms = make_bms(greeting=[SETTINGS, STATUS])
    text = run("--no-publish", "--format", "text", bms.url)
    table = run("--no-publish", bms.url, env={"RECBMS_FORMAT": "csv"})
    until(text.stdout, STATE)
    table.stdout.line(",main,online,28.5,")
    bms.stop()
    assert text.stop() == table.stop() == 0
    rows = list(csv.DictReader(table.stdout.text().splitlines()))
    assert (rows[0]["device"], rows[0]["soc"], rows[0]["cell_voltage_min"]) == (
        "main",
        "28.5",
        "3.305",
    )
    assert text.stderr.text().count("main: online") == 1


@pytest.mark.parametrize("form", ["text", "csv"])
def test_once_is_a_line_for_each_bms(make_bms: MakeBms, run: Run, form: str) -> None:
    house, boat = make_bms(), make_bms(greeting=[SETTINGS, status(soc=0.5)])
    service = run("--once", "--format", form, f"house={house.url}", f"boat={boat.url}")
    assert service.wait() == 0
    shown = service.stdout.text().splitlines()
    if form == "csv":
        found = [[row["device"], row["soc"]] for row in csv.DictReader(shown)]
    else:
        found = [line.split()[1:3] for line in shown]
    assert found == [["house", "28.5"], ["boat", "50.0"]]


def test_a_recording_is_shown_whole_whatever_its_speed(
    start: Start, run: Run, tmp_path: Path
) -> None:
    path = str(tmp_path / "pack.jsonl")
    recorder = start("record", "-o", path, "sim:?rate=20", "--duration", "3")
    assert recorder.wait() == 0
    player = run("--no-publish", "--format", "text", f"replay:{path}?speed=0")
    assert player.wait() == 0
    states = [line for line in player.stdout.all() if b" V " in line]
    assert 1 < len(states) < 10  # one a second, of 60 frames


def test_it_can_be_stopped_and_continued(bms: FakeBms, run: Run, terminal: Pty) -> None:
    service = run("--no-publish", bms.url, stdout=terminal.fd)
    until(terminal.lines, STATE)
    service.send_signal(signal.SIGTSTP)
    bms.send(status(erro={"present": 1, "addr": 2, "st": 4, "con_st": 1}))
    service.send_signal(signal.SIGCONT)
    terminal.lines.line("alarm raised: error 4, Cell temperature too high")
    assert service.stop() == 0


# --- a long silence ---


def waits_for(command: Command, *texts: str) -> None:
    command.stderr.line(*texts)
    assert command.stop() == 0
    assert command.stderr.text().count(texts[0]) == 1


@pytest.mark.slow
def test_a_long_silence_is_explained_once(make_bms: MakeBms, run: Run, start: Start) -> None:
    bms = make_bms(greeting=[])
    service = run(bms.url)
    once = run("--once", bms.url)
    monitor = start("monitor", bms.url)
    absent = ["tcp://127.0.0.1:9"]
    listeners = [start("listen", *absent), start("monitor", *absent)]
    unheard = start("listen", "--topic", "boat/", service.endpoint())
    unheard.stderr.line("but no topic begins with boat/ yet")
    for process in (service, monitor):
        waits_for(process, f"main: no status frame from {bms.url} for 5 s", "recbms-zmq check")
    once.stderr.line(f"main: no status frame from {bms.url} for 5 s")
    for process in listeners:
        waits_for(process, f"no service answers at {absent[0]}", "is recbms-zmq run running there?")
