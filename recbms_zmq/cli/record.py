"""`recbms-zmq record`: what a BMS sends, with its times, as lines that can be replayed."""

import argparse
import asyncio
import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from recbms_zmq.config import readers
from recbms_zmq.config.load import load_one
from recbms_zmq.config.option import declare, read_argument
from recbms_zmq.config.options import SOURCE_OPTIONS, Config
from recbms_zmq.errors import OutputError, RecBmsError, Unavailable
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.service import logs
from recbms_zmq.service.fleet import Bms, advance_when_due, build_fleet
from recbms_zmq.service.runner import run
from recbms_zmq.service.shutdown import FLUSH, call_on_signals
from recbms_zmq.sinks.stdout import StdoutSink
from recbms_zmq.sources.recording import Recorder

MAX_WAITING: Final = 2**26
"""Bytes that may wait for a slow reader. A recording must not have holes."""
PROGRESS: Final = 60.0
"""Seconds between the log's lines about how much is recorded."""

_log = logging.getLogger(__name__)

EPILOG = """\
A recording holds everything the BMS sent, and when, except for its serial number: that is the
password of the module's firmware page, and is always redacted. So you can give it to others, who
then see what you saw:

  recbms-zmq record ws://192.168.8.2/ws --duration 600 -o battery.jsonl
  recbms-zmq run replay:battery.jsonl
  recbms-zmq run --no-publish 'replay:battery.jsonl?speed=0' | jq .

It stops after --duration, at the end of the source, or at Ctrl-C. The format is described in
recbms_zmq/sources/recording.py.

exit codes: 0 stopped as asked; 2 wrong option; 69 the BMS sent nothing; 73 the file exists, or
cannot be written; 78 the source cannot be read; 141 the reader of stdout has closed it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `record`."""
    parser.usage = "%(prog)s [OPTIONS] [NAME=]SOURCE"
    parser.epilog = EPILOG
    parser.add_argument("source", metavar="[NAME=]SOURCE", help="the BMS, as for run")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write (default: stdout)")
    parser.add_argument("--force", action="store_true", help="overwrite the file if it exists")
    parser.add_argument("--duration", metavar="SECONDS", help="end after this time")
    declare(parser, SOURCE_OPTIONS)


def main(args: argparse.Namespace) -> int:
    """Record."""
    config = load_one(vars(args), args.source, os.environ)
    duration = read_argument("--duration", readers.number("seconds", above=True), args.duration)
    output = read_argument("--output", readers.path, args.output)
    logs.set_up(config.log_level)
    with _output(output, force=args.force) as fd:
        run(_record_to(config, fd, output, duration))
    return 0


async def record(
    bms: Bms, write: Callable[[bytes], None], ended: "asyncio.Future[None]"
) -> "Recorded":
    """Write what a BMS sends, line by line, until its source or `ended` ends."""
    recorder = Recorder(bms.pipeline, write)
    start = bms.source.now()
    recorder.start(start)
    bms.pipeline.start(start)
    source = asyncio.create_task(bms.source.run(recorder))
    timer = asyncio.create_task(advance_when_due([bms]))
    progress = asyncio.create_task(_log_progress(bms.pipeline.name, recorder))
    try:
        await asyncio.wait((source, ended), return_when=asyncio.FIRST_COMPLETED)
    finally:
        end = bms.source.now()
        reason = bms.pipeline.reason
        recorder.stop(end)
        bms.pipeline.stop(end)
        tasks = (source, timer, progress)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
    return Recorded(recorder.frames, reason)


class Recorded(NamedTuple):
    """How many frames came, and why the BMS was online or offline at the end."""

    frames: int
    reason: str


async def _log_progress(name: str, recorder: Recorder) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(PROGRESS)
        seconds = time.monotonic() - began
        _log.info("%s: %d frames recorded in %.0f s", name, recorder.frames, seconds)


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
        recorded = await record(bms, output.write, ended)
        await output.sink.drain(FLUSH if ended.done() else None)
    finally:
        output.sink.close()
    if ended.done():
        ended.result()
    name = config.bms[0].name
    if not recorded.frames:
        raise Unavailable(f"{name}: no frame came: {recorded.reason}")
    _log.info("%s: %d frames recorded in %s", name, recorded.frames, path or "standard output")


class _Output:
    """Takes every line, or ends the recording."""

    def __init__(self, sink: StdoutSink, end: Callable[[RecBmsError], None]) -> None:
        self.sink = sink
        self._end = end
        self._waiting = 0

    def write(self, line: bytes) -> None:
        """Write a line, or keep it for a slow reader."""
        self.sink.publish(Batch([(b"", line, None)], [], complete=True))
        self._waiting = 0 if self.sink.is_idle else self._waiting + len(line)
        if self._waiting > MAX_WAITING:
            self._end(OutputError("standard output is not read, and 64 MiB of the recording wait"))


@contextlib.contextmanager
def _output(path: Path | None, *, force: bool) -> Iterator[int | None]:
    if path is None:
        yield None if sys.stdout is None else sys.stdout.fileno()
        return
    try:
        # A device or a pipe holds nothing that could be lost.
        is_new = not force and (path.is_file() or not path.exists())
        file = path.open("xb" if is_new else "wb", buffering=0)
    except FileExistsError as exc:
        raise OutputError(f"{path} exists; --force overwrites it") from exc
    except OSError as exc:
        raise OutputError(f"cannot write {path}: {exc.strerror}") from exc
    with file:
        yield file.fileno()
