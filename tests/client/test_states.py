"""The lines of `listen --format text`: what they show, and when."""

import json
from contextlib import suppress

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from support.frames import STATUS, status

from recbms_zmq.client.states import INTERVAL, SETTLE, StateLines
from recbms_zmq.clock import Instant
from recbms_zmq.config.options import BmsConfig, Config, ReportOptions
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.messages import decode_message
from recbms_zmq.reporting.summary import open_summary
from recbms_zmq.service.fleet import build_fleet
from recbms_zmq.wire.alarms import alarm_guidance

NORMAL = "28.5 %   13.24 V    +7.46 A  charging, full in 31 h"


class Listener:
    """A BMS, and what is printed of its messages, without the time in front."""

    def __init__(self, form: str = "text", emit: str = "readings") -> None:
        self.printed: list[str] = []
        self.now = 0.0
        self.lines = StateLines(open_summary(form), self._print)
        options = ReportOptions(emit=emit)  # type: ignore[arg-type]
        config = Config(bms=(BmsConfig(url="ws://h/ws", reporting=options),))
        (self.bms,) = build_fleet(config, self._take)
        self.bms.pipeline.start(self._at())

    def status(self, frame: str, after: float = 1.0) -> None:
        self.wait(after)
        self.bms.pipeline.received(frame.encode(), self._at())

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self.lines.due <= end:
            self.now = self.lines.due
            self.lines.advance(self.now)
        self.now = end

    def silence(self, seconds: float) -> None:
        self.wait(seconds)
        self.bms.pipeline.advance(self._at())

    def shown(self) -> list[str]:
        found = [line.split("  ", 1)[1].strip() for line in self.printed]
        self.printed.clear()
        return found

    def _at(self) -> Instant:
        return Instant(self.now, 1.8e9 + self.now)

    def _take(self, batch: Batch) -> None:
        for _, body, _ in batch.messages:
            self.lines.take(decode_message(body), self.now)

    def _print(self, line: str) -> None:
        self.printed.append(line)


def test_a_line_follows_each_frame_that_changes_something() -> None:
    for emit in ("readings", "snapshot", "both"):
        listener = Listener(emit=emit)
        listener.status(STATUS)
        listener.status(STATUS)
        listener.status(status(soc=0.5))
        listener.wait(SETTLE)
        waiting = "offline: waiting for the first status frame"
        changed = NORMAL.replace("28.5", "50.0")
        assert listener.shown() == [waiting, "online", NORMAL, changed], emit


def test_there_is_at_most_a_line_a_second_and_the_last_state_is_one() -> None:
    listener = Listener()
    for tenth in range(1, 31):
        listener.status(status(soc=tenth / 100), after=0.1)
    listener.wait(INTERVAL)
    lines = listener.shown()
    assert 4 <= len(lines[2:]) <= 5
    assert lines[-1] == NORMAL.replace("28.5", "30.0")


def test_alarms_and_silence_are_lines_of_their_own() -> None:
    listener = Listener()
    listener.status(STATUS)
    listener.status(status(erro={"present": 1, "addr": 2, "st": 4, "con_st": 1}))
    listener.status(STATUS)
    listener.silence(31)
    listener.status(STATUS)
    listener.wait(1)
    alarm = "error 4, Cell temperature too high (unit 2, sensor 1)"
    assert listener.shown()[1:] == [
        "online",
        NORMAL,
        f"alarm raised: {alarm}. {alarm_guidance(4)}",
        f"{NORMAL}  alarm: Cell temperature too high",
        f"alarm cleared: {alarm}",
        NORMAL,
        "offline: no status frame for 30 s",
        "online",
        NORMAL,
    ]


TIMES = st.sampled_from(["2026-11-26T14:23:22.500Z", "0001-01-01T00:00", "9999-12-31T23:59Z"])


@given(
    st.sampled_from(["text", "csv"]),
    st.lists(st.tuples(st.text(max_size=5), TIMES | st.text(), st.text() | st.floats(-1e300))),
)
def test_any_messages_are_whole_lines(form: str, found: list[tuple[str, str, str | float]]) -> None:
    printed: list[str] = []
    lines = StateLines(open_summary(form), printed.append)
    for number, (device, ts, payload) in enumerate(found):
        about = {"device": device, "device_name": device, "ts": ts, "seq": 1, "run": "0" * 8}
        for kind, value in (("reading", payload), ("availability", "online")):
            message = {"topic": "x", "kind": kind, "key": "soc", "name": "x", "payload": value}
            body = json.dumps(message | about | {"reason": str(payload)})
            with suppress(msgspec.DecodeError):  # infinity
                lines.take(decode_message(body), float(number))
        lines.advance(number + SETTLE)
    assert [line for line in printed if not line.isprintable()] == []


def test_a_table_begins_with_its_columns() -> None:
    listener = Listener("csv")
    listener.status(STATUS)
    listener.wait(1)
    rows = [line.split(",")[1:4] for line in listener.printed]
    assert rows == [
        ["device", "availability", "soc"],
        ["main", "offline", ""],
        ["main", "online", "28.5"],
    ]
