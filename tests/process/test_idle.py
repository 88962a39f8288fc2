"""With nothing to do the process sleeps: no source, sink or command has a busy loop."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from support.bms import FakeBms
from support.fixtures import MakeBms, Run, Start, Subscribe
from support.frames import STATUS, status
from support.module import FakeModule
from support.process import Command
from support.receiver import RecordingReceiver
from support.waiting import eventually

from recbms_zmq.clock import Instant
from recbms_zmq.sources.recording import Recorder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc"),
]

CPU: Final = 0.03
"""Seconds of processor time in a quiet second. A busy loop takes ten times that even under load."""
WAKE_UPS: Final = 20
"""In a quiet second. There are about eight: the tick of the pipelines, libzmq's threads."""


class Activity(NamedTuple):
    """What a process has done since its start."""

    cpu: float
    wake_ups: int

    @classmethod
    def of(cls, process: int) -> "Activity":
        fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        wake_ups = 0
        for task in Path(f"/proc/{process}/task").iterdir():
            for line in (task / "status").read_text("ascii").splitlines():
                if line.startswith("voluntary_ctxt_switches:"):
                    wake_ups += int(line.split()[1])
        return cls(ticks / os.sysconf("SC_CLK_TCK"), wake_ups)


def assert_idle(command: Command) -> None:
    """Wait for a quiet second, in which start-up is over. A busy loop never has one."""

    def is_quiet() -> bool:
        before, began = Activity.of(command.pid), time.monotonic()
        time.sleep(1)
        seconds = time.monotonic() - began
        after = Activity.of(command.pid)
        return (after.cpu - before.cpu) <= CPU * seconds and (
            after.wake_ups - before.wake_ups
        ) <= WAKE_UPS * seconds

    eventually(is_quiet, "a quiet second")
    assert command.is_running


def recording(folder: Path, *seconds: float) -> str:
    """Write a recording with a status frame at each of these times."""
    path = folder / "recording.jsonl"
    with path.open("wb") as file:
        recorder = Recorder(RecordingReceiver(), lambda line: file.writelines((line, b"\n")))
        start = Instant(0.0, 1e9)
        recorder.start(start)
        recorder.connected(start)
        for second in seconds:
            recorder.received(STATUS.encode(), start.at(second))
    return str(path)


def quiet_websocket(run: Run, bms: FakeBms, _folder: Path) -> Command:
    return run(bms.url)


def refused_websocket(run: Run, bms: FakeBms, _folder: Path) -> Command:
    bms.stop()
    return run(bms.url)


def simulator(run: Run, _bms: FakeBms, _folder: Path) -> Command:
    return run("sim:?rate=0.01")


def quiet_stdin(run: Run, _bms: FakeBms, _folder: Path) -> Command:
    reading, writing = os.pipe()
    command = run("-", stdin=reading)
    os.close(reading)
    os.write(writing, STATUS.encode() + b"\n")
    os.set_inheritable(writing, False)
    return command


def ended_stdin(run: Run, bms: FakeBms, _folder: Path) -> Command:
    return run("pipe=-", f"bms={bms.url}")  # stdin is /dev/null


def gap_in_a_replay(run: Run, _bms: FakeBms, folder: Path) -> Command:
    return run(f"replay:{recording(folder, 0, 3600)}")


def ended_replay(run: Run, bms: FakeBms, folder: Path) -> Command:
    return run(f"old=replay:{recording(folder, 0, 1)}?speed=0", f"bms={bms.url}")


def unread_stdout(run: Run, bms: FakeBms, _folder: Path) -> Command:
    reading, writing = os.pipe()  # reading stays open, and is not read
    command = run("--report", "all", bms.url, stdout=writing)
    os.close(writing)
    os.set_inheritable(reading, False)
    for number in range(200):  # more than a pipe holds
        bms.send(status(ibat=number))
    return command


SERVICES: Final = (
    *(quiet_websocket, refused_websocket, simulator, quiet_stdin, ended_stdin, gap_in_a_replay),
    *(ended_replay, unread_stdout),
)


@pytest.mark.parametrize("begin", SERVICES)
def test_a_service_with_nothing_to_do_sleeps(
    begin: Callable[[Run, FakeBms, Path], Command], run: Run, bms: FakeBms, tmp_path: Path
) -> None:
    command = begin(run, bms, tmp_path)
    command.endpoint()
    assert_idle(command)


def test_a_service_that_polls_sleeps_in_between(run: Run) -> None:
    module = FakeModule()
    try:
        command = run("--poll-interval", "20", module.url)
        command.message(key="availability", payload="online")
        assert_idle(command)
    finally:
        module.close()


@pytest.mark.parametrize("reads", [True, False])
def test_a_service_with_a_subscriber_sleeps(
    reads: bool, run: Run, make_bms: MakeBms, subscribe: Subscribe
) -> None:
    bms = make_bms()
    hwm = 0 if reads else 1
    command = run(*(() if reads else ("--hwm", "10")), "--report", "all", bms.url)
    subscriber = subscribe(command.endpoint(), rcvhwm=hwm)
    subscriber.message(key="soc")
    for number in range(100):
        bms.send(status(ibat=number))
    if reads:
        subscriber.message(key="current", payload=99)
    assert_idle(command)


def test_listen_and_simulate_sleep(start: Start, run: Run, bms: FakeBms) -> None:
    listener = start("listen", run(bms.url).endpoint())
    listener.message(key="soc")
    simulating = start("simulate", "--port", "0", "--rate", "0.01")
    simulating.stdout.line("ws://")
    assert_idle(listener)
    assert_idle(simulating)
