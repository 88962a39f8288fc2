import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.frames import SETTINGS, STATUS

from recbms_zmq.check.firmware import KeyDifferences, compare
from recbms_zmq.wire.frames import Settings, Status


def status() -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(STATUS)
    return frame


def test_the_real_frames_have_the_keys_that_are_known() -> None:
    assert compare(json.loads(STATUS), Status) == KeyDifferences((), ())
    assert compare(json.loads(SETTINGS), Settings) == KeyDifferences((), ("mcu_time", "re1l"))


def test_the_answer_of_older_firmware_has_them_too() -> None:
    frame = status()
    del frame["type"]
    assert compare(frame, Status) == KeyDifferences((), ())


@pytest.mark.parametrize("as_list", [False, True])
def test_units_are_compared_as_objects_and_in_lists(as_list: bool) -> None:
    frame = status()
    unit = frame["bms_array"]["slave"]["0"]
    del unit["bal"]
    unit["new"] = {"secret": "value"}
    if as_list:
        frame["bms_array"]["slave"] = [unit, None, unit]
    else:
        frame["bms_array"]["slave"]["1"] = unit
    assert compare(frame, Status) == KeyDifferences(
        ("bms_array.slave.new",), ("bms_array.slave.bal",)
    )


def test_objects_within_are_compared() -> None:
    frame = status()
    frame["bms_array"]["master"]["erro"] = {"present": 1, "level": 2}
    assert compare(frame, Status) == KeyDifferences(
        ("bms_array.master.erro.level",),
        tuple(f"bms_array.master.erro.{key}" for key in ("addr", "con_st", "st")),
    )


def test_foreign_keys_are_made_fit_for_a_terminal() -> None:
    found = compare({"bms_array": {}, "a\x1b[2J\nä": 1, "b" * 500: 2}, Status)
    assert found.unknown == ("a?[2J??", "b" * 37 + "...")


KEYS = st.text() | st.sampled_from(["bms_array", "master", "slave", "0", "erro", "temp"])
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
)


@given(JSON)
def test_any_json_can_be_compared(raw: Any) -> None:
    for struct in (Status, Settings):
        found = compare(raw, struct)
        assert all(path.isascii() and path.isprintable() for path in found.unknown)
