"""`run --once`: the whole state of every BMS, printed once, one line a topic."""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import Final

from recbms_zmq.config.options import Config
from recbms_zmq.errors import ReaderGone, Unavailable
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.service.fleet import Bms, build_fleet

SETTINGS_GRACE: Final = 2.0
"""Seconds that a settings frame gets to come behind the first status frame."""


class Collector:
    """A sink that keeps the newest message of every topic."""

    def __init__(self) -> None:
        self.lines: dict[bytes, bytes] = {}
        self.news = asyncio.Event()

    def publish(self, batch: Batch) -> None:
        """Keep the messages."""
        for topic, body, _ in batch.messages:
            self.lines[topic] = body
        self.news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something has come that makes the condition true."""
        while not condition():
            self.news.clear()
            await self.news.wait()


async def print_once(config: Config) -> None:
    """Print the first full state of every BMS.

    Raises:
        Unavailable: not all had one in time; what the others said is printed.
        ReaderGone: standard output is closed.
        OSError: it cannot be written to.

    """
    if sys.stdout is None:
        raise ReaderGone("standard output is closed")
    collector = Collector()
    fleet = build_fleet(config, collector.publish)
    for bms in fleet:
        bms.pipeline.start(bms.source.now())
    in_time = await _collect(collector, fleet, config.timeout)
    missing = [bms.pipeline for bms in fleet if not bms.pipeline.online]
    silent = tuple(f"{config.prefix}/{pipeline.name}/".encode() for pipeline in missing)
    for topic, line in collector.lines.items():
        if not topic.startswith(silent):
            sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()
    if missing:
        within = "" if in_time else f" within {config.timeout:g} s"
        reasons = "; ".join(f"{pipeline.name}: {pipeline.reason}" for pipeline in missing)
        raise Unavailable(f"no status frame{within} ({reasons})")


async def _collect(collector: Collector, fleet: Sequence[Bms], seconds: float | None) -> bool:
    """Read until every BMS has said all, or its source has ended; return whether in time."""
    tasks = [asyncio.create_task(bms.source.run(bms.pipeline)) for bms in fleet]

    def all_have(what: Callable[[Bms], bool]) -> bool:
        return all(what(bms) or task.done() for bms, task in zip(fleet, tasks, strict=True))

    for task in tasks:
        task.add_done_callback(lambda _: collector.news.set())
    try:
        async with asyncio.timeout(seconds):
            await collector.until(lambda: all_have(_is_online))
            with contextlib.suppress(TimeoutError):  # some firmware never sends settings
                async with asyncio.timeout(SETTINGS_GRACE):
                    await collector.until(lambda: all_have(_has_settings))
    except TimeoutError:
        return False
    else:
        return True
    finally:
        for task in tasks:
            task.cancel()
        for end in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(end, Exception):
                raise end


def _is_online(bms: Bms) -> bool:
    return bms.pipeline.online


def _has_settings(bms: Bms) -> bool:
    return bms.pipeline.has_settings or not bms.source.sends_settings
