"""The lines of `run --format text` and `csv`: the state of each BMS, and each change of it.

They come from the pipelines, not from messages: what is published on ZeroMQ, and when, has no
effect on them. They are written through the same sink as messages, so a reader that does not read,
such as a terminal after Ctrl-S, delays nothing, and gets the newest lines later.
"""

import sys
from collections.abc import Sequence
from functools import partial
from typing import Final, TextIO

from recbms_zmq.clock import Instant
from recbms_zmq.config.options import Config
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.summary import open_summary
from recbms_zmq.service.fleet import Bms
from recbms_zmq.sinks import Sink

INTERVAL: Final = 1.0
"""Seconds between two lines of a BMS at least, on average."""
_EARLY: Final = 0.1
"""Seconds that a frame may come before its line is due: no BMS sends at exact intervals."""


class StateLines:
    """Writes the lines of a fleet.

    Args:
        config: of the service; its format is text or csv.
        sink: where the lines go.

    """

    def __init__(self, config: Config, sink: Sink) -> None:
        self._summary = open_summary(config.format or "text", [bms.name for bms in config.bms])
        self._intervals = [max(INTERVAL, bms.reporting.min_interval) for bms in config.bms]
        self._due: dict[str, float] = {}
        self._sink = sink
        self._encoding = sys.stdout.encoding if sys.stdout else "utf-8"
        # On one terminal, the log would only repeat the line of a change.
        self._logs_changes = not (_is_terminal(sys.stdout) and _is_terminal(sys.stderr))

    def attach(self, fleet: Sequence[Bms]) -> None:
        """Write the header, if there is one, and from now on the lines of these BMS."""
        if self._summary.header:
            self._write("header", self._summary.header, complete=True)
        for bms, interval in zip(fleet, self._intervals, strict=True):
            bms.pipeline.observe = partial(self._on_status, bms, interval)
            bms.pipeline.announce = partial(self._on_change, bms)

    def _on_status(self, bms: Bms, interval: float, at: Instant) -> None:
        name, now = bms.pipeline.name, at.monotonic
        due = self._due.get(name, now)
        if now >= due - _EARLY:
            self._due[name] = max(due, now - interval) + interval
            line = self._summary.state(name, at.wall, bms.pipeline.values())
            self._write(_state_of(name), line, complete=bms.source.can_wait)

    def _on_change(self, bms: Bms, level: int, text: str, at: Instant) -> None:
        pipeline = bms.pipeline
        name, offline = pipeline.name, not pipeline.online
        if line := self._summary.change(name, at.wall, text, offline=offline):
            kind = text.split(" ", 1)[0]
            # What is written later must not take the place of an older line before this one.
            expired = [_state_of(name).encode()]
            self._write(f"{name}/{kind}", line, expired, complete=bms.source.can_wait)
        if self._logs_changes:
            pipeline.log_change(level, text, at)

    def _write(self, key: str, line: str, expired: Sequence[bytes] = (), *, complete: bool) -> None:
        data = line.encode(self._encoding, "backslashreplace")
        self._sink.publish(Batch([(key.encode(), data, None)], [*expired], complete=complete))


def _state_of(name: str) -> str:
    return f"{name}/state"


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()
