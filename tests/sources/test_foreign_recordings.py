"""A recording of anything replays as it was, and a file of anything is replayed or refused."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from fuzz import frames, sources
from fuzz.contract import Contract
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.mutations import JSON, WIRE, changed_frames

from recbms_zmq.clock import Instant
from recbms_zmq.sources.recording import Recorder
from recbms_zmq.sources.replay import ReplaySource
from recbms_zmq.wire.redaction import redact

GAPS = st.sampled_from([0.0, 0.001, 0.25, 1.0, 3.0, 31.0, 200.0])
JUMPS = st.sampled_from([0.0, 0.0, 0.0, -3600.0, 1e6])
HAPPENED = st.tuples(
    st.just("connected") | st.text(max_size=5).map(lambda text: f"trouble {text}") | WIRE,
    GAPS,
    JUMPS,
)


def live_run(events: list[tuple[Any, float, float]]) -> tuple[list[bytes], list[bytes]]:
    """Handle the events, a tick after each; return the messages and the recording."""
    contract, lines = Contract(), list[bytes]()
    device = frames.bms(contract, frames.OFTEN)
    recorder = Recorder(device, lines.append)
    now = Instant(5120.25, 1790000000.5)
    recorder.start(now)
    device.start(now)
    for what, gap, jump in events:
        now = Instant(now.monotonic + gap, now.wall + gap + jump)
        if isinstance(what, bytes):
            # The recording has it without the serial number, wherever that is.
            recorder.received(redact(what), now)
        elif what == "connected":
            recorder.connected(now)
        else:
            recorder.disconnected(what, now)
        now = Instant(now.monotonic + 0.1, now.wall + 0.1)
        device.advance(now)
    recorder.stop(now)
    device.stop(now)
    return contract.bodies, lines


def replayed(path: Path) -> list[bytes]:
    contract = Contract()
    device = frames.bms(contract, frames.OFTEN)
    source = ReplaySource(f"replay:{path}?speed=0")
    device.start(source.now())
    asyncio.run(source.run(device))
    device.stop(source.now())
    return contract.bodies


def without_repeats(bodies: list[bytes]) -> list[Any]:
    """Return the messages without the repeats of the availability, some of which are skipped."""
    kept: list[Any] = []
    last = None
    for message in map(json.loads, bodies):
        if message["key"] != "availability":
            kept.append(message)
        elif (state := (message["payload"], message["reason"])) != last:
            kept.append(state)
            last = state
    return kept


@given(st.lists(HAPPENED, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_recording_of_anything_gives_the_messages_of_the_live_run(
    tmp_path: Path, events: list[tuple[Any, float, float]]
) -> None:
    published, lines = live_run(events)
    path = tmp_path / "recording"
    path.write_bytes(b"\n".join(lines))
    assert without_repeats(replayed(path)) == without_repeats(published)


@given(changed_frames())
def test_without_the_serial_number_a_frame_gives_the_same_messages(data: bytes) -> None:
    published = frames.report([data], frames.ALL).bodies
    assert frames.report([redact(data)], frames.ALL).bodies == published


START = b'{"event":"start","monotonic":1,"wall":1,"version":1}'
KINDS = st.sampled_from(["start", "connected", "trouble", "frame", "end", "", 5, None])
TIMES = st.floats(0, 100) | st.sampled_from([-1, 0, 2, "2", None, 1e12, 1e13, 10**400, True])
MEMBERS = st.fixed_dictionaries(
    {"event": KINDS, "monotonic": TIMES, "wall": TIMES},
    optional={
        "text": st.text(max_size=9) | st.none() | st.just(5),
        "base64": st.sampled_from(["", "QQ==", "QQ", "\u00e9", "Q Q="]) | st.none(),
        "reason": st.text(max_size=9),
        "version": st.sampled_from([1, 2, "1", True]),
    },
).map(lambda members: json.dumps(members).encode())
FILES = st.lists(MEMBERS | JSON | st.binary(max_size=9) | st.just(START), max_size=8).flatmap(
    lambda lines: st.sampled_from([b"\n", b"\r\n"]).map(lambda end: end.join([START, *lines]))
)


@given(FILES | st.binary(max_size=200))
def test_any_file_is_replayed_in_order_or_refused(data: bytes) -> None:
    sources.recording(data)


@pytest.mark.parametrize("first", [b"", b"\xef\xbb\xbf"])
@given(st.lists(WIRE | st.binary(max_size=2000) | st.just(b""), max_size=6), st.booleans())
def test_any_lines_are_frames_one_by_one(first: bytes, lines: list[bytes], is_ended: bool) -> None:
    sources.stdin_lines(first + b"\n".join(lines) + b"\n" * is_ended)
