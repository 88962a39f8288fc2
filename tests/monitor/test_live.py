"""What is logged while the view is on the screen."""

import logging
from collections.abc import Iterator

import pytest

from recbms_zmq.monitor.live import held_log


@pytest.fixture
def root_log() -> Iterator[logging.Logger]:
    """Restore the root logger, which the command sets up for the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


def test_the_newest_errors_are_printed_after_the_view(
    root_log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    with held_log():
        root_log.warning("a warning")
        for number in range(25):
            root_log.error("error %d", number)
        assert capsys.readouterr().err == ""
    printed = capsys.readouterr().err.splitlines()
    assert printed == [f"recbms-zmq: error {number}" for number in range(5, 25)]
