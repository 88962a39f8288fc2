"""`recbms-zmq record`: what a BMS sends, with its times, as lines that can be replayed."""

import argparse
import asyncio
import contextlib
import datetime as dt
import logging
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from recbms_zmq.config import readers
from recbms_zmq.config.load import load_one
from recbms_zmq.config.option import declare, read_argument
from recbms_zmq.config.options import SOURCE_OPTIONS, Config
from recbms_zmq.errors import OutputError, ReaderGone, RecBmsError, Unavailable
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.service import logs
from recbms_zmq.service.fleet import Bms, advance_when_due, build_fleet
from recbms_zmq.service.runner import run
from recbms_zmq.service.shutdown import FLUSH, call_on_signals
from recbms_zmq.sinks.stdout import StdoutSink
from recbms_zmq.sources.recording import Recorder
from recbms_zmq.text import masked

MOST_WAITING: Final = 2**26
"""Bytes that may wait for a slow reader. Above, the recording ends, so that it has no holes."""
LOG_EVERY: Final = 600.0
"""Seconds between two lines of progress in the log; a terminal shows it every second."""

EPILOG = """\
A recording has everything that the BMS sent, and when, except for its serial number: that is the
password of the module's firmware page, and is always redacted. So it can be given to others, who
then see what you saw:

  recbms-zmq record ws://192.168.8.2/ws --duration 600 -o battery.jsonl
  recbms-zmq run replay:battery.jsonl
  recbms-zmq run --no-publish 'replay:battery.jsonl?speed=0' | jq .

It stops after --duration, at the end of the source, or at Ctrl-C. The format is described in
recbms_zmq/sources/recording.py.

exit codes: 0 stopped as asked; 2 wrong option; 69 no frame came; 73 the file exists, or cannot be
written; 78 the source cannot be read; 141 the reader of stdout has closed it.
"""

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `record`."""
    parser.usage = "%(prog)s [OPTIONS] [NAME=]SOURCE"
    parser.epilog = EPILOG
    parser.add_argument("source", metavar="[NAME=]SOURCE", help="the BMS, as for run")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write (default: stdout)")
    parser.add_argument("--force", action="store_true", help="overwrite a FILE that exists")
    parser.add_argument("--duration", metavar="SECONDS", help="end after this time")
    declare(parser, SOURCE_OPTIONS)


def main(args: argparse.Namespace) -> int:
    """Record, and return the exit code."""
    config = load_one(vars(args), args.source, os.environ)
    duration = read_argument("--duration", readers.number("seconds", above=True), args.duration)
    output = read_argument("--output", readers.path, args.output)
    logs.set_up(config.log_level)
    with _output(output, force=args.force) as fd:
        run(_record_to(config, fd, output, duration))
    return 0


async def record(bms: Bms, write: Callable[[bytes], None], ended: "asyncio.Future[None]") -> None:
    """Read a BMS until its source ends, or until `ended`, and write each message as a line.

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
        asyncio.create_task(_show_progress(bms)),
    ]
    try:
        await asyncio.wait((source, ended), return_when=asyncio.FIRST_COMPLETED)
    finally:
        reason = bms.pipeline.reason
        end = bms.source.now()
        recorder.stop(end)
        bms.pipeline.stop(end)
        for task in (source, *others):
            task.cancel()
        results = await asyncio.gather(source, *others, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
    if not bms.pipeline.messages:
        raise Unavailable(f"nothing was recorded: no frame came ({reason})")


async def _show_progress(bms: Bms) -> None:
    """Show frames and time: every second on a terminal, else now and then in the log."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    on_terminal = sys.stderr is not None and sys.stderr.isatty() and not _stdout_is_terminal()
    try:
        while True:
            await asyncio.sleep(1.0 if on_terminal else LOG_EVERY)
            passed = dt.timedelta(seconds=round(loop.time() - start))
            text = f"{bms.pipeline.messages} frames in {passed}"
            if on_terminal:
                sys.stderr.write(f"\r{text} ")
                sys.stderr.flush()
            else:
                _log.info("%s: %s recorded", bms.pipeline.name, text)
    finally:
        if on_terminal:
            sys.stderr.write("\n")


def _stdout_is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


async def _record_to(
    config: Config, fd: int | None, path: Path | None, duration: float | None
) -> None:
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
        await record(bms, output.write, ended)
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


@contextlib.contextmanager
def _output(path: Path | None, *, force: bool) -> Iterator[int | None]:
    if path is None:
        if sys.stdout is None:
            raise ReaderGone("standard output is closed")
        yield sys.stdout.fileno()
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if force else os.O_EXCL)
    if _is_special(path):
        flags = os.O_WRONLY | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o666)
    except FileExistsError as exc:
        raise OutputError(f"{path} exists; choose another name, or overwrite: --force") from exc
    except OSError as exc:
        raise OutputError(f"cannot write {path}: {exc.strerror}") from exc
    try:
        yield fd
    except Unavailable:
        if flags & os.O_EXCL:  # a recording of nothing would be in the way of the next one
            path.unlink()
        raise
    finally:
        os.close(fd)


def _is_special(path: Path) -> bool:
    """Return whether this is a device or a pipe, which is never overwritten."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)
