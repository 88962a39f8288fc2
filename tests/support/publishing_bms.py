"""One BMS of a service: frames go in, messages come out."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from recbms_zmq.clock import Instant
from recbms_zmq.config.options import ReportOptions
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.envelopes import Envelopes
from recbms_zmq.reporting.reporter import Reporter
from recbms_zmq.sensors.normalize import Normalizer
from recbms_zmq.service.pipeline import Pipeline, at_once

TS = "2026-11-22T10:44:39.123Z"
"""The time at 0 s."""


def at(seconds: float) -> Instant:
    return Instant(seconds, 1795344279.123 + seconds)


def make_pipeline(
    publish: Callable[[Batch], None],
    *,
    name: str = "main",
    device_name: str = "REC BMS",
    run: str = "5f3a9c01",
    bare: bool = False,
    include_serial: bool = False,
    drained: Callable[[], Awaitable[None]] = at_once,
    **options: Any,
) -> Pipeline:
    """Make a pipeline; `options` are those of `ReportOptions`."""
    envelopes = Envelopes(name, device_name, run, bare=bare)
    reporter = Reporter(envelopes, ReportOptions(**options))
    return Pipeline(name, Normalizer(include_serial=include_serial), reporter, publish, drained)


class PublishingBms:
    """A pipeline that is started at 0 s, and what it has published."""

    def __init__(self, **options: Any) -> None:
        self.bodies: list[bytes] = []
        self.pipeline = make_pipeline(self._publish, **options)
        self.pipeline.start(at(0))

    def send(self, frame: bytes | str, seconds: float = 0) -> bool:
        """Let a frame come at this time; return whether it was one."""
        data = frame.encode() if isinstance(frame, str) else frame
        return self.pipeline.received(data, at(seconds))

    def tick(self, seconds: float) -> None:
        """Let time pass without a frame."""
        self.pipeline.advance(at(seconds))

    def payloads(self, key: str) -> list[Any]:
        """Return what was published of a topic."""
        messages = map(json.loads, self.bodies)
        return [message["payload"] for message in messages if message["key"] == key]

    @property
    def last(self) -> dict[str, Any]:
        """The last payload of every topic."""
        messages = map(json.loads, self.bodies)
        return {message["key"]: message["payload"] for message in messages}

    def _publish(self, batch: Batch) -> None:
        self.bodies += [body for _, body, _ in batch.messages]
