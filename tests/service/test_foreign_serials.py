"""Wherever a BMS puts the serial number, it is in no message, no log and no recording.

It is the password of the module's firmware page. `test_secrets` holds the real command to the same.
"""

import copy
import logging
import re
from typing import Any, Final

import pytest
from fuzz import frames
from fuzz.sources import FrameReceiver
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.frames import status
from support.mutations import NUMBER, SERIAL, SETTINGS, STATUS, Members, dump, places

from recbms_zmq.check.findings import full_report
from recbms_zmq.check.probe import Probe
from recbms_zmq.clock import Instant
from recbms_zmq.errors import DamagedRecording
from recbms_zmq.sources.recording import Disconnected, FrameRecord, Recorder, read_record
from recbms_zmq.sources.simulated import SimulatedSource

ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})")
_PUT: Final = (
    *(SERIAL, SERIAL.lower(), f"unit {SERIAL} is hot", f"<b>{SERIAL}</b>", f"Full in: {SERIAL}"),
    *(f"{SERIAL}, {SERIAL}", f"9M-{NUMBER}", f"\U0001f50b{SERIAL}\u00e9", f'"{SERIAL}"\n'),
)
TEXTS = st.sampled_from(_PUT)
# Only behind this key a number without its series can be known.
KEYS = st.sampled_from(["bms_name", "BMS_NAME", "Bms_Name", "name", "device_name"])
PLAIN = st.sampled_from(
    [NUMBER, f"REC {NUMBER} (x)", int(NUMBER), -int(NUMBER), int(NUMBER) / 10**4]
)
HOSTILE: Any = (
    TEXTS | st.lists(TEXTS, max_size=2) | TEXTS.map(lambda text: {text: text, "a": [text]})
)


@st.composite
def giveaways(draw: st.DrawFn) -> bytes:
    """Put the serial number into a real frame, in some places, and damage it a little perhaps."""
    tree = copy.deepcopy(draw(st.sampled_from([STATUS, SETTINGS])))
    for _ in range(draw(st.integers(1, 4))):
        container, key = draw(st.sampled_from(places(tree)))
        how = draw(st.sampled_from(["value", "key", "type", "beside"]))
        if how == "value":
            container[key] = draw(HOSTILE)
        elif how == "type":
            tree["type"] = draw(TEXTS)
        elif isinstance(container, dict):
            name = draw(TEXTS if how == "key" else st.text(max_size=3))
            container[name] = container.pop(key) if how == "key" else draw(HOSTILE)
    for _ in range(draw(st.integers(0, 2))):
        container, key = draw(st.sampled_from(places(tree)))
        if isinstance(container, dict):
            again = (draw(KEYS), draw(PLAIN | TEXTS))
            old = container[key]
            container[key] = Members([*(old.items() if isinstance(old, dict) else ()), again])
    text = dump(tree, ascii_only=draw(st.booleans()), spaces=draw(st.booleans()))
    data = _escaped(text, draw).encode("utf-8", "replace")
    # Not into the number itself, which would be another one.
    place = draw(st.sampled_from([match.end() for match in re.finditer(rb'[][{}",:]', data)]))
    if draw(st.booleans()):
        return data
    inserted = draw(st.sampled_from([b"", b"", b",", b"[", b"\xff", b"}", b"\n", b"::"]))
    end = draw(st.integers(0, len(data)) | st.just(len(data)))
    return (data[:place] + inserted + data[place:])[:end]


def _escaped(text: str, draw: st.DrawFn) -> str:
    """Write some letters of the key and the number as escapes."""
    for word in draw(st.sets(st.sampled_from(["bms_name", SERIAL]))):
        which = draw(st.sets(st.integers(0, len(word) - 1), max_size=3))
        written = "".join(f"\\u{ord(c):04x}" if n in which else c for n, c in enumerate(word))
        text = text.replace(word, written)
    return text


def assert_not_given_away(*texts: str) -> None:
    for text in texts:
        assert NUMBER not in text
        assert NUMBER not in ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)


@given(st.lists(giveaways(), min_size=1, max_size=3))
@example([status(error=f"unit {SERIAL} is hot", erro={"present": 1}).encode()])
@example([status(time_remaining=SERIAL).encode()])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_message_and_no_log_has_it(caplog: pytest.LogCaptureFixture, wire: list[bytes]) -> None:
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    frames.report(wire, frames.ALL, secret=NUMBER.encode())
    assert_not_given_away(caplog.text)


@given(giveaways())
def test_no_recording_has_it(data: bytes) -> None:
    lines: list[bytes] = []
    recorder = Recorder(FrameReceiver(), lines.append)
    recorder.received(data, Instant(1.0, 2.0))
    recorder.disconnected(data.decode("utf-8", "replace"), Instant(1.0, 2.0))
    frame, trouble = map(read_record, lines)
    assert isinstance(frame, FrameRecord)
    assert isinstance(trouble, Disconnected)
    assert_not_given_away(frame.data.decode("latin-1"), trouble.reason)


@given(giveaways())
def test_no_mistake_in_a_recording_shows_it(data: bytes) -> None:
    try:
        read_record(data)
    except DamagedRecording as exc:
        assert_not_given_away(str(exc))


@given(st.lists(giveaways(), min_size=1, max_size=3))
def test_no_check_has_it(wire: list[bytes]) -> None:
    probe = Probe(SimulatedSource("sim:"))
    for second, data in enumerate(wire):
        probe.received(data, Instant(second, second))
    probe.disconnected(wire[0].decode("utf-8", "replace"), Instant(5, 5))
    assert_not_given_away("".join(full_report(probe, "ws://h/ws", [], 10)).replace(" ", ""))
