"""Tests of one BMS from bytes to messages: the two real frames, and what is logged."""

import asyncio
import logging
from typing import Any

import pytest
from support.frames import FRAMES, status
from support.publishing_bms import PublishingBms, at

from recbms_zmq.reporting.messages import Device as DeviceMessage
from recbms_zmq.reporting.messages import decode_message

STATUS = (FRAMES / "status.json").read_bytes()
SETTINGS = (FRAMES / "settings.json").read_bytes()


def link(bench: PublishingBms) -> dict[str, Any]:
    return {key: bench.last[f"link/{key}"] for key in ("frames", "bad_frames", "reconnects")}


@pytest.mark.parametrize(("seconds", "observed"), [(30.9, True), (31, False)])
def test_an_alarm_that_went_in_a_silence_was_not_observed_to_go(
    seconds: float, observed: bool
) -> None:
    """No timer has noticed the silence: the process was stopped meanwhile."""
    bench = PublishingBms()
    kept: list[tuple[bool, bool]] = []
    bench.pipeline.keep_alarms = lambda changes, _, was_online: kept.extend(
        (change.is_raised, was_online) for change in changes
    )
    bench.send(status(erro={"present": 1, "addr": 2, "st": 2, "con_st": 3}), 1)
    bench.send(STATUS, seconds)
    assert kept == [(True, False), (False, observed)]


# --- the serial number ---


def test_the_serial_number_is_in_the_device_message_and_nowhere_else_if_it_is_asked_for() -> None:
    bench = PublishingBms(emit="both", include_serial=True)
    bench.send(SETTINGS)
    bench.send(STATUS)
    (body,) = (body for body in bench.bodies if b"2261" in body)
    message = decode_message(body)
    assert isinstance(message, DeviceMessage)
    assert message.payload.serial == "1A-2261"


# --- counting ---


def test_frames_are_counted_good_and_bad() -> None:
    bench = PublishingBms(report="all")
    assert bench.send(STATUS)
    assert link(bench) == {"frames": 1, "bad_frames": 0, "reconnects": 0}
    assert bench.send(SETTINGS)
    assert not bench.send(b"garbage")
    assert not bench.send(b'{"type":"other"}')
    assert not bench.send(b'{"type":"status"}')
    assert not bench.send(b'{"type":"status","bms_array":{"master":5}}')  # bad in two ways
    assert bench.send(STATUS.replace(b'"soc":0.285054', b'"soc":"x"'))
    assert link(bench) == {"frames": 3, "bad_frames": 5, "reconnects": 0}


def test_the_interval_is_between_status_frames() -> None:
    bench = PublishingBms(report="all")
    bench.send(STATUS, 1)
    bench.send(SETTINGS, 1.5)
    bench.send(b"garbage", 2)
    bench.send(STATUS, 3.25)
    assert bench.last["link/frame_interval"] == 2.25


def test_every_connection_after_the_first_one_is_a_reconnect() -> None:
    bench = PublishingBms(report="all")
    for seconds in (1, 2, 3):
        bench.pipeline.connected(at(seconds))
    bench.send(STATUS, 4)
    assert link(bench)["reconnects"] == 2


# --- the log ---


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    caplog.clear()
    return found


def test_each_kind_of_bad_frame_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    bench = PublishingBms()
    bad_field = STATUS.replace(b'"soc":0.285054', b'"soc":"x"')
    for _ in range(3):
        bench.send(b"garbage")
        bench.send(b'{"type":"hello"}')
        bench.send(bad_field)
    assert warnings(caplog) == [
        (
            "main: a message was dropped: not JSON "
            "(JSON is malformed: invalid character (byte 0)); counted in link/bad_frames"
        ),
        "main: a message was dropped: unknown message type ('hello'); counted in link/bad_frames",
        (
            "main: fields that cannot be read were left out ($.bms_array.master.soc); "
            "counted in link/bad_frames"
        ),
    ]


def test_the_last_reading_of_a_sensor_can_be_asked_for() -> None:
    bench = PublishingBms()
    assert bench.pipeline.reading("soc") is None
    bench.send(STATUS)
    assert bench.pipeline.reading("soc") == 28.5
    assert bench.pipeline.reading("charging") is True
    assert bench.pipeline.reading("time_to_empty") is None
    assert bench.pipeline.reading("no/such/sensor") is None


def test_a_source_can_wait_for_a_slow_reader() -> None:
    waited: list[str] = []

    async def drained() -> None:
        waited.append("yes")

    asyncio.run(PublishingBms().pipeline.drain())
    asyncio.run(PublishingBms(drained=drained).pipeline.drain())
    assert waited == ["yes"]
