"""The terminal: takes it over, sends the rows that have changed, and restores it.

The terminal is restored however the view ends, except after SIGKILL: then `reset` helps.
"""

import contextlib
import io
import locale
import os
import select
import sys
import termios
import tty
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console
from rich.text import Text

from recbms_zmq.monitor.draw import ASCII, UNICODE, Glyphs

_ENTER: Final = "\x1b[?1049h\x1b[?25l\x1b[2J"  # alternate screen, no cursor
_LEAVE: Final = "\x1b[0m\x1b[2J\x1b[?25h\x1b[?1049l"


class Screen:
    """A terminal that shows rows of text.

    Args:
        output: descriptor of the terminal that is written.
        keyboard: descriptor of the terminal that is read, None if there is none.

    """

    def __init__(self, output: int, keyboard: int | None) -> None:
        self._output = output
        self._keyboard = keyboard
        # In UTF-8 mode, which LC_ALL=C turns on, Python writes UTF-8 whatever the terminal shows.
        self._encoding = locale.getencoding() if sys.flags.utf8_mode else sys.stdout.encoding
        # For its text alone: rich's own live display writes every row each time.
        self._console = Console(
            file=io.StringIO(), force_terminal=True, highlight=False, legacy_windows=False
        )
        self._before: list[Any] | None = None
        self._shown: list[str] = []
        self._size = (0, 0)

    def __enter__(self) -> Self:
        """Take the terminal over."""
        self.take_over()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Restore the terminal."""
        self.restore()

    def take_over(self) -> None:
        """Switch to an empty alternate screen, and read keys as they are pressed."""
        if self._keyboard is not None:
            self._before = termios.tcgetattr(self._keyboard)
            tty.setcbreak(self._keyboard, termios.TCSANOW)
        self.invalidate()
        self._write(_ENTER)

    def restore(self) -> None:
        """Switch back to the former screen and keyboard mode."""
        with contextlib.suppress(OSError, termios.error):  # the terminal may be gone
            # After Ctrl-S a write would block for ever. On Linux TCOON only undoes a TCOOFF.
            termios.tcflow(self._output, termios.TCOOFF)
            termios.tcflow(self._output, termios.TCOON)
            self._write(_LEAVE)
        if self._keyboard is not None and self._before is not None:
            with contextlib.suppress(OSError, termios.error):
                termios.tcsetattr(self._keyboard, termios.TCSANOW, self._before)
            self._before = None

    def invalidate(self) -> None:
        """Draw every row next time, whatever the terminal shows."""
        self._size = (0, 0)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        columns, rows = os.get_terminal_size(self._output)
        # A serial line does not know its size.
        return (columns, rows) if columns and rows else (80, 24)

    @property
    def glyphs(self) -> Glyphs:
        """The characters that this terminal can show."""
        unicode = self._encoding.lower().replace("-", "") == "utf8"
        return UNICODE if unicode and os.environ.get("TERM") != "linux" else ASCII

    def draw(self, lines: list[Text], size: tuple[int, int]) -> None:
        """Show these rows. If the terminal is not ready, leave them out: newer ones follow.

        Raises:
            OSError: the terminal is gone.

        """
        if not select.select([], [self._output], [], 0)[1]:
            return
        pieces = []
        if size != self._size:
            self._size = size
            self._shown = [""] * size[1]
            pieces.append("\x1b[0m\x1b[2J")
        for number, line in enumerate(lines[: size[1]]):
            row = self._ansi(line, size[0])
            if row != self._shown[number]:
                self._shown[number] = row
                # After a full row some terminals would erase its last character.
                erase = "\x1b[K" if line.cell_len < size[0] else ""
                pieces.append(f"\x1b[{number + 1};1H{row}{erase}")
        if pieces:
            self._write("".join(pieces))

    def _ansi(self, line: Text, width: int) -> str:
        self._console.width = width
        with self._console.capture() as capture:
            self._console.print(line, end="", no_wrap=True, overflow="ignore", crop=False)
        return capture.get()

    def _write(self, text: str) -> None:
        data = text.encode(self._encoding, "replace")
        while data:
            data = data[os.write(self._output, data) :]
