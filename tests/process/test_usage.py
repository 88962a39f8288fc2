"""Mistakes on the command line, in the file and in the environment, and what goes to the log."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.bms import FakeBms
from support.fixtures import MakeBms, Run, Start
from support.process import PACKAGE_PARENT

from recbms_zmq import __version__
from recbms_zmq.cli.dispatch import COMMANDS

URL = "ws://127.0.0.1:1/ws"

WRONG_OPTIONS = {
    "": "say what to do, for example recbms-zmq demo (try: recbms-zmq --help)",
    "rnu": "'rnu' is not a command; did you mean run? (try: recbms-zmq --help)",
    "run": (
        "no BMS to read: give its address, for example ws://192.168.8.2/ws, or a --config file"
    ),
    "run 192.168.8.2": (
        "SOURCE: expected a source: ws://HOST/ws, wss://HOST/ws, http://HOST/cell, sim:, "
        "replay:FILE, or - for stdin (perhaps ws://192.168.8.2/ws?), got '192.168.8.2'"
    ),
    f"run --stale {URL}": (
        "--stale is not an option or argument of recbms-zmq run; did you mean --stale-after? "
        "(try: recbms-zmq run --help)"
    ),
    f"run --stale-after soon {URL}": (
        "--stale-after: expected seconds, a number above 0, got 'soon'"
    ),
    f"run --emit all {URL}": "--emit: expected one of readings, snapshot, both, got 'all'",
    f"run --publish 5556 {URL}": (
        "--publish: expected a ZeroMQ endpoint, tcp://ADDRESS:PORT or ipc://PATH, got '5556'"
    ),
    f"run --no-stdout --no-publish {URL}": ("nothing to do: neither stdout nor ZeroMQ is wanted"),
    f"run a={URL} a={URL}": (
        "SOURCE: a second BMS is called 'a'; give it a name of its own, as NAME=SOURCE"
    ),
    "check tcp://u:secret@h": (
        "TARGET: expected a ZeroMQ endpoint, tcp://ADDRESS:PORT or ipc://PATH, got 'tcp://***@h'"
    ),
    "run --hwm": "argument --hwm: expected one argument (try: recbms-zmq run --help)",
}


@pytest.mark.parametrize("words", WRONG_OPTIONS)
def test_a_wrong_option_is_one_sentence_and_2(words: str, start: Start) -> None:
    process = start(*words.split())
    assert process.wait() == 2
    assert process.stdout.all() == []
    (line,) = process.stderr.all()
    assert line.decode().startswith(f"recbms-zmq: {WRONG_OPTIONS[words]}")


WRONG_FILES = {
    "bms = 5": "{path}: bms: expected [[bms]] tables, got 5",
    "[[bms]]": "{path}: [[bms]] number 1: url is missing; expected a source: ",
    "report = 'everything'": "{path}: report: expected one of changes, all, got 'everything'",
    "[[bms]]\nurl = 'ws://x'\nstale = 1": (
        "{path}: [[bms]] number 1: 'stale' is not an option; did you mean stale_after?"
    ),
    "[[bms]": "{path} is not valid TOML: ",
}


@pytest.mark.parametrize("content", WRONG_FILES)
def test_a_wrong_file_is_one_sentence_and_78(content: str, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "recbms.toml"
    path.write_text(content, encoding="utf-8")
    process = run("--config", str(path))
    assert process.wait() == 78
    (line,) = process.stderr.all()
    assert line.decode().startswith(f"recbms-zmq: {WRONG_FILES[content].format(path=path)}")


def test_a_file_that_is_not_there_is_78(run: Run, tmp_path: Path) -> None:
    process = run("--config", str(tmp_path / "none.toml"))
    assert process.wait() == 78
    assert process.stderr.text() == (
        f"recbms-zmq: cannot read {tmp_path}/none.toml: No such file or directory\n"
    )


def test_a_wrong_variable_is_78_and_one_that_is_none_a_warning(bms: FakeBms, run: Run) -> None:
    wrong = run("--no-publish", URL, env={"RECBMS_REFRESH": "often"})
    assert wrong.wait() == 78
    assert wrong.stderr.text() == (
        "recbms-zmq: RECBMS_REFRESH: expected seconds, a number of at least 0.01, got 'often'\n"
    )
    service = run("--no-publish", bms.url, env={"RECBMS_REFESH": "5"})
    service.stderr.line("warning RECBMS_REFESH is not an option; did you mean RECBMS_REFRESH?")
    service.message(key="soc")


def test_the_command_line_beats_the_environment_which_beats_the_file(
    make_bms: MakeBms, run: Run, tmp_path: Path
) -> None:
    bms = make_bms()
    path = tmp_path / "recbms.toml"
    path.write_text(
        f"""
        publish = ["tcp://127.0.0.1:*"]
        prefix = "file"
        refresh = 11
        emit = "snapshot"
        [[bms]]
        name = "house"
        url = "{bms.url}"
        stale_after = 33
        """,
        encoding="utf-8",
    )
    variables = {"RECBMS_PREFIX": "environment", "RECBMS_REFRESH": "22"}
    service = run("--config", str(path), "--prefix", "words", env=variables)
    snapshot = service.message(kind="snapshot")
    assert snapshot["topic"] == "words/house/snapshot"
    shown = run("--config", str(path), "--prefix", "words", "--print-config", env=variables)
    assert shown.wait() == 0
    assert shown.stderr.text() == ""
    assert {
        'prefix = "words"  # --prefix',
        f'name = "house"  # {path}: [[bms]] number 1: name',
        "refresh = 22.0  # RECBMS_REFRESH",
        f'emit = "snapshot"  # {path}: emit',
        f"stale_after = 33.0  # {path}: [[bms]] number 1: stale_after",
        'report = "changes"  # default',
    } <= set(shown.stdout.text().splitlines())


def test_log_lines_have_time_and_level(bms: FakeBms, run: Run) -> None:
    service = run(bms.url)
    service.message(key="soc")
    bms.send("nonsense\nof two lines")
    service.stderr.line("a message was dropped")
    service.stop()
    for line in service.stderr.text().splitlines():
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (info|warning) \S", line)


def test_log_lines_have_priorities_when_the_journal_reads_them(bms: FakeBms, run: Run) -> None:
    reader, writer = os.pipe()
    status = os.fstat(writer)
    stream = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
    service = run("--no-publish", bms.url, stderr=writer, env=stream)
    os.close(writer)
    service.message(key="soc")
    bms.send("nonsense")
    bms.send("{}")
    service.stop()
    with os.fdopen(reader, encoding="utf-8") as log:
        lines = log.read().splitlines()
    assert f"<6>main: reading {bms.url}" in lines
    assert [line[:9] for line in lines if "dropped" in line] == ["<4>main: "] * 2
    assert all(re.match(r"<[346]>\S", line) for line in lines)


def test_another_stream_is_not_the_journal(bms: FakeBms, run: Run) -> None:
    service = run("--no-publish", bms.url, env={"JOURNAL_STREAM": "8:12345"})
    service.message(key="soc")
    service.stop()
    assert not re.search("^<", service.stderr.text(), re.MULTILINE)


def test_the_log_level_is_obeyed(bms: FakeBms, run: Run) -> None:
    service = run("--no-publish", "--log-level", "error", bms.url)
    service.message(key="soc")
    bms.send("nonsense")
    bms.drop()
    bms.wait_for_connections(2)
    assert service.stop() == 0
    assert service.stderr.all() == []


def test_with_stderr_closed_it_runs_all_the_same(bms: FakeBms, run: Run) -> None:
    shell = ["sh", "-c", f'exec {sys.executable} -m recbms_zmq "$@" 2>&-', "sh"]
    service = run("--no-publish", bms.url, python=shell)
    service.message(key="soc")
    assert service.stop() == 0


def test_the_version_is_printed(start: Start) -> None:
    process = start("--version")
    assert process.wait() == 0
    assert process.stdout.text() == f"recbms-zmq {__version__}\n"


@pytest.mark.parametrize("command", ["run", "demo", "listen", "sensors"])
def test_every_command_explains_itself(command: str, start: Start) -> None:
    process = start(command, "--help")
    assert process.wait() == 0
    assert process.stdout.text().startswith(f"usage: recbms-zmq {command} ")
    assert process.stderr.all() == []


# What `run` has no use for: other commands' parts, other ways of doing the same, and what is
# needed for options that were not given.
UNWANTED = {
    "difflib",
    "http.server",
    "recbms_zmq.cli.listen",
    "recbms_zmq.cli.sensors",
    "recbms_zmq.nodered",
    "recbms_zmq.service.once",
    "recbms_zmq.simulator",
    "recbms_zmq.sources.simulated",
    "recbms_zmq.service.counters",
    "tomllib",
    "unittest",
    "websockets.asyncio.server",
    "websockets.legacy",
    "websockets.sync",
    "zmq.asyncio",
    "zmq.auth",
    "zmq.green",
}


def test_nothing_is_imported_that_run_does_not_need(bms: FakeBms, run: Run) -> None:
    service = run(bms.url, python=[sys.executable, "-X", "importtime", "-m", "recbms_zmq"])
    service.endpoint()
    service.message(key="soc")
    assert service.stop() == 0
    imported = {
        line.rpartition("|")[2].strip()
        for line in service.stderr.text().splitlines()
        if line.startswith("import time:")
    }
    assert {"recbms_zmq.service.service", "recbms_zmq.sources.websocket", "zmq"} <= imported
    assert imported & UNWANTED == set()


@pytest.mark.parametrize("arguments", [["--version"], *([name, "--help"] for name in COMMANDS)])
def test_help_and_version_load_no_network_library(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from recbms_zmq.cli import main\n"
        f"try: main({arguments})\n"
        "except SystemExit: pass\n"
        "network = {'zmq', 'websockets', 'asyncio', 'ssl', 'socket', 'http', 'rich'}\n"
        "print(sorted(network & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": PACKAGE_PARENT},
        check=True,
        capture_output=True,
        text=True,
    )
    assert result.stdout.splitlines()[-1] == "[]"


def test_the_library_can_be_used_without_the_service() -> None:
    """A program that decodes messages pays for that and nothing else."""
    program = (
        "import sys, recbms_zmq\n"
        "heavy = {'zmq', 'websockets', 'asyncio', 'ssl', 'argparse'}\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & heavy))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": PACKAGE_PARENT},
        check=True,
        capture_output=True,
        text=True,
    )
    assert result.stdout == "[]\n"
