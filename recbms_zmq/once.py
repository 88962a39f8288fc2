"""`run --once`: the whole state of every BMS, printed once, one line a topic."""

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import Final

from recbms_zmq.config import Config
from recbms_zmq.errors import Unavailable
from recbms_zmq.instant import Instant
from recbms_zmq.service import wire
from recbms_zmq.streams import Batch

SETTINGS_GRACE: Final = 2.0
"""Seconds that a settings frame gets to come behind the first status frame."""


class Collector:
    """A sink that keeps the newest message of every topic."""

    def __init__(self) -> None:
        self.lines: dict[bytes, bytes] = {}
        self.news = asyncio.Event()

    def send(self, batch: Batch) -> None:
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
        BrokenPipeError: nobody reads stdout.

    """
    collector = Collector()
    fleet = wire(config, collector.send)
    for bms in fleet:
        bms.device.start(Instant.now())
    tasks = [asyncio.create_task(bms.source.run(bms.device)) for bms in fleet]
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(config.timeout):
                await collector.until(lambda: all(bms.device.online for bms in fleet))
                with contextlib.suppress(TimeoutError):  # some firmware never sends settings
                    async with asyncio.timeout(SETTINGS_GRACE):
                        await collector.until(lambda: all(b.device.has_settings for b in fleet))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    missing = [bms.device for bms in fleet if not bms.device.online]
    silent = tuple(f"{config.prefix}/{device.name}/".encode() for device in missing)
    for topic, line in collector.lines.items():
        if not topic.startswith(silent):
            sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()
    if missing:
        reasons = "; ".join(f"{device.name}: {device.reason}" for device in missing)
        raise Unavailable(f"no status frame within {config.timeout:g} s ({reasons})")
