"""What tests of several sources share."""

from collections.abc import Generator

import pytest

from recbms_zmq.sources import backoff


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Take all waiting out of the delays between tries; note what is asked of them."""
    asked: list[str] = []

    def without_waiting(**_: float) -> Generator[float]:
        asked.append("from the beginning")
        while True:
            asked.append("the next one")
            yield 0.0

    monkeypatch.setattr(backoff, "reconnect_delays", without_waiting)
    return asked
