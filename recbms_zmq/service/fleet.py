"""From a configuration to a running fleet: sources, pipelines, and the two loops that drive them.

One task for each BMS (`keep_running`), and one ticker for all (`tick`), for what becomes due
without a frame. Nothing here knows where messages go, or when to end.
"""

import asyncio
import logging
import resource
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from recbms_zmq.config.options import Config
from recbms_zmq.errors import ConfigError
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.envelopes import Envelopes
from recbms_zmq.reporting.reporter import Reporter
from recbms_zmq.sensors.normalize import Normalizer
from recbms_zmq.service.connect import open_source
from recbms_zmq.service.pipeline import Pipeline, at_once
from recbms_zmq.sources import Source

CONNECTS_PER_SECOND: Final = 100
"""Connections are opened at this pace, so that a start, or the end of a network outage, is not a
thousand handshakes at once. A handshake costs about as much as ten frames."""
_OTHER_FILES: Final = 64  # sockets of ZeroMQ and its subscribers, pipes, counters being written
TICK: Final = 0.25
"""Seconds between looks at what is due; messages are dated at the time they were due."""
RESTART: Final = 60.0
"""Seconds before a source that failed by our own fault is started again."""

_log = logging.getLogger(__name__)


class Bms(NamedTuple):
    """A BMS as the service sees it: where its frames come from, and where they go."""

    source: Source
    pipeline: Pipeline


def build_fleet(
    config: Config,
    publish: Callable[[Batch], None],
    drained: Callable[[], Awaitable[None]] = at_once,
) -> list[Bms]:
    """Make source and device of every configured BMS.

    Args:
        config: what applies.
        publish: takes the messages of all.
        drained: waits until a slow reader has taken them, for sources that can wait.

    Raises:
        UsageError, ConfigError: a source cannot be what it says.

    """
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
            energy_max_gap=bms.energy_max_gap,
        )
        fleet.append(Bms(source, pipeline))
    return fleet


def _publish_all(publish: Callable[[Batch], None], batch: Batch) -> None:
    publish(batch._replace(complete=True))


async def keep_running(bms: Bms, delay: float) -> None:
    """Run a source to its end; a mistake of ours in it must not end the service."""
    await asyncio.sleep(delay)
    while True:
        try:
            await bms.source.run(bms.pipeline)
        except Exception:  # noqa: BLE001 the other BMS and the next try count for more
            _log.exception("%s: reading failed; again in %g s", bms.pipeline.name, RESTART)
            bms.pipeline.disconnected("reading failed", bms.source.now())
        else:
            _log.info("%s: there is nothing more to read", bms.pipeline.name)
            bms.pipeline.stop(bms.source.now())
            return
        await asyncio.sleep(RESTART)


async def tick(fleet: Sequence[Bms], after_all: Callable[[float], None] = lambda _: None) -> None:
    """Let the devices do for ever what becomes due without a frame.

    Args:
        fleet: whose devices.
        after_all: is called after every look at all of them, with the monotonic time.

    """
    while True:
        await asyncio.sleep(TICK)
        for bms in fleet:
            bms.pipeline.tick(bms.source.now())
        after_all(time.monotonic())


def start_delay(place: int) -> float:
    """Return the seconds that the BMS in this place of the configuration, from 0, waits."""
    return place / CONNECTS_PER_SECOND


def reconnect_spread(size: int) -> float:
    """Return the seconds over which a fleet of this size comes back; 0 for a few."""
    return size / CONNECTS_PER_SECOND if size > CONNECTS_PER_SECOND / 2 else 0.0


def allow_open_files(size: int, *, each: int = 1) -> None:
    """See to it that a fleet of this size can be connected.

    Args:
        size: BMS.
        each: open files that a BMS takes all the time.

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
