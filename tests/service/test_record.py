"""Tests of what a recording keeps for a reader of standard output that is slow."""

import asyncio
import os

import pytest

from recbms_zmq.errors import RecBmsError
from recbms_zmq.service import record
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
