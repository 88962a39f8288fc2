"""How often the service wakes, counted by the system: a wake-up costs more than what it does.

A voluntary context switch is a thread that goes to sleep. A busy machine has no more of them.
"""

import sys
import time

import pytest
from support.bms import FakeBms
from support.fixtures import Run, Subscribe
from support.frames import SETTINGS, status
from support.process import Command
from support.waiting import eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="counted in /proc"),
]

LAST = "settings/remote_switch"
QUIET = 4.0
FRAMES = 30


def settled(service: Command) -> dict[str, int]:
    """Return the counts when nothing has woken for half a second."""

    def found() -> dict[str, int] | None:
        before = service.wakeups
        time.sleep(0.5)
        return before if service.wakeups == before else None

    return eventually(found, "rest") or {}


def test_between_frames_no_thread_wakes(bms: FakeBms, run: Run, subscribe: Subscribe) -> None:
    service = run(bms.url)
    subscribe(service.endpoint()).message(key=LAST)

    def is_quiet() -> bool:
        before = settled(service)
        time.sleep(QUIET)  # in which nothing is due
        return service.wakeups == before

    # Once, 5 s after the start, it looks whether there is a silence to explain.
    assert is_quiet() or is_quiet()


def test_a_process_without_a_bms_and_a_subscriber_does_not_wake(bms: FakeBms, run: Run) -> None:
    bms.stop()
    service = run(bms.url)
    service.stderr.line("connection refused")
    before = sum(service.wakeups.values())
    time.sleep(QUIET)  # attempts to connect come about 1, 3 and 7 s after the first
    assert sum(service.wakeups.values()) - before <= 3 * 4


def test_a_frame_wakes_the_main_thread_once(bms: FakeBms, run: Run, subscribe: Subscribe) -> None:
    service = run(bms.url)
    reference = subscribe(service.endpoint())
    reference.message(key=LAST)
    main = str(service.pid)
    before = settled(service)[main]
    for number in range(FRAMES):
        bms.send(status(soc=number / 100))
        reference.message(key="soc", payload=float(number))
        bms.send(SETTINGS) if number == FRAMES // 2 else None
    frames = FRAMES + 1
    assert settled(service)[main] - before <= 1.2 * frames
