"""What frames without data, dropped frames and odd frames do to the state of a BMS."""

import json
import logging
from typing import Any

import pytest
from support.frames import SETTINGS, STATUS, status
from support.publishing_bms import PublishingBms

from recbms_zmq.reporting.messages import Device, decode_message
from recbms_zmq.sensors.energy import FROM_ZERO

NO_DATA = "the module answers, but knows nothing of the BMS: RS-485 cable?"


def counting() -> PublishingBms:
    """Make a BMS whose energy is counted from 0."""
    bench = PublishingBms(bare=True)
    bench.pipeline.meter.resume(FROM_ZERO)
    return bench


@pytest.fixture
def bench(caplog: pytest.LogCaptureFixture) -> PublishingBms:
    caplog.set_level(logging.INFO)
    return counting()


def frame(master: Any = None, slave: Any = None) -> str:
    return json.dumps({"type": "status", "bms_array": {"master": master, "slave": slave}})


EMPTY = [
    '{"type":"status"}',
    '{"type":"status","bms_array":null}',
    '{"type":"status","bms_array":{}}',
    frame(),
    frame({}, {}),
    frame({}, []),
    frame({"time": "", "date": "28.09.2025", "error": "", "time_remaining": ""}, {"0": {}}),
    frame({"erro": {"addr": 0, "st": 0}}, {"0": {"address": 2, "st_temp": 1}}),
    frame({"vbat": None, "soc": None}, {"0": {"nap": {}, "temp": {"0": None}}}),
]


@pytest.mark.parametrize("empty", EMPTY)
def test_a_frame_without_any_data_does_not_make_the_bms_online(
    bench: PublishingBms, empty: str
) -> None:
    assert not bench.send(empty, 1)
    assert (bench.pipeline.online, bench.pipeline.reason) == (False, NO_DATA)
    bench.send(STATUS, 2)
    bench.send(empty, 3)
    assert bench.pipeline.reason == f"no new data: {NO_DATA}"
    bench.tick(32)
    assert bench.pipeline.reason == f"no status frame for 30 s: {NO_DATA}"
    assert bench.payloads("availability") == ["offline", "online", "offline"]
    bench.send(STATUS, 33)
    assert (bench.pipeline.online, bench.pipeline.reason) == (True, "status frames arrive")


def test_frames_without_any_data_do_not_keep_the_bms_online(bench: PublishingBms) -> None:
    bench.send(STATUS, 0)
    for second in range(1, 40):
        bench.send(EMPTY[4], second)
    assert bench.payloads("availability") == ["offline", "online", "offline"]


DROPPED = [
    *EMPTY,
    "not JSON",
    "[]",
    "{}",
    '{"type":"other"}',
    STATUS[:300],
    SETTINGS,
    # Frames with data, of which the current or the voltage is missing or cannot be used.
    *(status(ibat=value) for value in (None, "x", 1e300, -1e5)),
    *(status(vbat=value) for value in (None, "x", 1e300, -0.1)),
    status().replace("13.2439", "nan"),
]


@pytest.mark.parametrize("dropped", DROPPED)
def test_a_frame_that_cannot_be_used_leaves_the_energy_alone(
    bench: PublishingBms, dropped: str
) -> None:
    without = counting()
    for each in (bench, without):
        each.send(status(vbat=50, ibat=72.0), 0)
        if each is bench:
            each.send(dropped, 15)
        each.send(status(vbat=50, ibat=72.0), 30)
    assert without.payloads("energy_charged")[-1] == 0.03  # 3600 W for 30 s
    assert bench.payloads("energy_charged")[-1] == 0.03
    assert bench.pipeline.meter.totals is not None
    assert without.pipeline.meter.totals is not None
    assert bench.pipeline.meter.totals.energy_charged == pytest.approx(
        without.pipeline.meter.totals.energy_charged
    )


def test_a_remark_is_in_the_device_message_and_once_in_the_log(
    bench: PublishingBms, caplog: pytest.LogCaptureFixture
) -> None:
    odd = json.loads(STATUS)
    odd["bms_array"]["slave"]["0"]["temp"]["0"] = -127
    second = 0
    for _ in range(2):  # raised, cleared, raised again
        for text in (*[json.dumps(odd)] * 3, *[STATUS] * 10):
            second += 1
            bench.send(text, second)
    remark = "temperature sensor 1 of unit 2 reads -127 °C: is it plugged in?"
    units = [{"address": 2, "cells": 4, "sensors": 1}]
    healthy, remarked = {"units": units}, {"units": units, "remarks": [remark]}
    assert bench.payloads("device") == [healthy, remarked, healthy, remarked, healthy]
    assert [line for line in caplog.messages if remark in line] == [f"main: {remark}"]
    messages = [decode_message(body) for body in bench.bodies]
    infos = [message.payload for message in messages if isinstance(message, Device)]
    assert infos[1].remarks == (remark,)


def test_the_remarks_in_the_log_are_bounded(
    bench: PublishingBms, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(300):
        slaves = {n: {"address": number % 250, "temp_bms": 20} for n in ("0", "1")}
        bench.send(frame({"vbat": 13}, slaves), number)
    lines = [line for line in caplog.messages if "set to address" in line]
    assert len(lines) == 64
    assert caplog.messages[-1] == "main: no more remarks are logged in this run"


def test_an_unknown_alarm_whose_text_changes_is_raised_once(
    bench: PublishingBms, caplog: pytest.LogCaptureFixture
) -> None:
    error = {"present": 1, "addr": 2, "st": 18, "con_st": 3}
    for second in range(5):
        bench.send(status(erro=error, error=f"cell at 3.{second} V"), second)
    bench.send(status(), 5)
    events = [payload["event"] for payload in bench.payloads("event")]
    assert events == ["alarm_raised", "alarm_cleared"]
    assert len([line for line in caplog.messages if "alarm" in line]) == 2
