"""`recbms-zmq record`: what a BMS sends, as lines that can be replayed."""

import contextlib
import json
import os
import pty
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.bms import Connection, FakeBms
from support.fixtures import MakeBms, Run
from support.frames import SETTINGS, STATUS, status
from support.process import small_pipe
from support.waiting import eventually


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


def test_the_end_is_the_last_line_though_frames_keep_coming(start: Run, make_bms: MakeBms) -> None:
    async def flood(connection: Connection) -> None:
        while True:
            await connection.send(STATUS)

    recorder = start("record", make_bms(behave=flood).url)
    recorder.stderr.line("main: online")
    assert recorder.stop() == 0
    kinds = [event["event"] for event in events(recorder.stdout.all())]
    assert kinds == ["start", "connected", *["frame"] * (len(kinds) - 3), "end"]


def test_it_writes_a_file(start: Run, bms: FakeBms, tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl"
    recorder = start("record", bms.url, "-o", str(path))
    eventually(lambda: path.exists() and path.read_bytes().count(b"frame") == 2, "2 frames")
    assert recorder.stop() == 0
    assert without_times(path.read_bytes().splitlines()) == [*EXPECTED, {"event": "end"}]
    assert recorder.stdout.all() == []
    replay = start("run", "--no-publish", f"replay:{path}?speed=0")
    assert replay.wait() == 0
    assert replay.message(key="soc")["payload"] == 28.5


@pytest.mark.parametrize("options", [(), ("-o", "-")])
def test_it_ends_with_its_source(
    start: Run, options: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recorder = start("record", "-", *options, stdin=subprocess.PIPE)
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
    assert not list(tmp_path.iterdir())


def test_a_recording_of_a_replay_is_the_recording(start: Run, tmp_path: Path) -> None:
    first = start("record", "sim:?rate=20", "--duration", "1")
    assert first.wait() == 0
    path = tmp_path / "capture.jsonl"
    path.write_text(first.stdout.text(), encoding="ascii")
    second = start("record", f"replay:{path}?speed=0")
    assert second.wait() == 0
    assert second.stdout.text() == first.stdout.text()


def test_no_line_is_lost_to_a_slow_reader(start: Run, bms: FakeBms) -> None:
    reading, writing = small_pipe()
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


def test_the_last_line_waits_for_a_slow_reader_when_the_source_has_ended(start: Run) -> None:
    reading, writing = small_pipe(room=0)
    recorder = start("record", "-", stdin=subprocess.PIPE, stdout=writing)
    os.close(writing)
    recorder.stdin.write(STATUS.encode())
    recorder.stdin.close()
    recorder.stderr.line("main: online")
    time.sleep(0.5)  # nothing depends on it but how surely a mistake would show
    with os.fdopen(reading, "rb") as pipe:
        assert json.loads(pipe.read().strip().splitlines()[-1])["event"] == "end"
    assert recorder.wait() == 0


def test_a_file_that_cannot_be_written_is_one_sentence(start: Run, tmp_path: Path) -> None:
    nowhere = start("record", "sim:", "-o", str(tmp_path / "no" / "file"))
    assert nowhere.wait() == 73
    assert nowhere.stderr.text() == (
        f"recbms-zmq: cannot write {tmp_path}/no/file: there is no directory {tmp_path}/no\n"
    )
    full = start("record", "sim:", "-o", "/dev/full")
    assert full.wait() == 73
    full.stderr.line("recbms-zmq: cannot write /dev/full any more; is the disk full?")


def test_without_a_frame_it_fails_with_the_reason_and_leaves_no_file(
    start: Run, make_bms: MakeBms, tmp_path: Path
) -> None:
    path = tmp_path / "capture.jsonl"
    away = make_bms()
    away.stop()
    recorder = start("record", away.url, "-o", str(path))
    recorder.stderr.line("connection refused")
    assert recorder.stop() == 69
    assert recorder.stderr.all()[-1].decode() == (
        "recbms-zmq: nothing was recorded: no frame came (connection refused)"
    )
    assert not path.exists()


def test_the_end_after_a_while_is_logged_with_the_number_of_frames(start: Run) -> None:
    # A device is no file to overwrite.
    recorder = start("record", "sim:", "-o", "/dev/null", "--duration", "1")
    assert recorder.wait() == 0
    assert re.search(rb"main: \d+ frames recorded$", recorder.stderr.all()[-1])


def test_a_terminal_shows_frames_and_time(start: Run, bms: FakeBms, tmp_path: Path) -> None:
    primary, secondary = pty.openpty()
    path = tmp_path / "capture.jsonl"
    terminal = {"stdout": secondary, "stderr": secondary}
    recorder = start("record", bms.url, "-o", str(path), **terminal)
    os.close(secondary)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal is gone with the process
        while b"\r2 frames in 0:00:0" not in shown:
            shown += os.read(primary, 4096)
    assert b"\r2 frames in 0:00:0" in shown
    assert recorder.stop() == 0
    os.close(primary)
