import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.frames import SETTINGS, STATUS

from recbms_zmq.errors import FrameError
from recbms_zmq.wire.decode import decode
from recbms_zmq.wire.frames import Settings
from recbms_zmq.wire.redaction import redact

WHOLE = SETTINGS.encode()


def test_of_the_real_settings_only_the_serial_number_is_gone() -> None:
    assert redact(WHOLE) == WHOLE.replace(b'"1A-2261"', b'"1A-****"')


def test_the_real_status_stays_as_it_is() -> None:
    assert redact(STATUS.encode()) == STATUS.encode()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b'{"bms_name":"A7-B (x)"}', b'{"bms_name":"********"}'),
        (b'{"bms_name" :\n "1A-2261"}', b'{"bms_name" :\n "1A-****"}'),
        (b'{"seri":2261,"cmax":3.6}', b'{"seri":1111,"cmax":3.6}'),
        (b'{"SERI" : "2261"}', b'{"SERI" : "****"}'),
        (b'{"serial":[2261]}', b'{"serial":[1111]}'),
        (rb'{"s\u0065r\u0069":-2261}', rb'{"s\u0065r\u0069":-1111}'),
        (b'{"series":2261}', b'{"series":2261}'),
        (b'{"bms_name":"1A-22', b'{"bms_name":"1A-**'),
        (b'{"bms_name":"4711\\', b'{"bms_name":"****\\'),
        (b'{"bms_name":""}', b'{"bms_name":""}'),
        (b'{"bms_name":"47\\"11","soc":1}', b'{"bms_name":"**\\"**","soc":1}'),
        (b'{"bms_name":"\\u0034711"}', b'{"bms_name":"\\u002a***"}'),
        (b'{"bms_name":4711}', b'{"bms_name":1111}'),
        (b'{"bms_name":-47.11}', b'{"bms_name":-11.11}'),
        (b'{"bms_name":null,"soc":1}', b'{"bms_name":null,"soc":1}'),
        (b'{"bms_name":["1Q-00123"]}', b'{"bms_name":["1Q-*****"]}'),
        (b'{"bms\\u005fname":"4711"}', b'{"bms\\u005fname":"****"}'),
        (b's_name":"4711","addr":64}', b's_name":"****","addr":64}'),
        (b'e":"9M-4711","addr":64}', b'e":"9M-****","addr":64}'),
        (b"\xff\xfe 1A-2261 \x00", b"\xff\xfe 1A-**** \x00"),
        (b'{"error":"unit 2B-77a is hot"}', b'{"error":"unit 2B-*** is hot"}'),
        (b'{"BMS_NAME":"4711"}', b'{"BMS_NAME":"****"}'),
        (b'{"bms_n\\u0061m\\u0045":"4711"}', b'{"bms_n\\u0061m\\u0045":"****"}'),
        (b'["1\\u0041-47\\u00311"]', b'["1\\u0041-**\\u002a*"]'),
        (b'{"bms_name":"1\\u0041-4711"}', b'{"bms_name":"1\\u0041-****"}'),
        (b'{"error":"unit 2b-77a"}', b'{"error":"unit 2b-***"}'),
        (b'{"bms_name":"\\ud83d4711\\ude00"}', b'{"bms_name":"\\ud83d****\\ude00"}'),
        (b'{"bms_name":{"bms_name":"4711"}}', b'{"bms_name":{"bms_name":"****"}}'),
        (b'{"bms_name":["4711"]}', b'{"bms_name":["****"]}'),
        (b'{"bms_name"\xff,:}"4711"}', b'{"bms_name"\xff,:}"****"}'),
        (b'{"bms_name":: -4711}', b'{"bms_name":: -1111}'),
        (b'"name":-2name":"4711"', b'"name":-1name":"****"'),
        (b'{"a":1E-10,"b":1e-10,"c":-1}', b'{"a":1E-10,"b":1e-10,"c":-1}'),
    ],
)
def test_it_is_found_wherever_it_is(given: bytes, expected: bytes) -> None:
    assert redact(given) == expected


NUMBER = range(WHOLE.index(b"1A-2261") + 1, WHOLE.index(b"2261") + 5)


@given(
    st.integers(0, len(WHOLE)),
    st.integers(0, len(WHOLE)).filter(lambda start: start not in NUMBER),
    st.binary(max_size=3),
)
def test_damage_does_not_show_it(end: int, start: int, inserted: bytes) -> None:
    assert b"2261" not in redact(WHOLE[:end] + inserted + WHOLE[start:])


SERIALS = st.from_regex(r"[0-9][A-DF-Z]-[0-9A-Za-z]{2,12}", fullmatch=True) | st.text(
    st.characters(min_codepoint=32, max_codepoint=126), min_size=3, max_size=20
)


@given(SERIALS, st.booleans())
def test_a_frame_is_as_good_as_it_was(serial: str, spaces: bool) -> None:
    raw = json.loads(SETTINGS) | {"bms_name": serial}
    data = json.dumps(raw, separators=(", ", ": ") if spaces else (",", ":")).encode()
    redacted = redact(data)
    assert len(redacted) == len(data)
    found = decode(redacted)
    assert isinstance(found.frame, Settings)
    assert found.frame.serial is not None
    assert len(found.frame.serial) == len(serial)
    assert set(found.frame.serial.removeprefix(serial[:3])) <= set('*"\\')
    found.frame.serial = serial
    assert found == decode(data)


@given(st.binary() | st.binary().map(lambda data: b'{"bms_name":' + data))
def test_any_bytes_keep_their_length_and_are_redacted_once_and_for_all(data: bytes) -> None:
    redacted = redact(data)
    assert len(redacted) == len(data)
    assert redact(redacted) == redacted


@given(st.binary())
def test_what_was_no_frame_is_none(data: bytes) -> None:
    for each in (data, redact(data)):
        try:
            decode(each)
        except FrameError:
            continue
        raise AssertionError(each)
