"""The service: a fleet and its sinks, opened in order, and ended in order.

Messages go from a device to the sinks in the same turn of the event loop. A run without an end of
its own: see `once` for the other kind.
"""

import asyncio
import contextlib
import logging
import os
import sys
import time
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from recbms_zmq.config.options import Config
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.sensors.energy import FROM_ZERO
from recbms_zmq.service.fleet import allow_open_files, build_fleet, keep_running, start_delay, tick
from recbms_zmq.service.shutdown import call_at_end_of, call_on_signals
from recbms_zmq.service.systemd import Notifier, status_line
from recbms_zmq.sinks import Sink
from recbms_zmq.sinks.publisher import ZmqSink
from recbms_zmq.sinks.stdout import StdoutSink
from recbms_zmq.text import masked

if TYPE_CHECKING:  # loaded only by who needs it
    from recbms_zmq.service.counters import Keeper
    from recbms_zmq.sinks.zap import Authenticator

FLUSH: Final = 0.1
"""Seconds that slow readers get for the last messages, and a BMS for its goodbye."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Service:
    """Serves until a signal, or the end of stdin or of all sources."""

    def __init__(self, config: Config) -> None:
        """Wire everything; nothing is opened yet.

        Raises:
            UsageError, ConfigError: a source cannot be what it says, or there are too many; or
                a key file cannot be used.

        """
        # With the counters of a BMS goes a lock.
        allow_open_files(len(config.bms), each=1 if config.state_dir is None else 2)
        self._config = config
        self._authenticator = _authenticator(config) if config.publish else None
        self._sinks: list[Sink] = []
        self._stdout: StdoutSink | None = None
        self._pub: ZmqSink | None = None
        self._keeper: Keeper | None = None
        self._fleet = build_fleet(config, self._publish, self._drained)
        pipelines = [bms.pipeline for bms in self._fleet]
        self._notifier = Notifier(os.environ, lambda: status_line(pipelines))
        self._ended: asyncio.Future[None]

    async def run(self) -> None:
        """Serve.

        Raises:
            OutputError: a ZeroMQ address cannot be bound, stdout not be written to, or the energy
                counters not be kept.
            ReaderGone: nobody reads stdout any more.
            UsageError: stdin is not what `--exit-on-stdin-close` needs.

        """
        self._ended = asyncio.get_running_loop().create_future()
        self._watch_for_the_end()
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self._notifier.close)
            if await self._open_counters(stack) and await self._open_sinks(stack):
                await self._serve()

    def _publish(self, batch: Batch) -> None:
        if batch.messages or batch.expired:
            for sink in self._sinks:
                sink.publish(batch)

    def _end(self, error: BaseException | None = None) -> None:
        if not self._ended.done():
            self._ended.set_result(None) if error is None else self._ended.set_exception(error)

    def _watch_for_the_end(self) -> None:
        call_on_signals(self._end)
        if self._config.exit_on_stdin_close and not self._stdin_readers():
            call_at_end_of(sys.stdin, self._end)

    async def _open_counters(self, stack: contextlib.AsyncExitStack) -> bool:
        """Tell the energy counters what they were; return False if the end came first."""
        directory = self._config.state_dir
        meters = {b.pipeline.name: b.pipeline.meter for b in self._fleet if b.source.live}
        kept = meters if directory is not None else {}
        for bms in self._fleet:
            # What is only a recording adds nothing to the counters of a pack.
            if bms.pipeline.name not in kept:
                bms.pipeline.meter.resume(FROM_ZERO)
        if directory is None:
            _log.info("energy counters start at 0; with --state-dir DIR they survive a restart")
            return True
        from recbms_zmq.service.counters import Keeper

        self._keeper = Keeper(directory, kept)
        stack.push_async_callback(self._keeper.close)
        return await _unless(self._ended, self._keeper.open()) is not None

    async def _open_sinks(self, stack: contextlib.AsyncExitStack) -> bool:
        """Open what messages go to; return False if the end came first."""
        if self._config.publish:
            self._pub = pub = ZmqSink(
                hwm=self._config.hwm,
                ipc_mode=self._config.ipc_mode,
                authenticator=self._authenticator,
            )
            stack.callback(pub.term)
            for endpoint in self._config.publish:
                bound = await _unless(self._ended, pub.bind(endpoint))
                if bound is None:
                    return False
                _log.info("publishing on %s", bound)
            pub.start()
            self._sinks.append(pub)
        if not self._config.no_stdout:
            stdout = None if sys.stdout is None else sys.stdout.fileno()
            self._stdout = StdoutSink(stdout, self._end)
            stack.callback(self._stdout.close)
            self._sinks.append(self._stdout)
        return True

    async def _serve(self) -> None:
        for bms, options in zip(self._fleet, self._config.bms, strict=True):
            _log.info("%s: reading %s", bms.pipeline.name, masked(options.url))
            bms.pipeline.start(bms.source.now())
        if self._keeper is not None:
            self._keeper.start()
        tasks = [
            asyncio.create_task(keep_running(bms, start_delay(place)))
            for place, bms in enumerate(self._fleet)
        ]
        last = asyncio.create_task(self._end_after(tasks))
        # A BMS that says nothing is no reason to be killed; a source that ended by an error is.
        ticker = asyncio.create_task(
            tick(
                self._fleet,
                lambda now: self._notifier.update(now, alive=not any(map(_error_of, tasks))),
            )
        )
        # Without it nobody would ever be offline: better to end, and be started again.
        ticker.add_done_callback(lambda it: None if it.cancelled() else self._end(it.exception()))
        self._notifier.ready(time.monotonic())
        try:
            await self._ended
        finally:
            self._notifier.stopping()
            # A frame that is on its way must not come behind the `offline`; and that comes before
            # all goodbyes, because the promise is 200 ms.
            for bms, task in zip(self._fleet, tasks, strict=True):
                if not task.done():
                    task.cancel()
                    bms.pipeline.stop(bms.source.now())
            others = (ticker, last)
            for task in others:
                task.cancel()
            # Beside the goodbyes; it is waited for when all sockets are closed, because a slow disk
            # may take longer than the promise, and a minute's energy is worth that.
            if self._keeper is not None:
                self._keeper.stop()
            self._sinks.clear()
            if self._pub is not None:
                self._pub.close()
            await asyncio.gather(asyncio.wait((*others, *tasks), timeout=2 * FLUSH), self._flush())

    async def _end_after(self, tasks: "Sequence[asyncio.Task[None]]") -> None:
        """End when the sources have, or only the one that reads stdin if that is to be the end."""
        awaited = tasks
        if self._config.exit_on_stdin_close:
            awaited = [tasks[number] for number in self._stdin_readers()] or tasks
        await asyncio.wait(awaited)
        # Nothing waits to be read any more: no hurry, a slow reader gets the last lines too.
        await self._drained()
        self._end(next(filter(None, map(_error_of, tasks)), None))

    def _stdin_readers(self) -> list[int]:
        return [number for number, bms in enumerate(self._config.bms) if bms.url == "-"]

    async def _drained(self) -> None:
        if self._stdout is not None:
            await self._stdout.drain()

    async def _flush(self) -> None:
        if self._stdout is not None:
            await self._stdout.drain(FLUSH)


def _authenticator(config: Config) -> "Authenticator | None":
    if config.curve_secret_key is None and not config.allow_ip:
        return None
    from recbms_zmq.sinks.zap import Authenticator

    if config.curve_secret_key is None:
        return Authenticator(networks=config.allow_ip)
    from recbms_zmq import curve

    return Authenticator(
        server=curve.read_secret(config.curve_secret_key),
        keys=curve.read_allowed(config.curve_allow) if config.curve_allow else None,
        networks=config.allow_ip,
    )


def _error_of(task: "asyncio.Task[None]") -> BaseException | None:
    return task.exception() if task.done() and not task.cancelled() else None


async def _unless(ended: "asyncio.Future[None]", work: Coroutine[Any, Any, _T]) -> _T | None:
    """Return the result of the work, or None if the end comes first."""
    task = asyncio.ensure_future(work)
    await asyncio.wait((ended, task), return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        return await task
    await _cancel([task])
    return None


async def _cancel(tasks: "Sequence[asyncio.Future[Any]]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
