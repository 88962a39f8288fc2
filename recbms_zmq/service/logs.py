"""The log on stderr: one line an entry, in the form that systemd's journal understands.

A log that nobody reads must not stop the service, so a line that stderr does not take at once is
dropped, and the next one that it takes says how many were.

No secret gets through it. Libraries are heard from `warning` on, whatever `--log-level` says: what
they tell at `debug` are whole frames (the settings frame holds the serial number) and HTTP headers
(with the password). And whatever looks like a URL's credentials is masked in every line.
"""

import logging
import os
import select
import sys
from typing import Final

from recbms_zmq.text import masked_text, printable

# sd-daemon(3): the journal takes the priority from the front of the line.
_PRIORITIES: Final = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))


class _Formatter(logging.Formatter):
    """One line, whatever is in it; with a priority for the journal, with the time for people."""

    def __init__(self, *, journal: bool) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            text += f": {record.exc_info[0].__name__}: {record.exc_info[1]}"
            if record.levelno >= logging.ERROR:
                text += f" | {self.formatException(record.exc_info)}"
        line = " ".join(text.splitlines())
        line = masked_text(printable(line))
        if self._journal:
            return f"<{next(p for level, p in _PRIORITIES if record.levelno >= level)}>{line}"
        return f"{self.formatTime(record, '%Y-%m-%d %H:%M:%S')} {record.levelname.lower()} {line}"


class _Handler(logging.Handler):
    """Writes lines to a file descriptor without ever waiting for its reader."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = _without_waiting(fd)
        self._lost = 0
        self._cut = b""  # what a line that was cut lacks

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        if self._lost:
            line += f" ({self._lost} lines before this one were lost, nobody read them)"
        data = self._cut + line.encode("utf-8", "replace")[: select.PIPE_BUF - 2] + b"\n"
        try:
            # A pipe or socket that is ready takes PIPE_BUF bytes without blocking.
            if not select.select([], [self._fd], [], 0)[1]:
                raise BlockingIOError
            written = os.write(self._fd, data)
        except OSError:
            self._lost += 1
        else:
            self._lost = 0
            self._cut = b"\n" if written < len(data) else b""


def _without_waiting(fd: int) -> int:
    """Open a terminal once more, for us alone: it can be ready for less than a line, and block."""
    try:
        return os.open(os.ttyname(fd), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # no terminal, or one that we may not open
        return fd


def set_up(level: str) -> None:
    """Log to stderr from this level on: debug, info, warning or error."""
    handler: logging.Handler = logging.NullHandler()
    if sys.stderr is not None:  # it is when the program was started with stderr closed
        fd = sys.stderr.fileno()
        handler = _Handler(fd)
        handler.setFormatter(_Formatter(journal=_is_journal(fd)))
    threshold = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(threshold, logging.WARNING), handlers=[handler], force=True)
    logging.getLogger("recbms_zmq").setLevel(threshold)
    # The library's own words about connections say what `Pipeline` says, less readably.
    logging.getLogger("websockets").setLevel(logging.ERROR)


def _is_journal(fd: int) -> bool:
    """Tell whether this is the stream that systemd named in JOURNAL_STREAM, as device:inode."""
    try:
        status = os.fstat(fd)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
