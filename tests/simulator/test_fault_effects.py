"""What a fault does to a frame."""

import contextlib
import json
import re
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbms_zmq.errors import FrameError, MalformedFrame, UnknownFrameType
from recbms_zmq.simulator.fault_effects import WebsocketMessage, damaged
from recbms_zmq.simulator.faults import KINDS
from recbms_zmq.simulator.random_numbers import uniform
from recbms_zmq.wire.decode import decode

REAL = Path(__file__).parents[1].joinpath("frames", "status.json").read_bytes().strip()


def damage(name: str, seed: int, data: bytes = REAL, number: int | None = None) -> WebsocketMessage:
    numbers = count()
    return damaged(name, WebsocketMessage(data), lambda: uniform(seed, next(numbers)), number)


def leaves(value: Any, path: str = "") -> dict[str, str]:
    """The type of every value, by its path."""
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return {path: type(value).__name__}
    found = {path: type(value).__name__}
    for key, item in items:
        found |= leaves(item, f"{path}.{key}")
    return found


REAL_LEAVES = leaves(json.loads(REAL))


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("half-frame", MalformedFrame),
        ("garbage", MalformedFrame),
        ("unknown-type", UnknownFrameType),
        ("bad-utf8", UnicodeDecodeError),
    ],
)
def test_it_is_no_frame_any_more(name: str, error: type[Exception]) -> None:
    for seed in range(20):
        data = damage(name, seed).data
        with pytest.raises(error):
            decode(data.decode("utf-8"))  # all but one are texts all the same


def test_half_of_a_frame_is_its_first_half() -> None:
    assert damage("half-frame", 0) == (REAL[: len(REAL) // 2], False)


def test_a_binary_message_holds_the_same_frame() -> None:
    assert damage("binary", 0) == (REAL, True)


@pytest.mark.parametrize("size", [1, 5])
def test_a_huge_frame_is_a_good_one_but_for_its_size(size: int) -> None:
    data = damage("huge", 0, number=size).data
    assert len(data) == pytest.approx(size * 2**20, rel=0.01)
    assert decode(data) == decode(REAL)


def test_a_number_is_none() -> None:
    token = re.compile(rb"(?<=:)(NaN|nan|-nan|Infinity|-inf|1e999)(?=[,}])")
    found = set()
    for seed in range(100):
        data = damage("nan", seed).data
        (broken,) = token.findall(data)
        found.add(broken)
        # It stands in the place of one number, and nothing else has changed.
        before, after = data.split(broken)
        assert REAL.startswith(before)
        assert REAL.endswith(after)
        float(REAL[len(before) : len(REAL) - len(after)])
    assert len(found) == 6


def test_one_value_is_nested_deep() -> None:
    data = damage("deep", 0).data
    assert data.count(b"[") == data.count(b"]") == 100_000
    with pytest.raises(RecursionError):
        json.loads(data)


def test_some_values_have_another_type_and_no_key_is_gone_from_the_top() -> None:
    changed = 0
    for seed in range(50):
        found = leaves(json.loads(damage("wrong-types", seed).data))
        assert found[".type"] == "str"
        changed += found != REAL_LEAVES
    assert changed > 30  # 2.5 in the place of a number is none


def test_what_is_put_into_one_place_is_not_changed_with_another() -> None:
    """A value that is drawn twice was one object, and could in the end hold itself."""
    frame = b'{"type":"status","bms_array":{"master":{"a":1,"b":2}}}'
    first = [damage("wrong-types", seed, frame) for seed in range(2000)]
    assert [damage("wrong-types", seed, frame) for seed in range(2000)] == first


def test_some_keys_are_missing() -> None:
    for seed in range(50):
        found = leaves(json.loads(damage("missing-keys", seed).data))
        assert found.items() < REAL_LEAVES.items()


def test_unknown_keys_cost_nothing() -> None:
    in_a_bound_object = 0
    for seed in range(50):
        data = damage("unknown-keys", seed).data
        assert leaves(json.loads(data)).items() > REAL_LEAVES.items()
        frame, dropped = decode(data)
        in_a_bound_object += bool(dropped)  # among the cells, where keys are numbers
        assert frame == decode(REAL).frame
    assert in_a_bound_object < 50


@given(
    names=st.lists(st.sampled_from(sorted(KINDS.keys() - {"huge"})), max_size=5),
    data=st.just(REAL) | st.binary(max_size=50),
    seed=st.integers(0, 2**32),
)
def test_faults_come_together_without_harm_and_are_the_same_again(
    names: list[str], data: bytes, seed: int
) -> None:
    results = []
    for _ in range(2):
        message = WebsocketMessage(data)
        numbers = count()
        for name in names:
            message = damaged(name, message, lambda: uniform(seed, next(numbers)))  # noqa: B023 used at once
        results.append(message)
    assert results[0] == results[1]
    with contextlib.suppress(FrameError):
        decode(results[0].data)
