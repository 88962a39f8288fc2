"""What is sent to a terminal: rows that have changed, and nothing else."""

import contextlib
import fcntl
import os
import pty
import struct
import termios
from collections.abc import Iterator

import pytest
from rich.text import Text

from recbms_zmq.monitor.screen import Screen


class Pty:
    """A terminal, and a screen on it."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        self.screen = Screen(self.theirs, None)

    def drawn(self, *rows: str, size: tuple[int, int] = (10, 2)) -> str:
        """Return what is sent for these rows."""
        self.screen.draw([Text(row) for row in rows], size)
        os.write(self.theirs, b"|")
        sent = b""
        while not sent.endswith(b"|"):
            sent += os.read(self.ours, 4096)
        return sent[:-1].decode()

    def close(self) -> None:
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def terminal() -> Iterator[Pty]:
    made = Pty()
    yield made
    made.close()


def test_only_rows_that_have_changed_are_sent(terminal: Pty) -> None:
    clear = "\x1b[0m\x1b[2J"
    assert terminal.drawn("one", "two") == f"{clear}\x1b[1;1Hone\x1b[K\x1b[2;1Htwo\x1b[K"
    assert terminal.drawn("one", "two") == ""
    # A row that is full is not erased to its end, where the cursor may be on its last character.
    assert terminal.drawn("one", "0123456789", "below the end") == "\x1b[2;1H0123456789"
    assert terminal.drawn("one", "") == "\x1b[2;1H\x1b[K"
    terminal.screen.invalidate()
    assert terminal.drawn("one", "") == f"{clear}\x1b[1;1Hone\x1b[K"
    assert terminal.drawn("one", size=(11, 1)) == f"{clear}\x1b[1;1Hone\x1b[K"


def test_a_terminal_that_is_not_ready_gets_a_later_drawing(terminal: Pty) -> None:
    os.set_blocking(terminal.theirs, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(terminal.theirs, b"x" * 1000)
    terminal.screen.draw([Text("one")], (10, 1))
    os.set_blocking(terminal.ours, False)
    waiting = b""
    with contextlib.suppress(BlockingIOError):
        while True:
            waiting += os.read(terminal.ours, 65536)
    assert set(waiting) == {ord("x")}
    assert terminal.drawn("one", size=(10, 1)).endswith("\x1b[1;1Hone\x1b[K")


@pytest.mark.parametrize(
    ("columns", "rows", "size"),
    [(0, 0, (80, 24)), (100, 0, (80, 24)), (0, 40, (80, 24)), (100, 40, (100, 40))],
)
def test_a_terminal_that_does_not_know_its_size_has_the_usual_one(
    terminal: Pty, columns: int, rows: int, size: tuple[int, int]
) -> None:
    fcntl.ioctl(terminal.theirs, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
    assert terminal.screen.size == size
