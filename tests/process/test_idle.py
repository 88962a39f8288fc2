"""With nothing to do the process sleeps: no sink or command has a busy loop."""

import os
import time
from pathlib import Path
from typing import Final

import pytest
from support.bms import FakeBms
from support.fixtures import Run, Start
from support.frames import status
from support.process import Command
from support.waiting import eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc"),
]

CPU: Final = 0.03
"""Seconds of processor time in a quiet second. A busy loop takes ten times that even under load."""
WAKE_UPS: Final = 20
"""In a quiet second. There are about eight: the tick of the pipelines, libzmq's threads."""


def assert_idle(command: Command) -> None:
    """Wait for a quiet second, in which start-up is over. A busy loop never has one."""

    def is_quiet() -> bool:
        cpu, wakeups, began = command.cpu_seconds, sum(command.wakeups.values()), time.monotonic()
        time.sleep(1)
        seconds = time.monotonic() - began
        return (
            command.cpu_seconds - cpu <= CPU * seconds
            and sum(command.wakeups.values()) - wakeups <= WAKE_UPS * seconds
        )

    eventually(is_quiet, "a quiet second")
    assert command.is_running


# Each source at rest is in tests/sources/test_wakeups.py, a BMS between frames in test_wakeups.py.


def test_a_service_with_a_simulated_pack_sleeps(run: Run) -> None:
    command = run("sim:?rate=0.01")
    command.endpoint()
    assert_idle(command)


def test_a_service_whose_stdout_is_not_read_sleeps(run: Run, bms: FakeBms) -> None:
    reading, writing = os.pipe()
    command = run("--report", "all", bms.url, stdout=writing)
    os.close(writing)
    command.endpoint()
    for number in range(200):  # more than a pipe holds
        bms.send(status(ibat=number))
    assert_idle(command)
    os.close(reading)


def test_listen_and_simulate_sleep(start: Start, run: Run, bms: FakeBms) -> None:
    listener = start("listen", run(bms.url).endpoint())
    listener.message(key="soc")
    simulating = start("simulate", "--port", "0", "--rate", "0.01")
    simulating.stdout.line("ws://")
    assert_idle(listener)
    assert_idle(simulating)
