"""Recording what a BMS sends: the work of `recbms-zmq record`."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from recbms_zmq.config.options import Config
from recbms_zmq.errors import OutputError, RecBmsError
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.service.fleet import Bms, advance_when_due, build_fleet
from recbms_zmq.service.service import FLUSH
from recbms_zmq.service.shutdown import call_on_signals
from recbms_zmq.sinks.stdout import StdoutSink
from recbms_zmq.sources.recording import Recorder

MOST_WAITING: Final = 2**26
"""Bytes that may wait for a reader who has stalled. A recording must not have holes."""


async def record(bms: Bms, write: Callable[[bytes], None], ended: "asyncio.Future[None]") -> None:
    """Read a BMS until it has no more, or until `ended`; write down what comes, line by line."""
    recorder = Recorder(bms.pipeline, write)
    start = bms.source.now()
    recorder.start(start)
    bms.pipeline.start(start)
    source = asyncio.create_task(bms.source.run(recorder))
    timer = asyncio.create_task(advance_when_due([bms]))
    try:
        await asyncio.wait((source, ended), return_when=asyncio.FIRST_COMPLETED)
    finally:
        end = bms.source.now()
        recorder.stop(end)
        bms.pipeline.stop(end)
        source.cancel()
        timer.cancel()
        results = await asyncio.gather(source, timer, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def record_to(
    config: Config, fd: int | None, path: Path | None, duration: float | None
) -> None:
    """Record the BMS of a configuration to a file descriptor, at most so many seconds.

    Args:
        config: of one BMS.
        fd: where the lines go; None if standard output is closed.
        path: of the file, for error messages; None for standard output.
        duration: seconds; None for no limit.

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
        await record(bms, output.write, ended)
        await output.sink.drain(FLUSH if ended.done() else None)
    finally:
        output.sink.close()
    if ended.done():
        ended.result()


class _Output:
    """Where the lines go: all of them, or the recording ends."""

    def __init__(self, sink: StdoutSink, end: Callable[[RecBmsError], None]) -> None:
        self.sink = sink
        self._end = end
        self._waiting = 0

    def write(self, line: bytes) -> None:
        """Write a line, or keep it for a reader who is slow."""
        self.sink.publish(Batch([(b"", line, None)], [], complete=True))
        self._waiting = 0 if self.sink.is_idle else self._waiting + len(line)
        if self._waiting > MOST_WAITING:
            self._end(OutputError("nobody reads the recording, and too much of it waits"))
