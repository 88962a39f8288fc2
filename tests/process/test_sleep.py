"""The service after its machine has slept: what was missed is not sent."""

import signal
import time

import pytest
from support.bms import FakeBms
from support.fixtures import Run

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
