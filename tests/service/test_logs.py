"""Lines of the log: one for each record, with what a reader of stderr or of the journal needs."""

import logging
import sys

import pytest

from recbms_zmq.service.logs import _Formatter


def fail() -> None:
    raise ValueError("made by\nthe test")


def record(level: int, *, error: bool = False) -> logging.LogRecord:
    made = logging.LogRecord("recbms_zmq", level, "file.py", 1, "main: %s", ("text",), None)
    if error:
        try:
            fail()
        except ValueError:
            made.exc_info = sys.exc_info()
    return made


@pytest.mark.parametrize(
    ("level", "priority"),
    [
        (logging.CRITICAL, 3),
        (logging.ERROR, 3),
        (logging.WARNING, 4),
        (logging.INFO, 6),
        (logging.DEBUG, 7),
        (1, 7),
    ],
)
def test_the_journal_gets_the_priority_of_each_level(level: int, priority: int) -> None:
    assert _Formatter(journal=True).format(record(level)) == f"<{priority}>main: text"


@pytest.mark.parametrize(
    ("level", "has_traceback"), [(logging.ERROR, True), (logging.WARNING, False)]
)
def test_an_error_is_named_in_its_line_and_a_bug_has_its_traceback_there(
    level: int, has_traceback: bool
) -> None:
    text = _Formatter(journal=False).format(record(level, error=True))
    line, _, traceback = text.partition(" | ")
    day, _, rest = line.split(" ", 2)
    assert (day.count("-"), rest) == (
        2,
        f"{logging.getLevelName(level).lower()} main: text: ValueError: made by the test",
    )
    assert traceback.startswith("Traceback (most recent call last): ") is has_traceback
    assert "\n" not in text


def test_an_exception_to_log_that_is_none_adds_nothing() -> None:
    """As of `exc_info=True` where there is no exception."""
    made = record(logging.ERROR)
    made.exc_info = (None, None, None)
    assert _Formatter(journal=True).format(made) == "<3>main: text"
