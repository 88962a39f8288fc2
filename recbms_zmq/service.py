"""The service: wires sources, devices and sinks together, and ends them in order.

One task for each BMS, and a ticker for what becomes due without a frame. Messages go from a device
to the sinks in the same turn of the event loop. A run without an end of its own: see `once` for
the other kind.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TextIO, TypeVar

from recbms_zmq.config import Config
from recbms_zmq.device import Device
from recbms_zmq.energy import FROM_ZERO
from recbms_zmq.errors import UsageError
from recbms_zmq.fleet import allow_open_files, reconnect_spread, start_delay
from recbms_zmq.instant import Instant
from recbms_zmq.messages import Envelopes
from recbms_zmq.normalize import Normalizer
from recbms_zmq.report import Reporter
from recbms_zmq.sinks import Sink
from recbms_zmq.sinks.stdout import StdoutSink
from recbms_zmq.sinks.zmq_pub import ZmqSink
from recbms_zmq.sources import Source
from recbms_zmq.sources.opening import open_source
from recbms_zmq.streams import Batch, ReportOptions
from recbms_zmq.systemd import Supervisor, in_words
from recbms_zmq.values import masked

if TYPE_CHECKING:  # loaded only by who needs it
    from recbms_zmq.sinks.access import Door
    from recbms_zmq.state import Keeper

TICK: Final = 0.25
"""Seconds between looks at what is due; messages are dated at the time they were due."""
FLUSH: Final = 0.1
"""Seconds that slow readers get for the last messages, and a BMS for its goodbye."""
RESTART: Final = 60.0
"""Seconds before a source that failed by our own fault is started again."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Bms(NamedTuple):
    """A BMS as the service sees it: where its frames come from, and where they go."""

    source: Source
    device: Device


def wire(config: Config, publish: Callable[[Batch], None]) -> list[Bms]:
    """Make source and device of every configured BMS.

    Raises:
        UsageError, ConfigError: a source cannot be what it says.

    """
    run = secrets.token_hex(4)
    return [
        Bms(
            open_source(bms, spread=reconnect_spread(len(config.bms))),
            Device(
                bms.name,
                Normalizer(idle_current=bms.idle_current, include_serial=bms.include_serial),
                Reporter(
                    Envelopes(bms.name, bms.device_name, run, config.prefix, bms.bare),
                    ReportOptions(
                        emit=bms.emit,
                        report=bms.report,
                        refresh=bms.refresh,
                        min_interval=bms.min_interval,
                        stale_after=bms.stale_after,
                    ),
                ),
                publish,
                energy_max_gap=bms.energy_max_gap,
            ),
        )
        for bms in config.bms
    ]


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
        self._door = _door(config) if config.publish else None
        self._sinks: list[Sink] = []
        self._stdout: StdoutSink | None = None
        self._pub: ZmqSink | None = None
        self._keeper: Keeper | None = None
        self._fleet = wire(config, self._publish)
        devices = [bms.device for bms in self._fleet]
        self._supervisor = Supervisor(os.environ, lambda: in_words(devices))
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
            stack.callback(self._supervisor.close)
            if await self._open_counters(stack) and await self._open_sinks(stack):
                await self._serve()

    def _publish(self, batch: Batch) -> None:
        if batch.messages or batch.forgotten:
            for sink in self._sinks:
                sink.send(batch)

    def _end(self, error: BaseException | None = None) -> None:
        if not self._ended.done():
            self._ended.set_result(None) if error is None else self._ended.set_exception(error)

    def _end_if_all_are_done(self, tasks: "Sequence[asyncio.Task[None]]") -> None:
        if all(task.done() for task in tasks):
            self._end(next(filter(None, map(_error_of, tasks)), None))

    def _watch_for_the_end(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # `nohup`, and `&` in a script, start programs with signals that they are to ignore.
            if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._end)
        if self._config.exit_on_stdin_close:
            _call_at_end_of(sys.stdin, self._end)

    async def _open_counters(self, stack: contextlib.AsyncExitStack) -> bool:
        """Tell the energy counters what they were; return False if the end came first."""
        directory = self._config.state_dir
        meters = {b.device.name: b.device.meter for b in self._fleet if b.source.live}
        kept = meters if directory is not None else {}
        for bms in self._fleet:
            # What is only a recording adds nothing to the counters of a pack.
            if bms.device.name not in kept:
                bms.device.meter.resume(FROM_ZERO)
        if directory is None:
            _log.info("energy counters start at 0; with --state-dir DIR they outlive a restart")
            return True
        from recbms_zmq.state import Keeper

        self._keeper = Keeper(directory, kept)
        stack.push_async_callback(self._keeper.close)
        return await _unless(self._ended, self._keeper.open()) is not None

    async def _open_sinks(self, stack: contextlib.AsyncExitStack) -> bool:
        """Open what messages go to; return False if the end came first."""
        if self._config.publish:
            self._pub = pub = ZmqSink(
                hwm=self._config.hwm, ipc_mode=self._config.ipc_mode, door=self._door
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
            _log.info("%s: reading %s", bms.device.name, masked(options.url))
            bms.device.start(Instant.now())
        if self._keeper is not None:
            self._keeper.start()
        tasks = [
            asyncio.create_task(_keep_running(bms, start_delay(place)))
            for place, bms in enumerate(self._fleet)
        ]
        for task in tasks:
            task.add_done_callback(lambda _: self._end_if_all_are_done(tasks))
        live = [bms.device for bms in self._fleet if bms.source.live]
        # A BMS that says nothing is no reason to be killed; a source that ended by an error is.
        ticker = asyncio.create_task(
            _tick(
                live, lambda now: self._supervisor.look(now, alive=not any(map(_error_of, tasks)))
            )
        )
        # Without it nobody would ever be offline: better to end, and be started again.
        ticker.add_done_callback(lambda it: None if it.cancelled() else self._end(it.exception()))
        self._supervisor.ready(time.monotonic())
        try:
            await self._ended
        finally:
            self._supervisor.stopping()
            # A frame that is on its way must not come behind the `offline`; and that comes before
            # all goodbyes, because the promise is 200 ms.
            for task in (ticker, *tasks):
                task.cancel()
            for bms in self._fleet:
                bms.device.stop(Instant.now())
            # Beside the goodbyes; it is waited for when all sockets are closed, because a slow disk
            # may take longer than the promise, and a minute's energy is worth that.
            if self._keeper is not None:
                self._keeper.stop()
            self._sinks.clear()
            if self._pub is not None:
                self._pub.close()
            await asyncio.gather(asyncio.wait((ticker, *tasks), timeout=2 * FLUSH), self._flush())

    async def _flush(self) -> None:
        if self._stdout is not None:
            await self._stdout.drain(FLUSH)


def _door(config: Config) -> "Door | None":
    if config.curve_secret_key is None and not config.allow_ip:
        return None
    from recbms_zmq.sinks.access import door

    return door(config)


async def _keep_running(bms: Bms, delay: float) -> None:
    """Run a source to its end; a mistake of ours in it must not end the service."""
    await asyncio.sleep(delay)
    while True:
        try:
            await bms.source.run(bms.device)
        except Exception:  # noqa: BLE001 the other BMS and the next try count for more
            _log.exception("%s: reading failed; again in %g s", bms.device.name, RESTART)
            bms.device.trouble("reading failed", Instant.now())
        else:
            return
        await asyncio.sleep(RESTART)


async def _tick(devices: Sequence[Device], after_all: Callable[[float], None]) -> None:
    while True:
        await asyncio.sleep(TICK)
        now = Instant.now()
        for device in devices:
            device.tick(now)
        after_all(now.monotonic)


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


def _call_at_end_of(stream: TextIO | None, end: Callable[[], None]) -> None:
    """Call `end` when this input is at its end; what is in it until then is thrown away."""
    loop = asyncio.get_running_loop()

    def read(fd: int) -> None:
        try:
            if os.read(fd, 4096):
                return
        except BlockingIOError:
            return  # somebody else who shares it was faster
        except OSError:
            pass  # the other end of a socket or terminal has gone
        loop.remove_reader(fd)
        end()

    try:
        fd = -1 if stream is None else stream.fileno()
        loop.add_reader(fd, read, fd)
    except (PermissionError, ValueError) as exc:
        raise UsageError(
            "--exit-on-stdin-close: stdin has to be a pipe, a socket or a terminal"
        ) from exc
