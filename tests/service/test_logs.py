"""Lines of the log: one for each record, with what a reader of stderr or of the journal needs."""

import logging
import os
import select
import sys

import pytest

from recbms_zmq.service.logs import _Formatter, _Handler


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


def test_lines_that_a_full_pipe_does_not_take_are_dropped_and_counted() -> None:
    ours, theirs = os.pipe()
    with open(ours, "rb", closefd=True) as reader, open(theirs, "wb", buffering=0) as writer:  # noqa: PTH123 descriptors
        handler = _Handler(theirs)
        handler.setFormatter(_Formatter(journal=True))
        while select.select([], [theirs], [], 0)[1]:
            writer.write(b"x" * (select.PIPE_BUF - 1) + b"\n")
        for _ in range(2):
            handler.handle(record(logging.INFO))
        os.read(ours, 2**20)
        for _ in range(2):
            handler.handle(record(logging.INFO))
        writer.close()
        assert reader.read() == (
            b"<6>main: text (2 lines before this one were dropped: stderr was full)\n"
            b"<6>main: text\n"
        )


@pytest.mark.parametrize("characters", [1, select.PIPE_BUF - 2, select.PIPE_BUF - 1, 10**6])
def test_a_line_of_any_length_is_written_at_once_up_to_what_a_pipe_takes_as_a_whole(
    characters: int,
) -> None:
    ours, theirs = os.pipe()
    made = logging.LogRecord("recbms_zmq", logging.INFO, "", 1, "x" * characters, (), None)
    handler = _Handler(theirs)
    handler.handle(made)
    written = os.read(ours, 2**20)
    os.close(ours)
    os.close(theirs)
    assert written == b"x" * min(characters, select.PIPE_BUF - 2) + b"\n"
