"""`run --once`: the whole state of every BMS, printed once.

One line per topic; with `--emit snapshot` one line per BMS, so that the output of a single BMS is
one JSON document. With `--format text` and `csv` also one line per BMS.
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import Final

from recbms_zmq.clock import SILENCE
from recbms_zmq.config.options import Config
from recbms_zmq.errors import ReaderGone, Unavailable
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.summary import open_summary
from recbms_zmq.service.fleet import Bms, build_fleet
from recbms_zmq.service.silence import explain_silence

SETTINGS_GRACE: Final = 2.0
"""Seconds to wait for a settings frame after the first status frame."""
DEFAULT_TIMEOUT: Final = 30.0
"""Seconds without `--timeout`: a script must not hang when the BMS is away."""


class Collector:
    """Keeps the newest message of every topic."""

    def __init__(self) -> None:
        self.lines: dict[bytes, bytes] = {}
        self.changed = asyncio.Event()

    def publish(self, batch: Batch) -> None:
        """Keep the messages."""
        for topic, body, _ in batch.messages:
            self.lines[topic] = body
        self.changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until messages, or the end of a source, have made the condition true."""
        while not condition():
            self.changed.clear()
            await self.changed.wait()


async def print_once(config: Config) -> None:
    """Print the first full state of every BMS.

    Raises:
        Unavailable: a BMS had none in time; the state of the others is printed.
        ReaderGone: stdout is closed.
        OSError: stdout cannot be written to.

    """
    if sys.stdout is None:
        raise ReaderGone("standard output is closed")
    collector = Collector()
    fleet = build_fleet(config, collector.publish)
    for bms in fleet:
        bms.pipeline.start(bms.source.now())
    seconds = DEFAULT_TIMEOUT if config.timeout is None else config.timeout
    in_time = await _collect(collector, fleet, seconds)
    if config.format in (None, "json"):
        _print_messages(config, fleet, collector)
    else:
        _print_summaries(config, fleet)
    if missing := [bms.pipeline for bms in fleet if not bms.pipeline.online]:
        within = "" if in_time else f" within {seconds:g} s"
        reasons = "; ".join(f"{pipeline.name}: {pipeline.reason}" for pipeline in missing)
        raise Unavailable(f"no status frame{within} ({reasons})")


def _print_messages(config: Config, fleet: Sequence[Bms], collector: Collector) -> None:
    missing = [bms.pipeline for bms in fleet if not bms.pipeline.online]
    silent = tuple(f"{config.prefix}/{pipeline.name}/".encode() for pipeline in missing)
    only_snapshot = tuple(
        f"{config.prefix}/{bms.name}/".encode()
        for bms in config.bms
        if bms.reporting.emit == "snapshot"
    )
    for topic, line in collector.lines.items():
        unwanted = topic.startswith(only_snapshot) and not topic.endswith(b"/snapshot")
        if not topic.startswith(silent) and not unwanted:
            sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def _print_summaries(config: Config, fleet: Sequence[Bms]) -> None:
    summary = open_summary(config.format or "text", [bms.name for bms in config.bms])
    lines = [summary.header] if summary.header else []
    for bms in fleet:
        if bms.pipeline.online:
            at = bms.source.now()
            lines.append(summary.state(bms.pipeline.name, at.wall, bms.pipeline.values()))
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


async def _collect(collector: Collector, fleet: Sequence[Bms], seconds: float) -> bool:
    """Read until each BMS has sent its state, or its source has ended; return whether in time."""
    tasks = [asyncio.create_task(bms.source.run(bms.pipeline)) for bms in fleet]

    def all_have(what: Callable[[Bms], bool]) -> bool:
        return all(what(bms) or task.done() for bms, task in zip(fleet, tasks, strict=True))

    # A recording ends without a message. `until` has to look again then.
    for task in tasks:
        task.add_done_callback(lambda _: collector.changed.set())
    explanation = asyncio.get_running_loop().call_later(SILENCE, explain_silence, fleet)
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
        explanation.cancel()
        for task in tasks:
            task.cancel()
        for end in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(end, Exception):
                raise end


def _is_online(bms: Bms) -> bool:
    return bms.pipeline.online


def _has_settings(bms: Bms) -> bool:
    return bms.pipeline.has_settings or not bms.source.sends_settings
