"""A bad field costs itself and no other one: the frame is read as if the field were missing.

What hypothesis changes here are the two real frames, and frames of many units made of them.
"""

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.frames import status
from support.mutations import SETTINGS, STATUS, Token, dump, places

from recbms_zmq.sensors.normalize import Normalizer
from recbms_zmq.wire.decode import decode
from recbms_zmq.wire.frames import Settings

LARGE = json.loads(status(units=3, cells=6))
FRAMES = st.sampled_from([STATUS, SETTINGS, LARGE]).map(copy.deepcopy)

# No number and no flag is one of these.
WRONG = (
    st.sampled_from([[], [[]], [{}], {}, {"x": {"y": [1]}}, {"0": 1}, "", "x", "1", 10**400])
    | st.text(max_size=5).map(lambda text: [text])
    | st.integers(1, 100).map(lambda depth: Token("[" * depth + "]" * depth))
)
# And these are no struct, and no list of anything.
NO_MEMBERS = st.sampled_from(["", "x", 5, 1.5, True, 10**400])
# These are no JSON; they are read as a null.
NO_NUMBERS = st.sampled_from(["NaN", "nan", "-nan", "inf", "-Infinity", "1e999", "-1E+400"])


def readings(tree: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the readings of a frame, and the paths that were left out of it."""
    frame, dropped = decode(dump(tree))
    normalizer = Normalizer()
    found = normalizer.settings(frame) if isinstance(frame, Settings) else normalizer.status(frame)
    return {sensor.key: value for sensor, value in found.items()}, dropped


def fields(tree: Any) -> list[tuple[Any, Any]]:
    """Return the places of a frame that hold numbers, flags, structs and lists of them."""
    return [
        (container, key)
        for container, key in places(tree)
        if key not in ("type", "bms_array") and not isinstance(container[key], str)
    ]


@given(FRAMES, st.data())
def test_a_field_of_the_wrong_type_is_like_a_missing_one(tree: Any, data: st.DataObject) -> None:
    container, key = data.draw(st.sampled_from(fields(tree)))
    wrong = data.draw(NO_MEMBERS if isinstance(container[key], dict) else WRONG)
    del container[key]
    without, _ = readings(tree)
    container[key] = wrong
    assert readings(tree)[0] == without
    assert len(readings(tree)[1]) == 1


@given(FRAMES, NO_NUMBERS, st.data())
def test_a_number_that_json_does_not_have_is_like_null(
    tree: Any, token: str, data: st.DataObject
) -> None:
    numbers = [place for place in fields(tree) if not isinstance(place[0][place[1]], dict)]
    container, key = data.draw(st.sampled_from(numbers))
    container[key] = None
    without, _ = readings(tree)
    container[key] = Token(token)
    assert readings(tree) == (without, ("$ (not valid JSON)",))


@given(st.data())
def test_a_bad_item_is_a_gap_in_an_array_and_in_an_object(data: st.DataObject) -> None:
    as_object = copy.deepcopy(LARGE)
    unit = as_object["bms_array"]["slave"]["1"]
    name = data.draw(st.sampled_from(["res", "nap", "bal"]))
    place = data.draw(st.integers(0, 4))  # behind the last one there is no gap
    as_array = copy.deepcopy(as_object)
    unit[name][str(place)] = "x"
    items = list(as_array["bms_array"]["slave"]["1"][name].values())
    items[place] = {}
    as_array["bms_array"]["slave"]["1"][name] = items
    assert readings(as_array)[0] == readings(as_object)[0]
    assert (
        f"cell_{ {'res': 'resistance', 'nap': 'voltage', 'bal': 'balancing'}[name] }/3/6"
        in (readings(as_object)[0])
    )


@given(FRAMES, st.data())
def test_unknown_members_change_nothing(tree: Any, data: st.DataObject) -> None:
    expected, _ = readings(tree)
    structs = [
        container[key]
        for container, key in [({"": tree}, ""), *places(tree)]
        if isinstance(container[key], dict)
        and key not in ("slave", "temp", "res", "nap", "bal")
        and not (key in ("0", "1", "2") and "address" not in container[key])
    ]
    unknown = st.text(min_size=1, max_size=5).map(lambda text: f"unknown {text}")
    for _ in range(data.draw(st.integers(1, 3))):
        struct = data.draw(st.sampled_from(structs))
        struct[data.draw(unknown)] = data.draw(WRONG)
    assert readings(tree)[0] == expected
