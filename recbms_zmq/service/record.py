"""Recording what a BMS sends: the work of `recbms-zmq record`."""

import asyncio
import contextlib
import datetime as dt
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from recbms_zmq.config.options import Config
from recbms_zmq.errors import OutputError, RecBmsError, Unavailable
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.service.fleet import Bms, advance_when_due, build_fleet
from recbms_zmq.service.shutdown import FLUSH, call_on_signals
from recbms_zmq.sinks.descriptors import FileWriter, open_writer
from recbms_zmq.sinks.stdout import StdoutSink
from recbms_zmq.sources.recording import Recorder
from recbms_zmq.text import masked

MOST_WAITING: Final = 2**26
"""Bytes that may wait for a slow reader. Above, the recording ends, so that it has no holes."""
LOG_EVERY: Final = 600.0
"""Seconds between two lines of progress in the log; a terminal shows it every second."""

_log = logging.getLogger(__name__)


async def record(
    bms: Bms,
    write: Callable[[bytes], None],
    ended: "asyncio.Future[None]",
    terminal: int | None = None,
) -> None:
    """Read a BMS until its source ends, or until `ended`, and write each message as a line.

    Args:
        bms: to read.
        write: takes each line.
        ended: ends the recording.
        terminal: descriptor of a terminal that shows the progress; None for the log.

    Raises:
        Unavailable: no message came.

    """
    recorder = Recorder(bms.pipeline, write)
    start = bms.source.now()
    recorder.start(start)
    bms.pipeline.start(start)
    source = asyncio.create_task(bms.source.run(recorder))
    others = [
        asyncio.create_task(advance_when_due([bms])),
        asyncio.create_task(_show_progress(bms, terminal)),
    ]
    try:
        await asyncio.wait((source, ended), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (source, *others):
            task.cancel()
        # First, because a connection may deliver until it is closed.
        results = await asyncio.gather(source, *others, return_exceptions=True)
        reason = bms.pipeline.reason  # after `stop` it is "stopped"
        end = bms.source.now()
        recorder.stop(end)
        bms.pipeline.stop(end)
    for result in results:
        if isinstance(result, Exception):
            raise result
    if not bms.pipeline.messages:
        raise Unavailable(f"nothing was recorded: no frame came ({reason})")


async def _show_progress(bms: Bms, terminal: int | None) -> None:
    """Show frames and time: every second on a terminal, else now and then in the log."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    with contextlib.ExitStack() as stack:
        writer = None
        if terminal is not None:
            writer = open_writer(terminal)
            stack.callback(writer.close)
            stack.callback(_write, writer, "\n")
        while True:
            await asyncio.sleep(LOG_EVERY if writer is None else 1.0)
            passed = dt.timedelta(seconds=round(loop.time() - start))
            text = f"{bms.pipeline.messages} frames in {passed}"
            if writer is None:
                _log.info("%s: %s recorded", bms.pipeline.name, text)
            else:
                _write(writer, f"\r{text} ")


def _write(writer: FileWriter, text: str) -> None:
    """Write without waiting: a terminal after Ctrl-S takes nothing, and the recording goes on."""
    with contextlib.suppress(OSError):
        writer.write(text.encode())


def _progress_terminal(output: int | None) -> int | None:
    """Return where progress is shown: on stderr, unless the recording is on a terminal itself."""
    if sys.stderr is None or not sys.stderr.isatty() or (output is not None and os.isatty(output)):
        return None
    return sys.stderr.fileno()


async def record_to(
    config: Config, fd: int | None, path: Path | None, duration: float | None
) -> None:
    """Record the BMS of a configuration until its source ends or a signal comes.

    Args:
        config: of one BMS.
        fd: where the lines go.
        path: of the file, for error messages; None for standard output.
        duration: seconds after which it ends; None for no limit.

    Raises:
        OutputError: the file cannot be written, or the reader of standard output is too slow.
        ReaderGone: the reader of standard output has closed it.
        Unavailable: no message came.

    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def end(error: RecBmsError | None = None) -> None:
        if not ended.done():
            ended.set_result(None) if error is None else ended.set_exception(error)

    def failed(error: RecBmsError) -> None:
        full = OutputError(f"cannot write {path} any more; is the disk full?")
        end(error if path is None else full)

    call_on_signals(end)
    if duration is not None:
        loop.call_later(duration, end)
    output = _Output(StdoutSink(fd, failed), end)
    try:
        (bms,) = build_fleet(config, lambda _: None, output.sink.drain)
        _log.info("%s: recording %s", bms.pipeline.name, masked(config.bms[0].url))
        await record(bms, output.write, ended, _progress_terminal(fd))
        await output.sink.drain(FLUSH if ended.done() else None)
        _log.info("%s: %d frames recorded", bms.pipeline.name, bms.pipeline.messages)
    finally:
        output.sink.close()
    if ended.done():
        ended.result()


class _Output:
    """Writes all lines, or ends the recording."""

    def __init__(self, sink: StdoutSink, end: Callable[[RecBmsError], None]) -> None:
        self.sink = sink
        self._end = end
        self._waiting = 0

    def write(self, line: bytes) -> None:
        """Write a line, or keep it for a slow reader."""
        self.sink.publish(Batch([(b"", line, None)], [], complete=True))
        self._waiting = 0 if self.sink.is_idle else self._waiting + len(line)
        if self._waiting > MOST_WAITING:
            self._end(OutputError(f"the reader is too slow: {MOST_WAITING >> 20} MiB wait for it"))
