"""Tests of a recording: what it keeps for a slow reader of its output, and what it logs."""

import asyncio
import logging
import os

import pytest
from support.frames import STATUS
from support.virtual_time import Timetable, run_in_virtual_time

from recbms_zmq.config.options import BmsConfig, Config
from recbms_zmq.errors import RecBmsError
from recbms_zmq.service import record
from recbms_zmq.service.fleet import build_fleet
from recbms_zmq.sinks.stdout import StdoutSink

LINE = b"x" * 9_999
LIMIT = 200_000


@pytest.mark.parametrize(("reads", "ends"), [(True, 0), (False, 1)])
def test_a_slow_reader_ends_a_recording_and_one_that_keeps_up_does_not(
    reads: bool, ends: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits counts, not what was written: twice the limit is written here."""
    monkeypatch.setattr(record, "MOST_WAITING", LIMIT)
    errors: list[RecBmsError | None] = []

    async def run() -> None:
        ours, theirs = os.pipe()
        sink = StdoutSink(theirs, errors.append)
        output = record._Output(sink, errors.append)
        for _ in range(2 * LIMIT // (len(LINE) + 1)):
            if not errors:
                output.write(LINE)
            if reads:
                assert os.read(ours, 65536) == LINE + b"\n"
        sink.close()
        os.close(ours)
        os.close(theirs)

    asyncio.run(run())
    assert len(errors) == ends


def test_a_reader_that_is_64_mib_behind_is_too_slow() -> None:
    errors: list[RecBmsError | None] = []

    async def run() -> int:
        ours, theirs = os.pipe()
        sink = StdoutSink(theirs, errors.append)
        output = record._Output(sink, errors.append)
        lines = 0
        while not errors:
            output.write(bytes(2**20))
            lines += 1
        sink.close()
        os.close(ours)
        os.close(theirs)
        return lines

    assert asyncio.run(run()) == 65
    assert [str(error) for error in errors] == ["the reader is too slow: 64 MiB wait for it"]


def test_the_log_has_a_line_of_progress_every_ten_minutes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A recording of a day must not fill the log, and must not look dead."""
    caplog.set_level(logging.INFO)
    frames = {60.0 * minute: STATUS for minute in range(25)}

    async def main() -> None:
        (bms,) = build_fleet(Config(bms=(BmsConfig(url="ws://h/ws"),)), lambda _: None)
        ended = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(1799.0, ended.set_result, None)
        await record.record(bms._replace(source=Timetable(frames)), lambda _: None, ended)

    run_in_virtual_time(main())
    progress = [message for message in caplog.messages if "recorded" in message]
    assert progress == [
        "main: 10 frames in 0:10:00 recorded",
        "main: 20 frames in 0:20:00 recorded",
    ]
