"""The log on stderr: one line an entry, in the form that systemd's journal understands."""

import logging
import os
import sys
from typing import Final

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
        line = "".join(char if char.isprintable() else "?" for char in line)
        if self._journal:
            return f"<{next(p for level, p in _PRIORITIES if record.levelno >= level)}>{line}"
        return f"{self.formatTime(record, '%Y-%m-%d %H:%M:%S')} {record.levelname.lower()} {line}"


def set_up(level: str) -> None:
    """Log to stderr from this level on: debug, info, warning or error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(journal=_is_journal(sys.stderr.fileno())))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # The library's own words about connections say what `Device` says, less readably.
    if level != "debug":
        logging.getLogger("websockets").setLevel(logging.ERROR)
        logging.getLogger("asyncio").setLevel(logging.WARNING)


def _is_journal(fd: int) -> bool:
    """Tell whether this is the stream that systemd named in JOURNAL_STREAM, as device:inode."""
    try:
        status = os.fstat(fd)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
