"""Messages as lines on standard output, without blocking on a slow reader.

Lines are written in groups of at most PIPE_BUF bytes. A pipe accepts such a write whole or not at
all, so no line is cut, even if this process is killed.

While the reader is slow, only the newest line of each topic is kept, so memory is bounded by the
number of topics. Lines that wait are written in rounds:

- A round begins with all lines that wait, in the order in which they were published. No line joins
  it, so each topic is written within two rounds: (topics / lines a second) x 2.
- A newer line of a topic in the round takes the place of the older one; a line of any other topic
  waits for the next round.
- After a batch that expires topics (`offline`, a null) nothing in the round is replaced any more:
  newer lines wait for the next round. So no line overtakes the one that expired its topic, and no
  null is replaced by a value that came before it.
"""

import asyncio
import contextlib
import itertools
import select
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from recbms_zmq.errors import OutputError, ReaderGone, RecBmsError
from recbms_zmq.reporting.batch import Batch, Outgoing
from recbms_zmq.sinks.descriptors import open_writer

_Lines = OrderedDict[bytes | int, Outgoing]

_MAX_GROUP_LINES: Final = select.PIPE_BUF // 64  # no line is shorter than 64 bytes
_GROUPS_PER_TURN: Final = 16
"""Groups that are written in one turn of the event loop: 64 KiB, what an empty pipe takes. A BMS
that floods makes each turn some 10 ms long, and the lines of all BMS wait in the same queue."""


class StdoutSink:
    """Writes lines to a file descriptor.

    Args:
        fd: where to write; None if standard output was closed at the start.
        failed: called once, with the reason, when nothing more can be written: `ReaderGone`, or an
            `OutputError` for a full disk.

    Raises:
        ReaderGone: standard output is closed.

    """

    def __init__(self, fd: int | None, failed: Callable[[RecBmsError], None]) -> None:
        self._writer = open_writer(fd)
        self._failed = failed
        self._gone = False
        self._rest = b""  # the end of a group that was written in part
        # The newest line of each topic; lines of complete batches have a number as their key.
        self._round: _Lines = OrderedDict()
        self._next_round: _Lines = OrderedDict()
        self._sealed = False  # no line of the round is replaced
        self._numbers = itertools.count()
        self._watched = False
        self._idle = asyncio.Event()  # no line waits for the reader
        self._idle.set()

    def publish(self, batch: Batch) -> None:
        """Write the lines, or keep them until the reader is ready."""
        waiting = batch.messages
        if not self._watched:
            groups = _groups(_lines(waiting))
            for group in groups:
                if not self._write(group):
                    break
            # The lines that are left are counted, because nearly always there are none: counting
            # takes as long as all else here.
            left = sum(group.count(b"\n") for group in groups)
            waiting = waiting[len(waiting) - left :]
        if not self._gone:
            # Before the messages are kept: the one that expires a topic is among them.
            self._sealed |= bool(batch.expired)
            for message in waiting:
                self._keep(next(self._numbers) if batch.complete else message[0], message)

    @property
    def is_idle(self) -> bool:
        """Whether no line waits for the reader."""
        return self._idle.is_set()

    async def drain(self, seconds: float | None = None) -> None:
        """Wait until all lines are written or the reader is gone, at most this many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()

    def close(self) -> None:
        """Release what was opened; `fd` itself stays open."""
        self._unwatch()
        self._writer.close()

    def _keep(self, key: bytes | int, message: Outgoing) -> None:
        if key in self._round and not self._sealed:
            self._round[key] = message
        else:
            self._next_round[key] = message
            self._next_round.move_to_end(key)

    def _write(self, text: bytes) -> bool:
        """Write a group, or keep the rest of it; return whether all of it is written."""
        if self._gone:
            return False
        try:
            self._rest = text[self._writer.write(text) :]
        except BlockingIOError:
            self._rest = text
        except OSError:
            # EPIPE; ECONNRESET of a socket; EIO of a terminal that was closed.
            self._fail(ReaderGone())
        except OutputError as exc:
            self._fail(exc)
        if self._rest and not self._gone:
            self._watch()
        return not self._rest and not self._gone

    def _fail(self, error: RecBmsError) -> None:
        self._gone = True
        self._round.clear()
        self._next_round.clear()
        self._unwatch()
        self._failed(error)

    def _write_waiting(self) -> None:
        """Write what the reader has room for, in one turn so much that the rest keeps running."""
        for _ in range(_GROUPS_PER_TURN):
            if not self._write(self._rest or self._take()):
                return
            if not (self._round or self._next_round):
                self._unwatch()
                return

    def _take(self) -> bytes:
        if not self._round:
            self._round, self._next_round = self._next_round, self._round
            self._sealed = False
        first = itertools.islice(self._round.values(), _MAX_GROUP_LINES)
        group = next(_groups(_lines(first)))
        for _ in range(group.count(b"\n")):
            self._round.popitem(last=False)
        return group

    def _watch(self) -> None:
        if not self._watched:
            asyncio.get_running_loop().add_writer(self._writer.fd, self._write_waiting)
            self._watched = True
            self._idle.clear()

    def _unwatch(self) -> None:
        if self._watched:
            asyncio.get_running_loop().remove_writer(self._writer.fd)
            self._watched = False
            self._idle.set()


def _lines(messages: Iterable[Outgoing]) -> bytes:
    # The empty end adds the newline of the last line.
    return b"\n".join([*[body for _, body, _ in messages], b""])


def _groups(lines: bytes) -> Iterator[bytes]:
    """Cut into groups of whole lines of at most PIPE_BUF bytes; a longer line is a group alone."""
    start = 0
    while start < len(lines):
        end = lines.rfind(b"\n", start, start + select.PIPE_BUF)
        if end < 0:
            end = lines.index(b"\n", start)
        yield lines[start : end + 1]
        start = end + 1
