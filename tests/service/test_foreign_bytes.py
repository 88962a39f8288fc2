"""Whatever a BMS sends, nothing but frame errors, and no message outside the contract.

Raw bytes, any JSON, and the two real frames changed in values, types, keys, structure and bytes go
all the way from decoding to messages. What has to come of them stands in `fuzz.frames`.
"""

import logging

import pytest
from fuzz import frames
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.mutations import NUMBER, WIRE

from recbms_zmq.config.options import ReportOptions

OPTIONS = st.builds(
    ReportOptions,
    emit=st.sampled_from(["readings", "snapshot", "both"]),
    report=st.sampled_from(["changes", "all"]),
    min_interval=st.sampled_from([0.0, 3.0]),
    refresh=st.sampled_from([2.0, 60.0]),
    stale_after=st.sampled_from([4.0, 30.0]),
) | st.just(frames.ALL)


@given(OPTIONS, st.lists(WIRE, min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_bytes_give_anything_but_messages_of_the_contract(
    caplog: pytest.LogCaptureFixture, options: ReportOptions, wire: list[bytes]
) -> None:
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    frames.report(wire, options, secret=NUMBER.encode())
    assert NUMBER not in caplog.text


@given(WIRE)
@example(b"\xff")
def test_every_way_of_reading_a_message_agrees_with_the_others(data: bytes) -> None:
    frames.decoding(data)
