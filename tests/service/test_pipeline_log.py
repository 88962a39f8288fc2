"""What a pipeline tells the log, and when."""

import logging

import pytest
from support.frames import STATUS

from recbms_zmq.clock import Instant
from recbms_zmq.config.options import ReportOptions
from recbms_zmq.reporting.envelopes import Envelopes
from recbms_zmq.reporting.reporter import Reporter
from recbms_zmq.sensors.normalize import Normalizer
from recbms_zmq.service.pipeline import PROVEN, Pipeline

LOST = "connection lost"


def at(seconds: float) -> Instant:
    return Instant(seconds, 1.8e9 + seconds)


@pytest.fixture
def pipeline(caplog: pytest.LogCaptureFixture) -> Pipeline:
    caplog.set_level(logging.INFO)
    reporter = Reporter(Envelopes("main", "REC BMS", "0" * 8), ReportOptions(stale_after=20))
    pipeline = Pipeline("main", Normalizer(), reporter, lambda _: None)
    pipeline.start(at(0))
    return pipeline


def test_a_link_that_breaks_every_second_is_one_trouble(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    for second in range(100):
        pipeline.connected(at(second))
        pipeline.received(STATUS.encode(), at(second + 0.1))
        pipeline.disconnected(LOST, at(second + 0.5))
    assert caplog.messages == ["main: online", "main: connection lost; trying again"]


def test_a_trouble_that_is_over_is_said_again_when_it_comes_again(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    for start in (0.0, 1000.0):
        pipeline.connected(at(start))
        for second in range(int(PROVEN) + 2):
            pipeline.received(STATUS.encode(), at(start + second))
        pipeline.disconnected(LOST, at(start + PROVEN + 2))
        pipeline.connected(at(start + PROVEN + 3))
        for second in range(int(PROVEN) + 2):
            pipeline.received(STATUS.encode(), at(start + PROVEN + 3 + second))
        pipeline.tick(at(start + 500))
    assert (
        caplog.messages
        == [
            "main: online",
            "main: connection lost; trying again",
            "main: the connection is good again",
            "main: offline: no status frame for 20 s",
        ]
        * 2
    )


def test_another_reason_is_logged_at_once(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    for reason in ("connection refused", "connection refused", LOST, LOST, "connection refused"):
        pipeline.disconnected(reason, at(1))
    assert caplog.messages == [
        "main: connection refused; trying again",
        "main: connection lost; trying again",
        "main: connection refused; trying again",
    ]


def test_going_offline_is_said_whoever_notices_it(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline.connected(at(0))
    pipeline.received(STATUS.encode(), at(1))
    pipeline.disconnected("nothing came for 20 s", at(21))
    assert caplog.messages == [
        "main: online",
        "main: offline: no status frame for 20 s",
        "main: nothing came for 20 s; trying again",
    ]
