"""The service: a fleet and its sinks, opened in order and closed in order.

Messages go from a pipeline to the sinks in the same turn of the event loop, or at its end. The
service runs until it is stopped; `once` is for one state.
"""

import asyncio
import contextlib
import logging
import os
import sys
import time
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from recbms_zmq.clock import SILENCE
from recbms_zmq.config.options import Config
from recbms_zmq.errors import RecBmsError
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.sensors.energy import FROM_ZERO
from recbms_zmq.service.fleet import (
    advance_when_due,
    allow_open_files,
    build_fleet,
    is_overdue,
    keep_running,
    start_delay,
)
from recbms_zmq.service.selector import ServiceSelector
from recbms_zmq.service.shutdown import FLUSH, call_at_end_of, call_on_signals
from recbms_zmq.service.silence import explain_silence
from recbms_zmq.service.systemd import Notifier, status_line
from recbms_zmq.service.timer import Timer
from recbms_zmq.sinks.outbox import Outbox
from recbms_zmq.sinks.publisher import ZmqSink
from recbms_zmq.sinks.stdout import StdoutSink
from recbms_zmq.text import masked

if TYPE_CHECKING:  # loaded only where they are used
    from recbms_zmq.service.state_store import StateStore
    from recbms_zmq.sinks.zap import Authenticator

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Service:
    """Runs until a signal, or the end of stdin or of all sources."""

    def __init__(self, config: Config, selector: ServiceSelector) -> None:
        """Make sources, pipelines and keys; nothing is opened yet.

        Args:
            config: of all BMS and of what is published.
            selector: of the event loop that will run the service.

        Raises:
            UsageError: an address has wrong parts.
            ConfigError: a file cannot be used, or there are too many BMS for the open files.

        """
        # A BMS has a connection, and a lock if its state is kept.
        allow_open_files(len(config.bms), each=1 if config.state_dir is None else 2)
        self._config = config
        self._authenticator = _authenticator(config) if config.publish else None
        self._outbox = Outbox(selector.is_alone)
        self._stdout: StdoutSink | None = None
        self._pub: ZmqSink | None = None
        self._state: StateStore | None = None
        self._fleet = build_fleet(config, self._publish, self._drained)
        pipelines = [bms.pipeline for bms in self._fleet]
        self._readers: list[asyncio.Task[RecBmsError | None]] = []
        self._notifier = Notifier(os.environ, lambda: status_line(pipelines), self._is_alive)
        self._notify = Timer(self._notify_when_due)
        self._ended: asyncio.Future[None]

    async def run(self) -> None:
        """Run until the end.

        Raises:
            OutputError: a ZeroMQ address cannot be bound, stdout cannot be written to, or the
                energy counters cannot be kept.
            ReaderGone: the reader of stdout has closed it.
            UsageError: stdin is of a kind that `--exit-on-stdin-close` cannot watch.

        """
        self._ended = asyncio.get_running_loop().create_future()
        self._watch_for_the_end()
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self._notifier.close)
            if await self._open_state(stack) and await self._open_sinks(stack):
                await self._serve()

    def _publish(self, batch: Batch) -> None:
        if batch.messages or batch.expired:
            self._outbox.publish(batch)
        if self._notifier.is_used:
            if self._notifier.changed(time.monotonic()):
                self._notify.cancel()  # it is due later now
            self._notify.set(self._notifier.next_due)

    def _notify_when_due(self) -> None:
        self._notifier.update(time.monotonic())
        self._notify.set(self._notifier.next_due)

    def _is_alive(self) -> bool:
        """Return whether all BMS are read, and their timers run; a silent BMS is alive."""
        return not any(map(_has_died, self._readers)) and not any(map(is_overdue, self._fleet))

    def _end(self, error: BaseException | None = None) -> None:
        if not self._ended.done():
            self._ended.set_result(None) if error is None else self._ended.set_exception(error)

    def _watch_for_the_end(self) -> None:
        call_on_signals(self._end)
        if self._config.exit_on_stdin_close and not self._stdin_readers():
            call_at_end_of(sys.stdin, self._end)

    async def _open_state(self, stack: contextlib.AsyncExitStack) -> bool:
        """Load what earlier runs have kept; return False if the end came first."""
        directory = self._config.state_dir
        # A recording must not add to the counters of a pack.
        kept = {b.pipeline.name: b.pipeline for b in self._fleet if directory and b.source.live}
        for bms in self._fleet:
            if bms.pipeline.name not in kept:
                bms.pipeline.meter.resume(FROM_ZERO)
        if directory is None:
            _log.info("energy counters start at 0; with --state-dir DIR they survive a restart")
            return True
        from recbms_zmq.service.alarm_record import AlarmRecord
        from recbms_zmq.service.counters import EnergyRecord
        from recbms_zmq.service.state_store import StateStore

        self._state = StateStore(directory)
        for name, pipeline in kept.items():
            energy = EnergyRecord(name, pipeline.meter, self._state.save_soon)
            pipeline.limit_counters = energy.limit
            self._state.add(energy)
            alarms = AlarmRecord(name, pipeline.resume_alarms, self._state.save_soon)
            pipeline.keep_alarms = alarms.update
            self._state.add(alarms)
        stack.push_async_callback(self._state.close)
        return await _unless(self._ended, self._state.open()) is not None

    async def _open_sinks(self, stack: contextlib.AsyncExitStack) -> bool:
        """Open what messages are published on; return False if the end came first."""
        if self._config.publish:
            self._pub = pub = ZmqSink(
                hwm=self._config.hwm,
                max_clients=self._config.max_clients,
                ipc_mode=self._config.ipc_mode,
                authenticator=self._authenticator,
                before_replay=self._outbox.flush,
            )
            stack.callback(pub.term)
            for endpoint in self._config.publish:
                bound = await _unless(self._ended, pub.bind(endpoint))
                if bound is None:
                    return False
                _log.info("publishing on %s", bound)
            pub.start()
            self._outbox.sinks.append(pub)
        if not self._config.no_stdout:
            stdout = None if sys.stdout is None else sys.stdout.fileno()
            self._stdout = StdoutSink(stdout, self._end)
            stack.callback(self._stdout.close)
            if self._config.format in (None, "json"):
                self._outbox.sinks.append(self._stdout)
            else:
                from recbms_zmq.service.state_lines import StateLines

                StateLines(self._config, self._stdout).attach(self._fleet)
        return True

    async def _serve(self) -> None:
        for bms, options in zip(self._fleet, self._config.bms, strict=True):
            _log.info("%s: reading %s", bms.pipeline.name, masked(options.url))
            bms.pipeline.start(bms.source.now())
        self._readers = tasks = [
            asyncio.create_task(keep_running(bms, start_delay(index)))
            for index, bms in enumerate(self._fleet)
        ]
        last = asyncio.create_task(self._end_after(tasks))
        timers = asyncio.create_task(advance_when_due(self._fleet))
        # Without the timers no BMS would become offline: end, and let systemd start us again.
        timers.add_done_callback(lambda it: None if it.cancelled() else self._end(it.exception()))
        self._notifier.ready()
        self._notify_when_due()
        explanation = asyncio.get_running_loop().call_later(SILENCE, explain_silence, self._fleet)
        try:
            await self._ended
        finally:
            explanation.cancel()
            self._notifier.stopping()
            # No reading may follow the final `offline`, so each task is cancelled first. Closing
            # connections comes last, because `offline` is promised within 200 ms.
            for bms, task in zip(self._fleet, tasks, strict=True):
                if not task.done():
                    task.cancel()
                    bms.pipeline.stop(bms.source.now())
            self._notify.cancel()
            others = (timers, last)
            for task in others:
                task.cancel()
            # The last write runs while connections are closed. Its end is waited for after all
            # sockets: a slow disk may take longer than 200 ms.
            if self._state is not None:
                self._state.stop()
            self._outbox.flush()
            self._outbox.sinks.clear()
            if self._pub is not None:
                self._pub.close()
            # At the same time: one after the other, they would take more than the 200 ms.
            await asyncio.gather(asyncio.wait((*others, *tasks), timeout=2 * FLUSH), self._flush())

    async def _end_after(self, tasks: "Sequence[asyncio.Task[RecBmsError | None]]") -> None:
        """End with all sources; under `--exit-on-stdin-close` with the one that reads stdin."""
        awaited = tasks
        if self._config.exit_on_stdin_close:
            awaited = [tasks[number] for number in self._stdin_readers()] or tasks
        await asyncio.wait(awaited)
        # There is no hurry: a slow reader gets the last lines, too.
        await self._drained()
        # With an error systemd starts the service again, as it would not after a clean end.
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


def _error_of(task: "asyncio.Task[RecBmsError | None]") -> BaseException | None:
    return task.exception() or task.result() if task.done() and not task.cancelled() else None


def _has_died(task: "asyncio.Task[Any]") -> bool:
    """Return whether a reader is gone that should run: `keep_running` never raises."""
    return task.done() and (task.cancelled() or task.exception() is not None)


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
