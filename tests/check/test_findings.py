"""Whatever a BMS sends, a report can be made of it, fit for a terminal and without secrets."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.frames import FRAMES, SETTINGS, STATUS, status

from recbms_zmq.check.findings import (
    as_json,
    full_report,
    nothing_found,
    short_facts,
    summary,
    verdict,
)
from recbms_zmq.check.next_steps import IS_IT_ON
from recbms_zmq.check.probe import Probe
from recbms_zmq.clock import Instant
from recbms_zmq.sources import LiveSource, Receiver


class Silent(LiveSource):
    sends_settings = True

    def now(self) -> Instant:
        return Instant(0.0, 1e9)

    async def run(self, receiver: Receiver) -> None:
        """Deliver nothing: the test does."""


def probe_of(*frames: bytes) -> Probe:
    probe = Probe(Silent())
    for number, frame in enumerate(frames):
        probe.received(frame, Instant(float(number), 1e9))
    return probe


def report_on(*frames: bytes) -> list[str]:
    probe = probe_of(*frames)
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
    assert report[-1] == "alive: 28.5 %, full in 31 h"


@pytest.mark.parametrize("frames", [1, 4])
def test_an_implausible_value_is_a_remark(frames: int) -> None:
    unplugged = json.loads(STATUS)
    unplugged["bms_array"]["slave"]["0"]["temp"]["0"] = -127.0
    report = " ".join(report_on(*[json.dumps(unplugged).encode()] * frames))
    assert "  remark " in report
    assert "-127 °C" in report
    assert "  remark " not in " ".join(report_on(STATUS.encode()))


LOW = {"present": 1, "addr": 2, "st": 2, "con_st": 3}
ODD = status(erro=LOW, new_key=1, soc="half").encode()
LOW_TEXT = (
    "Cell voltage too low (unit 2, cell 3). REC's manual: discharging is switched off now. "
    "Plug in the charger."
)
STATE = "28.5 %, 13.24 V, +7.46 A, charging, full in 31 h"
FROST = (
    "temperature limit low (tmin, -10 °C) is outside the usual 0 to 60 °C: Winston cells can be "
    "charged below 0 °C, most others cannot; see the cells' data sheet"
)
NOTHING = {
    "alive": False,
    "verdict": "no status frame within 10 s: no answer",
    "connected_after": None,
    "failures": [],
    "next_step": IS_IT_ON,
    "status_frames": 0,
    "frame_interval": None,
    "websocket": None,
    "unknown_keys": [],
    "missing_keys": [],
    "dropped_messages": {},
    "unreadable_fields": [],
    "device": None,
    "alarm": None,
    "readings": {},
    "remarks": [],
    "settings": [],
}
REAL = json.loads((FRAMES.parent / "readings" / "status.json").read_bytes()) | {
    "last_update": "2001-09-09T01:46:40.000Z"
}
UNIT = {"units": [{"address": 2, "cells": 4, "sensors": 1}]}
ONE_FRAME = NOTHING | {
    "alive": True,
    "verdict": f"alive: {STATE}",
    "next_step": None,
    "status_frames": 1,
    "websocket": True,
    "device": UNIT,
    "readings": REAL,
}


@pytest.mark.parametrize(
    ("frames", "facts"),
    [
        ([], NOTHING),
        (
            [b"nonsense", b"x", b'{"type":"hello"}'],
            NOTHING
            | {
                "verdict": "no status frame within 10 s: "
                "the answer is not a frame of a BMS (not JSON, unknown message type)",
                "next_step": "The answer is not a frame of a BMS: is this the address of the "
                "module's websocket, ws://HOST/ws?",
                "dropped_messages": {"not JSON": 2, "unknown message type": 1},
            },
        ),
        ([STATUS.encode()], ONE_FRAME),
        ([STATUS.encode()] * 3, ONE_FRAME | {"status_frames": 3, "frame_interval": 1.0}),
        ([STATUS.replace('"type":"status",', "").encode()], ONE_FRAME | {"websocket": False}),
        (
            [SETTINGS.encode(), b"x", ODD],
            ONE_FRAME
            | {
                "verdict": f"alive: {STATE.partition(' %, ')[2]}; alarm: {LOW_TEXT}",
                "unknown_keys": ["bms_array.master.new_key"],
                "missing_keys": ["mcu_time", "re1l"],
                "dropped_messages": {"not JSON": 1},
                "unreadable_fields": ["$.bms_array.master.soc"],
                "device": UNIT
                | {"model": "ABMS", "chemistry": "LiFePO4 Winston", "capacity": 320.0},
                "alarm": LOW_TEXT,
                "readings": {key: value for key, value in REAL.items() if key != "soc"}
                | {
                    "problem": True,
                    "error_number": 2,
                    "error_text": "Cell voltage too low",
                    "error_unit": 2,
                    "error_cell": 3,
                    "cycles": 37,
                    "last_alarm": "Cell voltage too low (unit 2, cell 3)",
                    "last_alarm_time": "2001-09-09T01:46:40.000Z",
                },
                "settings": [{"level": "note", "text": FROST}],
            },
        ),
    ],
)
def test_programs_get_these_facts(frames: list[bytes], facts: dict[str, Any]) -> None:
    found = as_json(probe_of(*frames), 10)
    assert found == facts


def test_people_get_this_report() -> None:
    assert report_on(SETTINGS.encode(), b"x", ODD, ODD, ODD) == [
        "ws://bms/ws",
        "  frames      3 status, one every 1.00 s, settings received, 1 dropped: not",
        "              JSON, fields that could not be read: $.bms_array.master.soc",
        "  firmware    websocket; status with unknown keys: bms_array.master.new_key",
        "              (please report them); settings without mcu_time, re1l",
        "  pack        ABMS, LiFePO4 Winston, 320 Ah; unit 2: 4 cells, 1 temperature",
        "              sensor",
        "  state       13.24 V, +7.46 A, charging, full in 31 h",
        "  cells       lowest 3.305 V (cell 2/1), highest 3.320 V (cell 2/2), difference",
        "              0.015 V, warmest 22.5 °C",
        "  alarm       Cell voltage too low (unit 2, cell 3). REC's manual: discharging",
        "              is switched off now. Plug in the charger.",
        "  settings    note: temperature limit low (tmin, -10 °C) is outside the usual 0",
        "              to 60 °C: Winston cells can be charged below 0 °C, most others",
        "              cannot; see the cells' data sheet",
        f"alive: 13.24 V, +7.46 A, charging, full in 31 h; alarm: {LOW_TEXT}",
    ]
    assert report_on(STATUS.encode()) == [
        "ws://bms/ws",
        "  frames      1 status, no settings during this check",
        "  firmware    websocket; status with all known keys",
        "  pack        unit 2: 4 cells, 1 temperature sensor",
        f"  state       {STATE}",
        "  cells       lowest 3.305 V (cell 2/1), highest 3.320 V (cell 2/2), difference",
        "              0.015 V, warmest 22.5 °C",
        "  alarm       none",
        f"alive: {STATE}",
    ]
    assert report_on(STATUS.replace('"type":"status",', "").encode())[1:3] == [
        "  frames      a status without a type (older firmware)",
        "  firmware    before SW164_2, polled over HTTP; status with all known keys",
    ]
    dangerous = report_on(SETTINGS.replace('"cmax":3.65', '"cmax":3.55').encode(), ODD)
    assert (
        "  settings    danger: end of charge voltage (char, 3.58 V) is not below cell" in dangerous
    )
    assert dangerous[-1].endswith(f"; alarm: {LOW_TEXT}; settings look dangerous")
    assert summary(probe_of(STATUS.encode())) == "unit 2: 4 cells, 1 temperature sensor; 28.5 %"
    assert summary(probe_of(ODD)) == "unit 2: 4 cells, 1 temperature sensor"
    assert short_facts(probe_of(STATUS.encode())) == {"device": UNIT, "soc": 28.5}
    failures = {"ws://bms/ws": "HTTP status 404", "http://bms/cell": "\x1b[2Jno"}
    assert nothing_found("bms", failures, "Do that.") == [
        "bms",
        "  failure     ws://bms/ws: HTTP status 404",
        "  failure     http://bms/cell: ?[2Jno",
        "  what to do  Do that.",
        "no BMS found: ws://bms/ws: HTTP status 404; http://bms/cell: ?[2Jno",
    ]


@pytest.mark.parametrize(("count", "shown"), [(20, 20), (21, 20)])
def test_of_many_unknown_keys_twenty_are_listed(count: int, shown: int) -> None:
    keys = {f"k{number:02}": 1 for number in range(count)}
    report = " ".join(" ".join(report_on(status(**keys).encode())).split())
    listed = ", ".join(f"bms_array.master.{key}" for key in sorted(keys)[:shown])
    end = ", ..." if count > shown else ""
    assert f"status with unknown keys: {listed}{end} (please report them)" in report


def test_of_many_unreadable_fields_ten_are_listed() -> None:
    bad = json.loads(STATUS)
    bad["bms_array"]["slave"]["0"]["nap"] = {str(cell): "?" for cell in range(11)}
    report = " ".join(" ".join(report_on(json.dumps(bad).encode())).split())
    paths = sorted(f"$.bms_array.slave.0.nap.{cell}" for cell in range(11))
    assert f"fields that could not be read: {', '.join(paths[:10])} firmware" in report


def test_the_failure_that_came_last_decides_what_to_do() -> None:
    probe = probe_of()
    for reason in ("no route to host", "connection refused", "no route to host"):
        probe.disconnected(reason, Instant(0.0, 1e9))
    assert full_report(probe, "ws://bms/ws", [], 10) == [
        "ws://bms/ws",
        "  failure     connection refused",
        "  failure     no route to host",
        "  what to do  Is the module on, and this machine in its network? Try to open its",
        "              web page in a browser. If it may have another address: `find` in",
        "              place of `check` looks for it.",
        "no status frame within 10 s: no route to host",
    ]


def test_an_input_that_has_ended_was_not_waited_for() -> None:
    probe = probe_of()
    probe.has_ended = True
    assert verdict(probe, 10) == "no status frame: nothing received"


def test_a_module_that_answers_and_sends_nothing_may_have_lost_its_cable() -> None:
    probe = probe_of()
    probe.connected(Instant(2.0, 1e9))
    assert full_report(probe, "ws://bms/ws", [], 10) == [
        "ws://bms/ws",
        "  connection  open after 2.00 s",
        "  what to do  The module answers, but sends nothing: is the BMS behind it on,",
        "              and is the cable between them (RS-485) connected? If another",
        "              program or a browser reads the module, it may have no room for",
        "              this one: end the other.",
        "no status frame within 10 s: nothing received",
    ]
