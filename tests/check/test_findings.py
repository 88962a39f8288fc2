"""Whatever a BMS sends, a report can be made of it, fit for a terminal and without secrets."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.frames import SETTINGS, STATUS

from recbms_zmq.check.findings import full_report, verdict
from recbms_zmq.check.probe import Probe
from recbms_zmq.clock import Instant
from recbms_zmq.sources import LiveSource, Receiver


class Silent(LiveSource):
    sends_settings = True

    async def run(self, receiver: Receiver) -> None:
        """Deliver nothing: the test does."""


def report_on(*frames: bytes) -> list[str]:
    probe = Probe(Silent())
    for number, frame in enumerate(frames):
        probe.received(frame, Instant(float(number), 1e9))
    report = full_report(probe, "ws://bms/ws", [], 10)
    assert report[-1] == verdict(probe, 10)
    return report


VALUES = (
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text()
    | st.just("1A-2261")
    | st.lists(st.floats(), max_size=3)
    | st.dictionaries(st.text() | st.sampled_from(["0", "1", "32"]), st.floats(), max_size=3)
)


@st.composite
def changed(draw: st.DrawFn, text: str) -> bytes:
    """A real frame in which some values are others."""
    frame = json.loads(text)
    for _ in range(draw(st.integers(0, 4))):
        tree: Any = frame
        while isinstance(tree, dict) and tree:
            key = draw(st.sampled_from(sorted(tree)))
            if draw(st.booleans()) or not isinstance(tree[key], dict):
                tree[key] = draw(VALUES)
                break
            tree = tree[key]
    return json.dumps(frame).encode()


WITH_SERIAL = STATUS.replace("Full in:<br> 31h 00 min", "\\u001b 1A-2261").encode()


@example([SETTINGS.encode(), WITH_SERIAL])
@given(st.lists(changed(STATUS) | changed(SETTINGS) | st.binary(), max_size=5))
def test_a_report_can_be_made_of_any_frames(frames: list[bytes]) -> None:
    report = report_on(*frames)
    for line in report:
        assert line.isprintable()
        assert "A-2261" not in line
    assert report[-1].startswith(("alive: ", "no status frame within 10 s: "))


def test_values_that_are_no_numbers_are_left_out_of_the_verdict() -> None:
    report = report_on(STATUS.replace("13.2439", "NaN").replace("7.456289", "1e999").encode())
    assert report[-1] == "alive: 28.5 %, Full in: 31h 00 min"


@pytest.mark.parametrize("frames", [1, 4])
def test_an_implausible_value_is_a_remark(frames: int) -> None:
    unplugged = json.loads(STATUS)
    unplugged["bms_array"]["slave"]["0"]["temp"]["0"] = -127.0
    report = " ".join(report_on(*[json.dumps(unplugged).encode()] * frames))
    assert "  remark " in report
    assert "-127 °C" in report
    assert "  remark " not in " ".join(report_on(STATUS.encode()))
