"""From a configuration to a running fleet: sources, pipelines, and what drives them.

Each BMS has a task for its frames (`keep_running`), and a timer for what is due without a frame
(`advance_when_due`). Where messages go, and when the fleet ends, is decided by the caller.
"""

import asyncio
import logging
import resource
import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from recbms_zmq.config.options import BmsConfig, Config
from recbms_zmq.errors import ConfigError, RecBmsError
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.envelopes import Envelopes
from recbms_zmq.reporting.reporter import Reporter
from recbms_zmq.sensors.normalize import Normalizer
from recbms_zmq.service.connect import open_source
from recbms_zmq.service.pipeline import Pipeline, at_once
from recbms_zmq.service.timer import Timer
from recbms_zmq.sources import Source
from recbms_zmq.text import masked

CONNECTS_PER_SECOND: Final = 100
"""Connections are opened at this pace, so that a start, or the end of a network outage, is not a
thousand handshakes at once. A handshake costs about as much as ten frames."""
_OTHER_FILES: Final = 64  # sockets of ZeroMQ and its subscribers, pipes, counters being written
OVERDUE: Final = 10.0
"""Seconds by which a timer is late in a busy process at most."""
RESTART: Final = 60.0
"""Seconds until a source that raised an unexpected error is started again."""

_log = logging.getLogger(__name__)


class Bms(NamedTuple):
    """A BMS in the service: where its frames come from, and where they go."""

    source: Source
    pipeline: Pipeline


def build_fleet(
    config: Config,
    publish: Callable[[Batch], None],
    drained: Callable[[], Awaitable[None]] = at_once,
) -> list[Bms]:
    """Make the source and the pipeline of each configured BMS; nothing is connected yet.

    Args:
        config: of the service.
        publish: takes the messages of all BMS.
        drained: waits until a slow reader has taken them, for sources that can wait.

    Raises:
        UsageError: an address has wrong parts.
        ConfigError: a file that a source needs cannot be used.

    """
    # Random, not counted: a run without a state directory knows nothing of the one before.
    run = secrets.token_hex(4)
    spread = reconnect_spread(len(config.bms))
    fleet = []
    for bms in config.bms:
        source = open_source(bms, spread=spread)
        pipeline = Pipeline(
            bms.name,
            Normalizer(idle_current=bms.idle_current, include_serial=bms.include_serial),
            Reporter(
                Envelopes(bms.name, bms.device_name, run, config.prefix, bms.bare),
                bms.reporting,
            ),
            partial(_publish_all, publish) if source.can_wait else publish,
            drained,
            energy_max_gap=_energy_max_gap(bms),
            address=masked(bms.url),
        )
        fleet.append(Bms(source, pipeline))
    return fleet


def _energy_max_gap(bms: BmsConfig) -> float:
    if not bms.url.startswith("http"):
        return bms.energy_max_gap
    # Polled frames come an interval apart, half of them a little later, and some are missing.
    return max(bms.energy_max_gap, 2 * bms.poll_interval)


def _publish_all(publish: Callable[[Batch], None], batch: Batch) -> None:
    batch.complete = True
    publish(batch)


async def keep_running(bms: Bms, delay: float) -> RecBmsError | None:
    """Run a source to its end; return what ended it too early, such as a disk that fails.

    An unexpected error costs this BMS a minute, not the service.
    """
    await asyncio.sleep(delay)
    while True:
        try:
            await bms.source.run(bms.pipeline)
        except RecBmsError as exc:
            _log.error("%s: %s; it is no longer read", bms.pipeline.name, exc)
            bms.pipeline.stop(bms.source.now())
            return exc
        except Exception:  # noqa: BLE001 the other BMS go on, and so does the next try
            _log.exception(
                "%s: reading failed, which is a bug: please report it; trying again in %g s",
                bms.pipeline.name,
                RESTART,
            )
            bms.pipeline.disconnected("reading failed", bms.source.now())
        else:
            _log.info("%s: the source has ended", bms.pipeline.name)
            bms.pipeline.stop(bms.source.now())
            return None
        await asyncio.sleep(RESTART)


async def advance_when_due(fleet: Sequence[Bms]) -> None:
    """Publish what falls due without a frame, until cancelled: `offline`, refreshes, held values.

    Each BMS has a timer for the next time at which it has something to do, so an idle process
    sleeps. Raises what a pipeline raises.
    """
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    timers = [_timer_of(bms, failed) for bms in fleet]
    try:
        # A callback of the event loop can only log what it raises. So it goes through a future.
        await failed
    finally:
        for timer in timers:
            timer.cancel()


def _timer_of(bms: Bms, failed: "asyncio.Future[None]") -> Timer:
    source, pipeline = bms

    def advance() -> None:
        try:
            pipeline.advance(source.now())
        except Exception as exc:  # noqa: BLE001 raised where the timers are awaited
            if not failed.done():
                failed.set_exception(exc)

    def schedule(due: float) -> None:
        timer.set(source.clock_time(due))

    timer = Timer(advance)
    pipeline.schedule = schedule
    schedule(pipeline.next_due(source.now().monotonic))
    return timer


def is_overdue(bms: Bms) -> bool:
    """Return whether something has been due for so long that neither frames nor timers work."""
    limit = bms.source.now().monotonic - OVERDUE
    return bms.pipeline.next_due(limit) <= limit


def start_delay(index: int) -> float:
    """Return the seconds until the first connection of the BMS with this index."""
    return index / CONNECTS_PER_SECOND


def reconnect_spread(size: int) -> float:
    """Return the seconds over which a fleet of this size reconnects; 0 for a small one."""
    return size / CONNECTS_PER_SECOND if size > CONNECTS_PER_SECOND / 2 else 0.0


def allow_open_files(size: int, *, each: int = 1) -> None:
    """Raise the limit of open files, if this fleet needs more.

    Args:
        size: number of BMS.
        each: open files of each BMS.

    Raises:
        ConfigError: the system does not allow so many open files.

    """
    needed = size * each + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise ConfigError(
            f"{size} BMS take {needed} open files, and the limit is {hard}; raise it with "
            f"`ulimit -n {needed}`, or LimitNOFILE={needed} in the systemd unit"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
