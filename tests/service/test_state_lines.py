"""The lines of `run --format text` and `csv`: how many, in which order, and what is logged."""

import io
import logging
import re
from typing import Any

import pytest
from support.frames import STATUS, status

from recbms_zmq.clock import Instant
from recbms_zmq.config.options import BmsConfig, Config, ReportOptions
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.service.fleet import Bms, build_fleet
from recbms_zmq.service.state_lines import StateLines

NORMAL = "28.5 % 13.24 V +7.46 A charging, full in 31 h"
ALARM = {"present": 1, "addr": 2, "st": 2, "con_st": 3}


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


class Sink:
    """Keeps lines, without their times and with single spaces."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def publish(self, batch: Batch) -> None:
        self.batches.append(batch)

    def lines(self) -> list[str]:
        found = [body.decode() for batch in self.batches for _, body, _ in batch.messages]
        self.batches.clear()
        return [re.sub(r"^\d\d:\d\d:\d\d +| +(?= )", "", line) for line in found]


def at(seconds: float) -> Instant:
    return Instant(seconds, 1.8e9 + seconds)


def attached(sink: Sink, form: Any = "text", **options: float) -> Bms:
    bms = BmsConfig(url="ws://h/ws", reporting=ReportOptions(**options))  # type: ignore[arg-type]
    config = Config(bms=(bms,), format=form)
    fleet = build_fleet(config, lambda _: None)
    StateLines(config, sink).attach(fleet)
    fleet[0].pipeline.start(at(0))
    return fleet[0]


def lines_of(seconds: float, every: float, **options: float) -> int:
    sink = Sink()
    pipeline = attached(sink, **options).pipeline
    for number in range(round(seconds / every)):
        jitter = 0.05 if number % 2 else 0.0
        pipeline.received(STATUS.encode(), at(number * every + jitter))
    return sink.lines().count(NORMAL)


@pytest.mark.parametrize(
    ("every", "options", "lines"),
    [
        (1.0, {}, 60),
        (0.1, {}, 60),
        (10.0, {"stale_after": 30}, 6),
        (1.0, {"min_interval": 20.0}, 3),
        (1.0, {"min_interval": 0.1}, 60),
    ],
)
def test_there_is_a_line_a_second_and_not_more(
    every: float, options: dict[str, float], lines: int
) -> None:
    assert lines_of(59.5, every, **options) == lines


@pytest.mark.parametrize(("second", "lines"), [(0.89, 1), (0.91, 2)])
def test_a_frame_that_comes_a_little_early_has_its_line(second: float, lines: int) -> None:
    sink = Sink()
    pipeline = attached(sink).pipeline
    for now in (1.0, 1.0 + second):
        pipeline.received(STATUS.encode(), at(now))
    assert sink.lines() == ["online", *[NORMAL] * lines]


def test_changes_are_lines_of_their_own_and_nothing_passes_them() -> None:
    sink = Sink()
    pipeline = attached(sink).pipeline
    pipeline.received(STATUS.encode(), at(1))
    pipeline.received(status(erro=ALARM).encode(), at(2))
    assert [batch.expired for batch in sink.batches] == [[b"main/state"], [], [b"main/state"], []]
    pipeline.received(STATUS.encode(), at(3))
    pipeline.advance(at(40))
    alarm = "error 2, Cell voltage too low (unit 2, cell 3)"
    lines = sink.lines()
    assert lines[2].startswith(f"alarm raised: {alarm}. REC's manual: ")
    assert [*lines[:2], *lines[3:]] == [
        "online",
        NORMAL,
        f"{NORMAL} alarm: Cell voltage too low",
        f"alarm cleared: {alarm}",
        NORMAL,
        "offline: no status frame for 30 s; what to do: recbms-zmq check ws://h/ws",
    ]


def test_a_table_has_a_row_when_the_bms_goes_offline() -> None:
    sink = Sink()
    pipeline = attached(sink, "csv").pipeline
    pipeline.received(status(erro=ALARM).encode(), at(1))
    pipeline.advance(at(40))
    rows = [line.split(",")[1:4] for line in sink.lines()]
    assert rows == [
        ["device", "availability", "soc"],
        ["main", "online", "28.5"],
        ["main", "offline", ""],
    ]


@pytest.mark.parametrize("last", ["frame", "stop"])
@pytest.mark.parametrize("timers", [[31.0], [45.5], []])
def test_a_bms_that_was_silent_has_its_row_at_the_time_of_the_offline_however_late_it_is_noticed(
    timers: list[float], last: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that was stopped, and a replay at full speed, have no timers before the frame."""
    caplog.set_level(logging.INFO)
    sink = Sink()
    pipeline = attached(sink, "csv").pipeline
    pipeline.received(STATUS.encode(), at(1))
    for now in timers:
        pipeline.advance(at(now))
    if last == "frame":
        pipeline.received(STATUS.encode(), at(100))
    else:
        pipeline.stop(at(100))
    rows = [line.split(",")[:3] for line in sink.lines()[1:]]
    expected = [
        ["2027-01-15T08:00:01.000Z", "main", "online"],
        ["2027-01-15T08:00:31.000Z", "main", "offline"],
        ["2027-01-15T08:01:40.000Z", "main", "online"],
    ]
    assert rows == expected[: len(expected) if last == "frame" else -1]
    changes = [message.partition(":")[2].split()[0].strip(":") for message in caplog.messages]
    assert changes == [availability for _, _, availability in rows]


@pytest.mark.parametrize("stdout", ["terminal", "file"])
@pytest.mark.parametrize("stderr", ["terminal", "file"])
def test_on_one_terminal_a_change_is_not_logged_too(
    stdout: str, stderr: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kinds = {"terminal": Terminal, "file": io.TextIOWrapper}
    monkeypatch.setattr("sys.stdout", kinds[stdout](io.BytesIO(), "utf-8"))
    monkeypatch.setattr("sys.stderr", kinds[stderr](io.BytesIO(), "utf-8"))
    caplog.set_level(logging.INFO)
    sink = Sink()
    attached(sink).pipeline.received(STATUS.encode(), at(1))
    both = stdout == stderr == "terminal"
    assert caplog.messages == ([] if both else ["main: online"])
    assert sink.lines() == ["online", NORMAL]


def test_a_terminal_without_utf_8_gets_what_it_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    sink = Sink()
    pipeline = attached(sink).pipeline
    erro = {"present": 1, "addr": 2, "st": 99, "con_st": 3}
    pipeline.received(status(erro=erro, error="zu heiß \x1b[2J").encode(), at(1))
    assert all(line.isascii() and line.isprintable() for line in sink.lines())
