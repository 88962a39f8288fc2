"""Tests of the frame decoder: the two real frames, and what may be wrong with others.

All frames but the real two are made by us.
"""

import gc
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from recbms_zmq.errors import FrameError, MalformedFrame, UnknownFrameType
from recbms_zmq.wire.decode import Decoded, decode
from recbms_zmq.wire.frames import (
    BmsArray,
    ErrorState,
    Master,
    Settings,
    Slave,
    Status,
)

FRAMES = Path(__file__).parents[1] / "frames"
STATUS = (FRAMES / "status.json").read_bytes()
SETTINGS = (FRAMES / "settings.json").read_bytes()


def status_of(**master: Any) -> bytes:
    return json.dumps({"type": "status", "bms_array": {"master": master}}).encode()


def units_of(slave: Any) -> bytes:
    return json.dumps({"type": "status", "bms_array": {"slave": slave}}).encode()


def master_in(data: bytes) -> tuple[Master | None, tuple[str, ...]]:
    frame, dropped = decode(data)
    assert isinstance(frame, Status)
    assert frame.bms_array is not None
    return frame.bms_array.master, dropped


def slaves_in(data: bytes) -> tuple[Any, tuple[str, ...]]:
    frame, dropped = decode(data)
    assert isinstance(frame, Status)
    assert frame.bms_array is not None
    return frame.bms_array.slaves, dropped


REAL_STATUS = Status(
    bms_array=BmsArray(
        master=Master(
            time_remaining="Full in:<br> 31h 00 min",
            unit_count=1,
            clock_time="",
            clock_date="28.09.2025",
            cell_voltage_min=3.304808,
            cell_voltage_max=3.319811,
            current=7.456289,
            temperature_max=22.5,
            voltage=13.2439,
            state_of_charge=0.285054,
            state_of_health=0.9963,
            error_state=ErrorState(present=0, unit_address=0, number=0, location=0),
            error_message="",
        ),
        slaves={
            0: Slave(
                address=2,
                temperature_count=1,
                bms_temperature=28.66577,
                cell_count=4,
                temperatures={0: 22.5},
                cell_resistances={0: 0.00195, 1: 0.003093, 2: 0.002179, 3: 0.001809},
                cell_voltages={0: 3.304808, 1: 3.319811, 2: 3.310808, 3: 3.308474},
                cell_balancing={0: True, 1: False, 2: False, 3: False},
            )
        },
    )
)


def test_the_real_status_frame_is_read_whole() -> None:
    assert decode(STATUS) == Decoded(REAL_STATUS, ())


def test_the_real_frames_have_no_key_that_is_not_read() -> None:
    for raw in (STATUS, SETTINGS):
        frame, dropped = decode(raw)
        assert (json.loads(msgspec.json.encode(frame)), dropped) == (json.loads(raw), ())


@pytest.mark.parametrize(
    "frame",
    [
        STATUS.decode(),
        json.dumps({"bms_array": json.loads(STATUS)["bms_array"]}),  # of older firmware
        json.dumps(json.loads(STATUS) | {"type": None}),
    ],
    ids=["text", "without a type", "a type of null"],
)
def test_a_status_is_read_as_text_and_without_a_type(frame: str) -> None:
    assert decode(frame) == Decoded(REAL_STATUS, ())


def test_the_type_may_come_last() -> None:
    assert decode('{"cmin":3,"type":"settings"}') == Decoded(
        Settings(cell_voltage_limit_low=3.0), ()
    )


def test_arrays_are_read_like_objects() -> None:
    found, dropped = slaves_in(
        units_of([{"address": 2, "nap": [3.3, None], "temp": [21], "bal": [True, 0]}, None])
    )
    assert dropped == ()
    assert found == [
        Slave(address=2, cell_voltages=[3.3, None], temperatures=[21.0], cell_balancing=[True, 0]),
        None,
    ]


def test_whole_numbers_are_floats_where_floats_are_expected() -> None:
    assert master_in(status_of(vbat=22, soc=1, ibat=-0)) == (
        Master(voltage=22.0, state_of_charge=1.0, current=0.0),
        (),
    )


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("vbat", ["x", True, [1], {"0": 1}, 10**400]),
        ("st_naprav", [2**32, -(2**31) - 1, 10**30, 1.5, "1", True, []]),
        ("erro", [5, "x", [1], True]),
    ],
)
def test_a_value_of_the_wrong_type_or_size_costs_that_field_only(
    key: str, values: list[Any]
) -> None:
    for bad in values:
        found = master_in(status_of(**{key: bad}, soc=0.5))
        assert found == (Master(state_of_charge=0.5), (f"$.bms_array.master.{key}",))


def test_integers_of_32_bits_are_read_signed_and_unsigned() -> None:
    assert master_in(status_of(st_naprav=2**32 - 1)) == (Master(unit_count=2**32 - 1), ())
    assert master_in(status_of(st_naprav=-(2**31))) == (Master(unit_count=-(2**31)), ())


@pytest.mark.parametrize("bad", [2, -1, 1.0, "1", {}])
def test_a_flag_is_true_false_0_or_1(bad: Any) -> None:
    assert master_in(status_of(erro={"present": bad, "st": 4})) == (
        Master(error_state=ErrorState(number=4)),
        ("$.bms_array.master.erro.present",),
    )
    for good in (True, False, 0, 1):
        assert master_in(status_of(erro={"present": good})) == (
            Master(error_state=ErrorState(present=good)),
            (),
        )


def test_a_bad_cell_costs_no_other_one() -> None:
    slave = {"nap": {"0": "x", "1": 3.3, "2": None}, "temp": ["x", 21]}
    assert slaves_in(units_of({"0": slave, "1": 7})) == (
        {0: Slave(cell_voltages={1: 3.3, 2: None}, temperatures=[None, 21.0])},
        (
            "$.bms_array.slave.0.temp[0]",
            "$.bms_array.slave.0.nap.0",
            "$.bms_array.slave.1",
        ),
    )


@pytest.mark.parametrize("key", ["-1", "16", "x", "", "1.0", "00", " 1", "1/2", "+1", "9" * 50])
def test_hostile_unit_keys_are_refused_and_not_quoted(key: str) -> None:
    assert slaves_in(units_of({key: {"address": 9}, "0": {"address": 2}})) == (
        {0: Slave(address=2)},
        ("$.bms_array.slave[key]",),
    )


@pytest.mark.parametrize("key", ["beyond", "-1", "x"])
def test_cells_and_sensors_are_bounded(key: str) -> None:
    cells = {str(n): 3.3 for n in range(32)} | {"32" if key == "beyond" else key: 3.3}
    sensors = {str(n): 20 for n in range(16)} | {"16" if key == "beyond" else key: 20}
    (found, dropped) = slaves_in(units_of({"0": {"nap": cells, "temp": sensors}}))
    assert found == {
        0: Slave(
            cell_voltages=dict.fromkeys(range(32), 3.3),
            temperatures=dict.fromkeys(range(16), 20.0),
        )
    }
    assert dropped == ("$.bms_array.slave.0.temp[key]", "$.bms_array.slave.0.nap[key]")


def test_arrays_that_are_too_long_are_refused_whole() -> None:
    assert slaves_in(units_of([{"nap": [3.3] * 33, "temp": [20] * 17, "bal": [True] * 33}])) == (
        [Slave()],
        (
            "$.bms_array.slave[0].temp",
            "$.bms_array.slave[0].nap",
            "$.bms_array.slave[0].bal",
        ),
    )
    assert slaves_in(units_of([{"address": 1}] * 17)) == (None, ("$.bms_array.slave",))


@pytest.mark.parametrize("address", [-1, 256, 1.5, "2", True])
def test_an_address_is_a_byte(address: Any) -> None:
    assert slaves_in(units_of({"0": {"address": address, "st_celic": 4}})) == (
        {0: Slave(cell_count=4)},
        ("$.bms_array.slave.0.address",),
    )


@pytest.mark.parametrize(
    "token",
    ["NaN", "nan", "-nan", "Infinity", "-Infinity", "inf", "-inf", "+inf", "1e999", "-1.5E+400"],
)
def test_a_float_that_is_not_finite_costs_that_field_only(token: str) -> None:
    data = f'{{"type":"status","bms_array":{{"master":{{"vbat": {token} ,"soc":0.5}}}}}}'
    assert master_in(data.encode()) == (Master(state_of_charge=0.5), ("$ (not valid JSON)",))
    array = f'{{"type":"status","bms_array":{{"slave":[{{"nap":[{token},{token},3.3]}}]}}}}'
    assert slaves_in(array.encode()) == (
        [Slave(cell_voltages=[None, None, 3.3])],
        ("$ (not valid JSON)",),
    )


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (b"55 \xb0C", "55 \ufffdC"),  # Latin-1
        (b"a\nb\tc\x00d", "a b c d"),  # control characters as they are
        (rb"lone \ud83d", "lone \ufffd"),
        (rb"lone \udd0b.", "lone \ufffd."),
        (rb"pair \ud83d\uDD0B, lone \uD83d", "pair \U0001f50b, lone \ufffd"),
        (rb"\ud83d\ud83d\uDD0B\uDD0B", "\ufffd\U0001f50b\ufffd"),
    ],
)
def test_a_text_that_is_no_valid_json_costs_its_odd_characters_only(text: bytes, read: str) -> None:
    data = b'{"type":"status","bms_array":{"master":{"error":"%s","vbat":13.5}}}' % text
    assert master_in(data) == (
        Master(error_message=read, voltage=13.5),
        ("$ (not valid JSON)",),
    )


def test_a_text_with_a_lone_surrogate_is_read_too() -> None:
    data = '{"type":"status","bms_array":{"master":{"error":"\ud83d","vbat":13.5}}}'
    frame, _ = decode(data)
    assert frame == Status(bms_array=BmsArray(master=Master(error_message="?", voltage=13.5)))


def test_of_a_key_that_comes_twice_the_last_one_counts() -> None:
    data = b'{"type":"status","bms_array":{"master":{"vbat":1,"vbat":2}}}'
    assert master_in(data) == (Master(voltage=2.0), ())


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "not JSON: Input data was truncated"),
        (b"\xff\xfe", "not JSON: JSON is malformed: invalid character (byte 0)"),
        (b'{"type":"status"', "not JSON: Input data was truncated"),
        (b"{'type': nan, 1}", "not JSON: JSON is malformed: object keys must be strings (byte 1)"),
        (b"[]", "not a JSON object: list"),
        (b"5", "not a JSON object: int"),
        (b'"status"', "not a JSON object: str"),
        (b"null", "not a JSON object: NoneType"),
        (b"{}", "an object without type and without bms_array"),
        (b'{"type":null}', "an object without type and without bms_array"),
    ],
)
def test_anything_but_a_frame_is_refused_with_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(MalformedFrame) as refused:
        decode(data)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    "depth", [200, 900, 5_000, 100_000], ids=["harmless", "deep", "deeper", "too deep"]
)
def test_deep_nesting_never_raises_anything_else(depth: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"master":', b"}")):
        nested = b'{"type":"status","bms_array":' + opening * depth + b"1" + closing * depth + b"}"
        try:
            frame, _ = decode(nested)
        except FrameError as exc:
            assert exc.kind == "not JSON"  # noqa: PT017 both ends are right, by depth
        else:
            assert frame in (Status(), Status(bms_array=BmsArray(master=Master())))


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("hello", "'hello'"),
        (5, "int"),
        ({"bms_name": "4711"}, "dict"),
        ("Status", "'Status'"),
        ("settings of 1A-2261", "'settings of 1A-****'"),  # the serial number
        ("x" * 1000, "'" + "x" * 39),
    ],
)
def test_an_unknown_type_is_named_without_secrets_and_cut(kind: Any, shown: str) -> None:
    with pytest.raises(UnknownFrameType) as refused:
        decode(json.dumps({"type": kind, "bms_array": {}}))
    assert str(refused.value) == f"unknown message type: {shown}"


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("frame", [STATUS, SETTINGS, STATUS.replace(b"13.2439", b"nan")])
def test_a_byte_order_mark_changes_nothing(frame: bytes, *, as_text: bool) -> None:
    marked = b"\xef\xbb\xbf" + frame
    assert decode(marked.decode() if as_text else marked) == decode(frame)


def test_only_one_byte_order_mark_is_ignored() -> None:
    with pytest.raises(MalformedFrame, match=r"^not JSON"):
        decode(b"\xef\xbb\xbf" * 100_000 + STATUS)


def calls_in(data: bytes) -> int:
    """Return how many functions are called while this is decoded, in Python and in C."""
    calls = 0

    def count(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    # hypothesis and pytest are called by the garbage collector, whenever that runs.
    gc.disable()
    sys.setprofile(count)
    try:
        decode(data)
    except FrameError:
        pass
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls


def many(count: int, item: str = '"key {}":1') -> str:
    return ",".join(item.format(n) for n in range(count))


MASTER = '{"type":"status","bms_array":{"master":{%s,"soc":"x"}}}'
UNITS = '{"type":"status","bms_array":{"slave":{%s}}}'
UNIT = '{"type":"status","bms_array":{"slave":{"0":{%s}}}}'
HOSTILE: dict[str, Callable[[int], str]] = {
    "unknown members": lambda n: MASTER % many(n),
    "unknown members that are broken": lambda n: MASTER % many(n, '"key {}":[nan]'),
    "bad units": lambda n: UNITS % many(n),
    "units beyond the bound": lambda n: UNITS % many(n, '"{}":{{}}'),
    "bad cells": lambda n: UNIT % f'"nap":{{{many(n)}}}',
    "bad sensors": lambda n: UNIT % f'"temp":{{{many(n)}}}',
    "cells that are too many": lambda n: UNIT % f'"nap":[{many(n, "{}")}]',
    "a bad member that is long": lambda n: MASTER % f'"vbat":[{many(n, "{}")}]',
    "a bad member that is deep": lambda n: MASTER % f'"vbat":{"[" * (n % 500)}{"]" * (n % 500)}',
    "no numbers": lambda n: UNIT % f'"nap":[{many(n, "nan")}]',
    "half characters": lambda n: MASTER % f'"error":"{"x" + chr(92) + "ud83d"}{"x" * n}"',
    "control characters": lambda n: MASTER % f'"error":"{chr(1) * n}"',
    "no JSON": lambda n: "{" * n,
    "a long type": lambda n: f'{{"type":"{"1A-" * n}"}}',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_a_message_costs_does_not_grow_with_what_is_bad_in_it(kind: str) -> None:
    few, very_many = (HOSTILE[kind](count).encode() for count in (300, 30_000))
    assert calls_in(very_many) <= calls_in(few) + 50


@pytest.mark.parametrize("kind", HOSTILE)
def test_the_paths_of_dropped_fields_do_not_grow_with_what_is_bad_in_a_message(kind: str) -> None:
    try:
        _, dropped = decode(HOSTILE[kind](30_000))
    except FrameError as exc:
        dropped = (str(exc),)
    assert len(", ".join(dropped)) < 200


@pytest.mark.parametrize(("length", "is_repaired"), [(2**18, True), (2**18 + 1, False)])
def test_a_broken_message_longer_than_any_frame_is_not_repaired(
    length: int, *, is_repaired: bool
) -> None:
    data = b'{"type":"status","bms_array":{"master":{"vbat":nan,"soc":0.5}}}'.ljust(length)
    if is_repaired:
        assert master_in(data)[0] == Master(state_of_charge=0.5)
    else:
        with pytest.raises(MalformedFrame, match=r"^not JSON"):
            decode(data)
