"""From a configuration to a fleet that runs: sources, devices, and the two loops that move them.

One task for each BMS (`keep_running`), and one ticker for all (`tick`), for what becomes due
without a frame. Nothing here knows where messages go, or when to end.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from recbms_zmq.config.load import Config
from recbms_zmq.reporting.messages import Envelopes
from recbms_zmq.reporting.reading_stream import Batch, ReportOptions
from recbms_zmq.reporting.reporter import Reporter
from recbms_zmq.sensors.normalize import Normalizer
from recbms_zmq.service.connect import open_source
from recbms_zmq.service.fleet import reconnect_spread
from recbms_zmq.service.pipeline import Device, at_once
from recbms_zmq.sources import Source

TICK: Final = 0.25
"""Seconds between looks at what is due; messages are dated at the time they were due."""
RESTART: Final = 60.0
"""Seconds before a source that failed by our own fault is started again."""

_log = logging.getLogger(__name__)


class Bms(NamedTuple):
    """A BMS as the service sees it: where its frames come from, and where they go."""

    source: Source
    device: Device


def wire(
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
        device = Device(
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
            partial(_publish_all, publish) if source.can_wait else publish,
            drained,
            energy_max_gap=bms.energy_max_gap,
        )
        fleet.append(Bms(source, device))
    return fleet


def _publish_all(publish: Callable[[Batch], None], batch: Batch) -> None:
    publish(batch._replace(complete=True))


async def keep_running(bms: Bms, delay: float) -> None:
    """Run a source to its end; a mistake of ours in it must not end the service."""
    await asyncio.sleep(delay)
    while True:
        try:
            await bms.source.run(bms.device)
        except Exception:  # noqa: BLE001 the other BMS and the next try count for more
            _log.exception("%s: reading failed; again in %g s", bms.device.name, RESTART)
            bms.device.trouble("reading failed", bms.source.now())
        else:
            _log.info("%s: there is nothing more to read", bms.device.name)
            bms.device.stop(bms.source.now())
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
            bms.device.tick(bms.source.now())
        after_all(time.monotonic())
