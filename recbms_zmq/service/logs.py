"""The log on stderr: one line per entry, in a form that systemd's journal understands.

A full pipe must not stop the service: a line that stderr does not take at once is dropped, and the
next line that it takes has the number of dropped ones.

No secret is logged. Libraries log from `warning` on, also under `--log-level debug`: their debug
lines hold whole frames (with the serial number) and HTTP headers (with the password). Credentials
of URLs are masked in every line.
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
    """Makes one line of each record: with a priority for the journal, with the time for people."""

    def __init__(self, *, journal: bool) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info and (error := record.exc_info[1]) is not None:
            text += f": {type(error).__name__}: {error}"
            if record.levelno >= logging.ERROR:
                text += f" | {self.formatException(record.exc_info)}"
        # One line: in the journal a second one would have no priority, and could look like ours.
        line = " ".join(text.splitlines())
        line = masked_text(printable(line))
        if self._journal:
            return f"<{next(p for level, p in _PRIORITIES if record.levelno >= level)}>{line}"
        return f"{self.formatTime(record, '%Y-%m-%d %H:%M:%S')} {record.levelname.lower()} {line}"


class _Handler(logging.Handler):
    """Writes lines to a file descriptor without ever blocking."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = _without_waiting(fd)
        self._lost = 0
        self._cut = b""  # the newline that a cut line lacks

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        if self._lost:
            line += f" ({self._lost} lines before this one were dropped: stderr was full)"
        # Room for two newlines: that of this line, and the one that a cut line lacks.
        data = self._cut + line.encode("utf-8", "replace")[: select.PIPE_BUF - 2] + b"\n"
        try:
            # A pipe or socket that is writable takes PIPE_BUF bytes without blocking.
            if not select.select([], [self._fd], [], 0)[1]:
                raise BlockingIOError
            written = os.write(self._fd, data)
        except OSError:
            self._lost += 1
        else:
            self._lost = 0
            self._cut = b"\n" if written < len(data) else b""


def _without_waiting(fd: int) -> int:
    """Open a terminal once more, non-blocking: a writable one can take less than a line."""
    try:
        return os.open(os.ttyname(fd), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # not a terminal, or no permission
        return fd


def set_up(level: str) -> None:
    """Log to stderr from a level on: debug, info, warning or error."""
    handler: logging.Handler = logging.NullHandler()
    if sys.stderr is not None:  # it is when the program was started with stderr closed
        fd = sys.stderr.fileno()
        handler = _Handler(fd)
        handler.setFormatter(_Formatter(journal=_is_journal(fd)))
    threshold = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(threshold, logging.WARNING), handlers=[handler], force=True)
    logging.getLogger("recbms_zmq").setLevel(threshold)
    # What websockets logs about connections, `Pipeline` logs, too, with the name of the BMS.
    logging.getLogger("websockets").setLevel(logging.ERROR)


def _is_journal(fd: int) -> bool:
    """Return whether systemd's JOURNAL_STREAM (device:inode) is this stream."""
    status = os.fstat(fd)
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
