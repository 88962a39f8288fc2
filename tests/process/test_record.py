"""`recbms-zmq record`: what a BMS sends, as lines that can be replayed."""

import asyncio
import fcntl
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.bms import FakeBms
from support.fixtures import MakeBms, Run
from support.frames import SETTINGS, STATUS, status
from support.waiting import eventually

import recbms_zmq.cli.record as record_command
from recbms_zmq.config.load import load
from recbms_zmq.service.fleet import build_fleet


def events(lines: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def without_times(lines: list[bytes]) -> list[dict[str, Any]]:
    return [{k: v for k, v in e.items() if k not in ("monotonic", "wall")} for e in events(lines)]


EXPECTED: list[dict[str, Any]] = [
    {"event": "start", "version": 1},
    {"event": "connected"},
    {"event": "frame", "text": SETTINGS.replace("1A-2261", "1A-****")},
    {"event": "frame", "text": STATUS},
]


def test_it_writes_down_what_comes_until_it_is_stopped(start: Run, bms: FakeBms) -> None:
    recorder = start("record", bms.url)
    recorder.stderr.line("main: online")
    bms.send("nonsense", b"\xff")
    recorder.stdout.line("base64")
    assert recorder.stop() == 0
    lines = recorder.stdout.all()
    assert without_times(lines) == [
        *EXPECTED,
        {"event": "frame", "text": "nonsense"},
        {"event": "frame", "base64": "/w=="},
        {"event": "end"},
    ]
    times = [event["monotonic"] for event in events(lines)]
    assert times == sorted(times)
    assert "2261" not in recorder.stderr.text()


def test_it_writes_a_file_for_a_while(start: Run, bms: FakeBms, tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl"
    recorder = start("record", bms.url, "-o", str(path), "--duration", "1")
    assert recorder.wait() == 0
    assert without_times(path.read_bytes().splitlines()) == [*EXPECTED, {"event": "end"}]
    assert recorder.stdout.all() == []
    replay = start("run", "--no-publish", f"replay:{path}?speed=0")
    assert replay.wait() == 0
    assert replay.message(key="soc")["payload"] == 28.5


def test_it_ends_with_its_source(start: Run) -> None:
    recorder = start("record", "-", stdin=subprocess.PIPE)
    recorder.stdin.write(b"one\ntwo")
    recorder.stdin.close()
    assert recorder.wait() == 0
    assert without_times(recorder.stdout.all()) == [
        {"event": "start", "version": 1},
        {"event": "connected"},
        {"event": "frame", "text": "one"},
        {"event": "frame", "text": "two"},
        {"event": "end"},
    ]


def test_a_recording_of_a_replay_is_the_recording(start: Run, tmp_path: Path) -> None:
    first = start("record", "sim:?rate=20", "--duration", "1")
    assert first.wait() == 0
    path = tmp_path / "capture.jsonl"
    path.write_text(first.stdout.text(), encoding="ascii")
    second = start("record", f"replay:{path}?speed=0")
    assert second.wait() == 0
    assert second.stdout.text() == first.stdout.text()


def test_no_line_is_lost_to_a_slow_reader(start: Run, bms: FakeBms) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    recorder = start("record", bms.url, stdout=writing)
    os.close(writing)
    recorder.stderr.line("main: online")
    bms.send(*(status(soc=n / 100) for n in range(100)), "the last one")
    with os.fdopen(reading, "rb") as pipe:
        lines = [pipe.readline()]
        while b"the last one" not in lines[-1]:
            lines.append(pipe.readline())
        assert recorder.stop() == 0
    texts = [event.get("text", "") for event in events(lines)]
    assert [json.loads(t)["bms_array"]["master"]["soc"] for t in texts[4:-1]] == [
        n / 100 for n in range(100)
    ]


def test_a_reader_that_goes_ends_it_quietly(start: Run, bms: FakeBms) -> None:
    reading, writing = os.pipe()
    recorder = start("record", bms.url, stdout=writing)
    os.close(writing)
    recorder.stderr.line("main: online")
    os.close(reading)
    bms.send(STATUS)
    assert recorder.wait() == 141


def test_a_file_is_overwritten_with_force_only(start: Run, tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl"
    path.write_text("precious", encoding="ascii")
    words = ("record", "sim:?rate=20", "--duration", "0.5", "-o", str(path))
    refused = start(*words)
    assert refused.wait() == 73
    assert refused.stderr.text() == f"recbms-zmq: {path} exists; --force overwrites it\n"
    assert path.read_text(encoding="ascii") == "precious"
    assert start(*words, "--force").wait() == 0
    assert b"precious" not in path.read_bytes()


def test_it_logs_how_much_is_recorded(start: Run, tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl"
    recorder = start("record", "-", "-o", str(path), stdin=subprocess.PIPE)
    recorder.stdin.write(b"one\ntwo")
    recorder.stdin.close()
    assert recorder.wait() == 0
    assert recorder.stderr.text().endswith(f" main: 2 frames recorded in {path}\n")


def test_a_bms_that_sends_nothing_is_an_exit_code(start: Run, make_bms: MakeBms) -> None:
    bms = make_bms(greeting=())
    recorder = start("record", bms.url)
    recorder.stdout.line('"connected"')
    assert recorder.stop() == 69
    assert recorder.stderr.text().endswith(
        "recbms-zmq: main: no frame came: waiting for the first status frame\n"
    )
    assert [e["event"] for e in events(recorder.stdout.all())] == ["start", "connected", "end"]


def test_progress_is_logged_for_as_long_as_it_records(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(record_command, "PROGRESS", 0.05)
    caplog.set_level("INFO", "recbms_zmq.cli.record")

    async def run() -> None:
        (bms,) = build_fleet(load({}, ["sim:?rate=100"], {}).config, lambda _: None)
        ended = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(record_command.record(bms, lambda _: None, ended))
        await asyncio.to_thread(eventually, lambda: len(caplog.messages) >= 2, "two lines")
        ended.set_result(None)
        await task

    asyncio.run(run())
    assert re.fullmatch(r"main: \d+ frames recorded in \d+ s", caplog.messages[-1])


def test_recording_loads_no_zeromq(start: Run) -> None:
    script = "import sys, recbms_zmq.cli.record; sys.exit('zmq' in sys.modules)"
    assert start(python=[sys.executable, "-c", script]).wait() == 0


def test_a_file_that_cannot_be_written_is_said(start: Run, tmp_path: Path) -> None:
    nowhere = start("record", "sim:", "-o", str(tmp_path / "no" / "file"))
    assert nowhere.wait() == 73
    assert nowhere.stderr.text() == (
        f"recbms-zmq: cannot write {tmp_path}/no/file: No such file or directory\n"
    )
    full = start("record", "sim:", "-o", "/dev/full")
    assert full.wait() == 73
    full.stderr.line("recbms-zmq: cannot write /dev/full any more; is the disk full?")


def test_a_duration_has_to_be_a_number(start: Run) -> None:
    recorder = start("record", "sim:", "--duration", "long")
    assert recorder.wait() == 2
    assert recorder.stderr.text() == (
        "recbms-zmq: --duration: expected seconds, a number above 0, got 'long'\n"
    )
