"""Tests of the message contract: whole messages as bytes, and reading them back."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from recbms_zmq.reporting.batch import Outgoing
from recbms_zmq.reporting.envelopes import Envelopes
from recbms_zmq.reporting.messages import (
    AlarmChange,
    Availability,
    Device,
    Event,
    Message,
    Reading,
    Snapshot,
    decode_message,
)
from recbms_zmq.sensors.device_info import DeviceInfo, UnitInfo
from recbms_zmq.sensors.sensor import UNKNOWN, Sensor
from recbms_zmq.sensors.table import SENSORS
from recbms_zmq.text import ascii_json

TS = b"2026-11-22T10:44:39.123Z"
ENVELOPES = Envelopes("main", "REC BMS", "5f3a9c01")
BARE = Envelopes("main", "REC BMS", "5f3a9c01", bare=True)


def sensor(key: str) -> Sensor:
    return next(row for row in SENSORS if row.key == key)


def test_a_reading_is_this_line() -> None:
    envelope = ENVELOPES.of_sensor(sensor("soc"))
    assert envelope.render(28.5, TS) == (
        b"recbms/main/soc",
        (
            b'{"topic":"recbms/main/soc","payload":28.5,"kind":"reading","device":"main",'
            b'"device_name":"REC BMS","key":"soc","name":"State of charge","unit":"%",'
            b'"ts":"2026-11-22T10:44:39.123Z","seq":1,"run":"5f3a9c01",'
            b'"ha":{"component":"sensor","device_class":"battery","state_class":"measurement",'
            b'"suggested_display_precision":1}}'
        ),
        envelope,
    )


def test_a_reading_without_a_unit_is_this_line() -> None:
    assert ENVELOPES.of_sensor(sensor("charge_state")).render("idle", TS)[1] == (
        b'{"topic":"recbms/main/charge_state","payload":"idle","kind":"reading","device":"main",'
        b'"device_name":"REC BMS","key":"charge_state","name":"Charge state",'
        b'"ts":"2026-11-22T10:44:39.123Z","seq":1,"run":"5f3a9c01",'
        b'"ha":{"component":"sensor","device_class":"enum","icon":"mdi:battery-sync",'
        b'"options":["charging","discharging","idle"]}}'
    )


def test_a_line_is_ascii_whatever_the_names_are() -> None:
    envelopes = Envelopes("boat", 'M\u00e4rz "\u2603" \U0001f50b', "00000000", "bms", bare=True)
    cell = sensor("temperature/{unit}/{number}").at(2, 1)
    envelope = envelopes.of_sensor(cell)
    assert envelope.render(None, TS) == (
        b"bms/boat/temperature/2/1",
        (
            b'{"topic":"bms/boat/temperature/2/1","payload":null,"kind":"reading","device":"boat",'
            b'"device_name":"M\\u00e4rz \\"\\u2603\\" \\ud83d\\udd0b","key":"temperature/2/1",'
            b'"name":"Unit 2 temperature 1","unit":"\\u00b0C","ts":"2026-11-22T10:44:39.123Z",'
            b'"seq":1,"run":"00000000"}'
        ),
        envelope,
    )


def test_an_availability_has_its_reason() -> None:
    envelope = ENVELOPES.of_kind("availability")
    assert envelope.render(Raw('"online","reason":"x"'), TS) == (
        b"recbms/main/availability",
        (
            b'{"topic":"recbms/main/availability","payload":"online","reason":"x","kind":"availability",'
            b'"device":"main","device_name":"REC BMS","key":"availability","name":"Availability",'
            b'"ts":"2026-11-22T10:44:39.123Z","seq":1,"run":"5f3a9c01"}'
        ),
        envelope,
    )


def test_the_last_message_can_be_made_again() -> None:
    envelope = ENVELOPES.of_sensor(sensor("soc"))
    for payload in (28.5, None, UNKNOWN, "\u00b0", True):
        _, body, retained = envelope.render(payload, TS)
        assert retained is not None
        assert body.isascii()
        assert [retained.last_body() for _ in range(2)] == [body, body]


def test_messages_of_a_topic_are_counted_from_1() -> None:
    envelope = BARE.of_sensor(sensor("soc"))
    lines = [json.loads(envelope.render(1, TS)[1])["seq"] for _ in range(3)]
    assert lines == [1, 2, 3]
    assert envelope.seq == 3


def read_back(line: Outgoing) -> Message:
    assert decode_message(line[1]) == decode_message(line[1].decode())
    return decode_message(line[1])


HEAD: dict[str, Any] = {
    "device": "main",
    "device_name": "REC BMS",
    "ts": TS.decode(),
    "seq": 1,
    "run": "5f3a9c01",
}


@pytest.mark.parametrize("value", [28.5, 13.0, 0, 37, True, False, "2/1", "", "\u00b0", None])
def test_a_reading_can_be_read_back(value: Any) -> None:
    payload = UNKNOWN if value is None else value
    read = read_back(ENVELOPES.of_sensor(sensor("soc")).render(payload, TS))
    assert read == Reading(
        topic="recbms/main/soc",
        key="soc",
        name="State of charge",
        payload=value,
        unit="%",
        ha={
            "component": "sensor",
            "device_class": "battery",
            "state_class": "measurement",
            "suggested_display_precision": 1,
        },
        **HEAD,
    )
    assert isinstance(read, Reading)
    assert type(read.payload) is type(value)


def test_a_bare_reading_can_be_read_back() -> None:
    assert read_back(BARE.of_sensor(sensor("problem")).render(True, TS)) == Reading(
        topic="recbms/main/problem", key="problem", name="Problem", payload=True, **HEAD
    )


def test_the_other_kinds_can_be_read_back() -> None:
    def head(kind: str) -> dict[str, Any]:
        return HEAD | {"topic": f"recbms/main/{kind}", "key": kind, "name": kind.capitalize()}

    def line(kind: Any, payload: Any) -> Message:
        return read_back(ENVELOPES.of_kind(kind).render(payload, TS))

    offline = ENVELOPES.of_kind("availability").render(Raw('"offline","reason":"stopped"'), TS)
    assert read_back(offline) == Availability(
        payload="offline", reason="stopped", **head("availability")
    )
    change = AlarmChange(event="alarm_raised", number=1, text="x", advice="", unit=2, cell=None)
    assert line("event", change) == Event(payload=change, **head("event"))
    values = {"soc": 28.5, "cells": 4, "problem": False, "cell_min": None, "error_text": "x"}
    assert line("snapshot", values) == Snapshot(payload=values, **head("snapshot"))
    description = DeviceInfo(
        units=(UnitInfo(2, 4, 1),), model="ABMS", chemistry="x", capacity=320.0, serial="y"
    )
    assert line("device", description) == Device(
        payload=description,
        **head("device"),
    )
    assert line("device", DeviceInfo(units=())) == Device(
        payload=DeviceInfo(units=()), **head("device")
    )


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        "[]",
        '{"kind":"reading"}',
        (
            '{"kind":"other","topic":"a","payload":1,"device":"a","device_name":"a","key":"a",'
            '"name":"a","ts":"a","seq":1,"run":"a"}'
        ),
        (
            '{"kind":"availability","topic":"a","payload":"perhaps","reason":"","device":"a",'
            '"device_name":"a","key":"a","name":"a","ts":"a","seq":1,"run":"a"}'
        ),
    ],
)
def test_anything_but_a_message_of_the_contract_is_refused(body: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_message(body)


def test_unknown_fields_of_a_message_are_ignored() -> None:
    line = json.loads(BARE.of_sensor(sensor("soc")).render(1, TS)[1]) | {"new": [1]}
    assert isinstance(decode_message(json.dumps(line)), Reading)


def test_the_schema_distinguishes_the_kinds() -> None:
    schema = msgspec.json.schema(Message)
    assert schema["discriminator"] == {
        "propertyName": "kind",
        "mapping": {
            "reading": "#/$defs/Reading",
            "availability": "#/$defs/Availability",
            "event": "#/$defs/Event",
            "snapshot": "#/$defs/Snapshot",
            "device": "#/$defs/Device",
        },
    }
    required = {name: set(schema["$defs"][name]["required"]) for name in ("Reading", "Event")}
    everywhere = {"topic", "device", "device_name", "key", "name", "ts", "seq", "run", "kind"}
    assert required == {"Reading": everywhere | {"payload"}, "Event": everywhere | {"payload"}}


@pytest.mark.parametrize("kind", [Reading, Availability, AlarmChange, Event, Snapshot, Device])
def test_a_message_is_made_by_keywords_and_cannot_be_changed_by_one_of_its_readers(
    kind: Any,
) -> None:
    fields = dict.fromkeys(kind.__struct_fields__)
    message = kind(**fields)
    for name in fields:
        with pytest.raises(AttributeError):
            setattr(message, name, 1)
        # So that a field can be added anywhere.
        with pytest.raises(TypeError):
            kind(fields[name], **{other: None for other in fields if other != name})


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**32)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)


@given(
    LEAVES
    | st.recursive(
        LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text("a\u00e4\u2603\n"), inner)
    )
)
def test_every_payload_is_ascii_json_of_one_line_and_keeps_its_value(value: Any) -> None:
    text = ascii_json(value)
    assert text.isascii()
    assert len(text.splitlines()) == 1
    assert json.loads(text) == value
    assert type(json.loads(text)) is type(value)
