"""The service after it has slept: what was missed is not sent, and what has arrived is read."""

import signal
import time
from pathlib import Path

import pytest
from support.bms import FakeBms
from support.fixtures import Run
from support.frames import status
from support.process import Command
from support.waiting import eventually

pytestmark = pytest.mark.slow

REFRESH = 0.1
ASLEEP = 4.0


def test_after_a_sleep_not_every_missed_repeat_is_sent(bms: FakeBms, run: Run) -> None:
    service = run("--refresh", str(REFRESH), "--stale-after", "1", bms.url)
    service.message(payload="online")
    bms.stop()
    service.message(payload="offline", reason="connection refused")
    service.send_signal(signal.SIGSTOP)
    time.sleep(ASLEEP)
    seen = len(service.messages)
    woken = time.monotonic()
    service.send_signal(signal.SIGCONT)
    assert service.stop() == 0
    awake = time.monotonic() - woken
    service.stdout.all()
    after = [message["payload"] for message in service.messages[seen:] if "payload" in message]
    # One for all that were missed, those that fell due afterwards, and the last one.
    assert 1 <= after.count("offline") <= 2 + awake / REFRESH < ASLEEP / REFRESH


def is_waiting(service: Command) -> bool:
    """Return whether the process waits for events."""
    stat = Path(f"/proc/{service.pid}/stat").read_text(encoding="ascii")
    return stat.rpartition(")")[2].split()[0] == "S"


def test_a_connection_whose_frames_wait_is_read_on_after_a_sleep(bms: FakeBms, run: Run) -> None:
    service = run("--stale-after", "3", "--no-publish", bms.url)
    service.message(payload="online")
    eventually(lambda: is_waiting(service), "waits")
    service.send_signal(signal.SIGSTOP)
    time.sleep(ASLEEP)
    bms.send(status(vbat=12.5), status(vbat=12.6))
    service.send_signal(signal.SIGCONT)
    service.message(key="voltage", payload=12.5)
    service.message(key="voltage", payload=12.6)
    assert len(bms.connections) == 1
    assert "trying again" not in str(list(service.stderr))
