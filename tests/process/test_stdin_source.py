"""`recbms-zmq run -`: raw frames on stdin."""

import json
import os
import pty
import subprocess
import time
from pathlib import Path

import pytest
from support.fixtures import MakeBms, Run, Subscribe
from support.frames import SETTINGS, STATUS, status
from support.process import command, small_pipe

ONE_A_LINE = f"{SETTINGS}\n{STATUS}\n".encode()


def test_frames_of_a_pipe_become_messages_and_its_end_is_a_clean_end(run: Run) -> None:
    service = run("--no-publish", "-", stdin=subprocess.PIPE)
    service.stdin.write(ONE_A_LINE + b"half a fra")
    service.stdin.flush()
    assert service.message(key="soc")["payload"] == 28.5
    service.stdin.write(f"me\n{status(soc=0.5)}".encode())  # the last newline is missing
    service.stdin.close()
    assert service.wait() == 0
    kept = ("soc", "availability")
    assert [(m["key"], m["payload"]) for m in service.messages if m["key"] in kept] == [
        ("availability", "offline"),
        ("availability", "online"),
        ("soc", 28.5),
        ("soc", 50.0),
        ("availability", "offline"),
    ]
    assert "a message was dropped: not JSON" in service.stderr.text()


def test_a_file_loses_nothing_to_a_slow_reader(run: Run, tmp_path: Path) -> None:
    count = 300
    path = tmp_path / "frames.jsonl"
    path.write_text(f"{STATUS.strip()}\n" * count, encoding="ascii")
    reading, writing = small_pipe()  # less than the messages of one frame
    with path.open("rb") as file:
        service = run("--no-publish", "--report", "all", "-", stdin=file, stdout=writing)
    os.close(writing)
    service.stderr.line("main: online")
    time.sleep(0.5)  # nothing depends on it but how surely a mistake would show
    with os.fdopen(reading, "rb") as pipe:
        messages = [json.loads(line) for line in pipe]
    assert service.wait() == 0
    assert [m["seq"] for m in messages if m["key"] == "soc"] == list(range(1, count + 1))
    assert messages[-1]["payload"] == "offline"


def test_a_file_that_cannot_be_read_on_ends_its_bms_with_one_sentence(run: Run) -> None:
    with Path("/proc/self/mem").open("rb") as file:  # a regular file, which gives EIO
        service = run("--no-publish", "house=-", "boat=sim:?rate=50", stdin=file)
        assert service.message(device="house", reason="stopped")["payload"] == "offline"
        service.message(device="boat", key="link/frames")  # the other BMS goes on
        assert service.stop() == 0
    (line,) = service.log(" error ")
    assert line.endswith("house: cannot read stdin: Input/output error; it is no longer read")


def test_a_file_that_cannot_be_read_on_ends_a_service_that_reads_nothing_else(run: Run) -> None:
    with Path("/proc/self/mem").open("rb") as file:
        service = run("--no-publish", "-", stdin=file)
        assert service.wait() == 78
    assert service.stderr.text().splitlines()[-1] == (
        "recbms-zmq: cannot read stdin: Input/output error"
    )


@pytest.mark.parametrize("room", [0, 300], ids=["no line", "the first line of two"])
def test_the_last_word_waits_for_a_slow_reader_when_all_is_read(room: int, run: Run) -> None:
    reading, writing = small_pipe(room=room)
    service = run("--no-publish", "-", stdout=writing)
    os.close(writing)
    service.stderr.line("the source has ended")
    time.sleep(0.5)  # nothing depends on it but how surely a mistake would show
    with os.fdopen(reading, "rb") as pipe:
        assert json.loads(pipe.read().strip().splitlines()[-1])["reason"] == "stopped"
    assert service.wait() == 0


def test_a_terminal_can_be_typed_into(run: Run) -> None:
    ours, theirs = pty.openpty()
    service = run("--no-publish", "-", stdin=theirs)
    os.close(theirs)
    os.write(ours, b'{"bms_array":{"master":{"soc":0.75}}}\n')
    assert service.message(key="soc")["payload"] == 75.0
    os.write(ours, b"\x04")  # Ctrl-D
    assert service.wait() == 0
    os.close(ours)


def test_exit_on_stdin_close_takes_no_frame_away(run: Run, make_bms: MakeBms) -> None:
    reading, writing = os.pipe()
    os.write(writing, ONE_A_LINE)
    service = run("--exit-on-stdin-close", f"ws={make_bms().url}", "in=-", stdin=reading)
    os.close(reading)
    service.message(device="ws", key="soc")
    service.message(device="in", key="soc")
    os.close(writing)
    assert service.wait() == 0  # though the other BMS is still there


def test_the_end_of_stdin_is_not_the_end_of_the_other_bms(
    run: Run, make_bms: MakeBms, subscribe: Subscribe
) -> None:
    bms = make_bms()
    service = run(f"ws={bms.url}", "in=-", stdin=subprocess.PIPE)
    service.stdin.write(ONE_A_LINE)
    service.stdin.close()
    stopped = service.message(device="in", key="availability", reason="stopped")
    assert stopped["payload"] == "offline"
    bms.send(status(soc=0.123))
    assert service.message(device="ws", key="soc", payload=12.3)
    late = subscribe(service.endpoint(), "recbms/in/")
    assert late.message(key="availability")["payload"] == "offline"
    assert service.stop() == 0


def test_once_ends_with_the_input(start: Run) -> None:
    good = start("run", "--once", "-", stdin=subprocess.PIPE)
    good.stdin.write(STATUS.encode())
    good.stdin.close()
    assert good.wait() == 0
    assert good.message(key="soc")["payload"] == 28.5
    both = start("run", "--once", "-", stdin=subprocess.PIPE)
    both.stdin.write(f"{STATUS}\n".encode())
    both.stdin.flush()
    time.sleep(0.5)  # nothing depends on it but how surely a mistake would show
    both.stdin.write(f"{SETTINGS}\n".encode())
    both.stdin.flush()  # and not closed: it ends because it has both frames
    assert both.wait() == 0
    assert both.message(key="settings/remote_switch")
    nothing = start("run", "--once", "-")
    assert nothing.wait() == 69
    assert nothing.stderr.text().endswith(
        "recbms-zmq: no status frame (main: waiting for the first status frame)\n"
    )


def test_stdin_has_to_be_open(start: Run) -> None:
    service = start(python=["sh", "-c", 'exec "$@" <&-', "sh", *command("run", "-")])
    assert service.wait() == 2
    assert service.stderr.text() == "recbms-zmq: - reads frames from stdin, but stdin is closed\n"
