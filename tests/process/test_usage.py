"""Mistakes on the command line, in the file and in the environment, and what goes to the log."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.bms import FakeBms
from support.fixtures import Run, Start
from support.frames import status
from support.process import PACKAGE_PARENT
from support.waiting import eventually

from recbms_zmq.cli.dispatch import COMMANDS

URL = "ws://127.0.0.1:1/ws"

# Which sentence answers which mistake is tested in tests/config and tests/cli.


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (
            ["run", "--emit", "all", URL],
            2,
            "--emit: expected one of readings, snapshot, both, got 'all'",
        ),
        (
            ["run", "--config", "/no/such/file"],
            78,
            "cannot read /no/such/file: No such file or directory",
        ),
        (
            ["run", "--once", "--timeout", "1", URL],
            69,
            "no status frame within 1 s (main: connection refused)",
        ),
    ],
)
def test_a_failure_has_an_exit_code_and_one_sentence(
    start: Start, arguments: list[str], code: int, sentence: str
) -> None:
    process = start(*arguments)
    assert process.wait() == code
    assert process.stdout.all() == []
    assert process.stderr.all()[-1].decode() == f"recbms-zmq: {sentence}"
    assert b"Traceback" not in b"".join(process.stderr.all())


CLOSED_STDOUT = ["sh", "-c", f'exec {sys.executable} -m recbms_zmq "$@" >&-', "sh"]


@pytest.mark.parametrize(
    "arguments",
    [
        *(["run", "--no-publish", "sim:"], ["run", "--once", "sim:"], ["demo", "--no-publish"]),
        *(["run", "--print-config", "sim:"], ["record", "sim:"], ["check", "sim:"], ["sensors"]),
        *(["find", "192.168.8.2"], ["alarms", "--state-dir", "."]),
        *(["listen"], ["monitor", "sim:"], ["flow"], ["completion", "install"]),
        *(["keygen", "key"], ["files"], ["simulate"], ["run", "--help"]),
    ],
    ids=" ".join,
)
def test_with_stdout_closed_a_command_ends_with_a_sentence(
    start: Start, arguments: list[str], tmp_path: Path
) -> None:
    process = start(*arguments, python=CLOSED_STDOUT, cwd=tmp_path)
    assert process.wait() == 141
    assert process.stderr.all()[-1].startswith(b"recbms-zmq: standard output is closed")
    assert b"Traceback" not in b"".join(process.stderr.all())
    assert list(tmp_path.iterdir()) == []


FULL_STDERR = ["sh", "-c", f'exec {sys.executable} -m recbms_zmq "$@" 2>/dev/full', "sh"]
CLOSED_STDERR = ["sh", "-c", f'exec {sys.executable} -m recbms_zmq "$@" 2>&-', "sh"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run", "nonsense"], 2),
        (["find", "127.0.0.1"], 2),
        (["alarms", "--state-dir", "/no/such"], 78),
        (["listen", "--timeout", "0.1", "tcp://127.0.0.1:1"], 69),
        (["run", "--once", "--timeout", "0.1", URL], 69),
    ],
)
@pytest.mark.parametrize("python", [FULL_STDERR, CLOSED_STDERR], ids=["full", "closed"])
def test_a_sentence_that_cannot_be_written_changes_no_exit_code_and_is_not_on_stdout(
    start: Start, arguments: list[str], code: int, python: list[str]
) -> None:
    process = start(*arguments, python=python)
    assert process.wait() == code
    assert process.stdout.all() == []


@pytest.mark.parametrize("python", [FULL_STDERR, CLOSED_STDERR], ids=["full", "closed"])
def test_a_view_goes_on_without_stderr(bms: FakeBms, start: Start, python: list[str]) -> None:
    view = start("monitor", "tcp://127.0.0.1:1", bms.url, python=python)
    view.stdout.line("28.5 %")
    assert view.stop() == 0
    assert not any(b"recbms-zmq:" in line for line in view.stdout.all())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["flow"]])
def test_a_full_disk_is_a_sentence(start: Start, arguments: list[str]) -> None:
    shell = ["sh", "-c", f'exec {sys.executable} -m recbms_zmq "$@" >/dev/full', "sh"]
    process = start(*arguments, python=shell)
    assert process.wait() == 73
    assert process.stderr.all() == [
        b"recbms-zmq: cannot write to standard output: No space left on device"
    ]


def test_every_command_is_in_this_table() -> None:
    (mark,) = (
        mark
        for mark in test_with_stdout_closed_a_command_ends_with_a_sentence.pytestmark  # type: ignore[attr-defined]
    )
    assert {arguments[0] for arguments in mark.args[1]} == set(COMMANDS)


def test_with_stdout_closed_a_recording_to_a_file_is_made(
    bms: FakeBms, start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "capture.jsonl"
    recorder = start("record", "-o", str(path), bms.url, python=CLOSED_STDOUT)
    eventually(lambda: path.exists() and path.read_bytes().count(b"frame") > 1, "two frames")
    assert recorder.stop() == 0


def test_the_configuration_can_come_from_a_pipe(bms: FakeBms, start: Start) -> None:
    document = f'no_publish = true\n[[bms]]\nname = "piped"\nurl = "{bms.url}"\n'
    process = start("run", "--once", "--config", "-", stdin=subprocess.PIPE)
    process.stdin.write(document.encode())
    process.stdin.close()
    assert process.wait() == 0
    assert process.message(key="soc")["device"] == "piped"
    substitution = f"exec {sys.executable} -m recbms_zmq run --once --config <(printf '%s' \"$1\")"
    again = start(document, python=["bash", "-c", substitution, "bash"])
    assert again.wait() == 0
    assert again.message(key="soc")["device"] == "piped"


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
    pipe = os.fstat(writer)
    stream = {"JOURNAL_STREAM": f"{pipe.st_dev}:{pipe.st_ino}"}
    service = run("--no-publish", bms.url, stderr=writer, env=stream)
    os.close(writer)
    service.message(key="soc")
    bms.send("nonsense", "{}", status(soc=0.5))
    service.message(key="soc", payload=50.0)
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


# What `run` does not use: parts of other commands, and what options need that are not given.
UNWANTED = {
    "difflib",
    "html",
    "http.server",
    "recbms_zmq.cli.listen",
    "recbms_zmq.cli.sensors",
    "recbms_zmq.config.toml",
    "recbms_zmq.curve",
    "recbms_zmq.nodered",
    "recbms_zmq.service.alarm_history",
    "recbms_zmq.service.alarm_record",
    "recbms_zmq.service.counters",
    "recbms_zmq.service.once",
    "recbms_zmq.service.state_files",
    "recbms_zmq.service.state_lines",
    "recbms_zmq.service.state_store",
    "recbms_zmq.simulator",
    "recbms_zmq.sinks.zap",
    "recbms_zmq.sources.http",
    "recbms_zmq.sources.recording",
    "recbms_zmq.sources.replay",
    "recbms_zmq.sources.simulated",
    "recbms_zmq.sources.stdin",
    "shlex",
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


NETWORK = {"zmq", "websockets", "asyncio", "ssl", "socket", "http", "rich"}


@pytest.mark.parametrize(
    ("lines", "unwanted"),
    [
        # A program that decodes messages pays for that and nothing else.
        ([], {"zmq", "websockets", "asyncio", "ssl", "argparse"}),
        (["--version"], {"msgspec", "zmq", "websockets", "asyncio", "ssl", "logging"}),
        (["--version", *(f"{name} --help" for name in COMMANDS)], NETWORK),
        (
            ["listen tcp://127.0.0.1:9 --timeout 0.1"],
            {"asyncio", "ssl", "websockets", "zmq.auth", "recbms_zmq.curve", "recbms_zmq.service"},
        ),
        (["demo --once --no-publish"], {"zmq", "websockets", "tomllib", "http.client"}),
    ],
)
def test_a_command_imports_no_library_that_it_does_not_use(
    lines: list[str], unwanted: set[str]
) -> None:
    program = f"""
import sys, recbms_zmq
for line in {lines}:
    from recbms_zmq.cli import main
    try:
        main(line.split())
    except SystemExit:
        pass
    loaded = {unwanted} & set(sys.modules)
    assert not loaded, (line, loaded)
assert not {unwanted} & set(sys.modules)
"""
    subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": PACKAGE_PARENT},
        check=True,
        stdout=subprocess.DEVNULL,
    )
