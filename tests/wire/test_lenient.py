"""Tests of `salvage`, on structs that have nothing to do with BMS."""

from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta, Struct, field

from recbms_zmq.wire.lenient import salvage


class Inner(Struct):
    number: int | None = field(default=None, name="n")


class Outer(Struct):
    text: str | None = None
    inner: Inner | None = None
    plain: Inner = field(default_factory=Inner)
    by_index: (
        dict[Annotated[int, Meta(ge=0, lt=3)], Inner | None]
        | Annotated[list[Inner | None], Meta(max_length=3)]
        | None
    ) = None
    any_length: list[int | None] | None = None


def salvaged(raw: dict[Any, Any]) -> tuple[Outer, list[str]]:
    dropped: list[str] = []
    return salvage(Outer, raw, dropped), dropped


def test_good_members_are_kept_as_they_are() -> None:
    raw = {"text": "a", "inner": {"n": 1}, "by_index": {"2": {"n": 2}, "0": None}}
    assert salvaged(raw) == (
        Outer(text="a", inner=Inner(1), by_index={2: Inner(2), 0: None}),
        [],
    )


def test_bad_members_are_left_at_their_defaults_and_named() -> None:
    assert salvaged({"text": 5, "inner": 6, "plain": None, "any_length": "7"}) == (
        Outer(),
        ["$.text", "$.inner", "$.plain", "$.any_length"],
    )


def test_a_bad_member_inside_costs_no_other_one() -> None:
    assert salvaged({"text": "a", "inner": {"n": "x"}, "plain": {"n": []}}) == (
        Outer(text="a", inner=Inner(), plain=Inner()),
        ["$.inner.n", "$.plain.n"],
    )


@pytest.mark.parametrize("key", ["3", "-1", "x", ""])
def test_a_bad_key_costs_its_item_and_is_not_quoted(key: str) -> None:
    assert salvaged({"by_index": {key: {"n": 1}, "1": {"n": 2}, "2": 5}}) == (
        Outer(by_index={1: Inner(2)}),
        ["$.by_index[key]", "$.by_index.2"],
    )


def test_a_bad_item_of_a_list_leaves_a_gap() -> None:
    assert salvaged({"by_index": [{"n": "x"}, 5, {"n": 3}], "any_length": [1, "x", 3]}) == (
        Outer(by_index=[Inner(), None, Inner(3)], any_length=[1, None, 3]),
        ["$.by_index[0].n", "$.by_index[1]", "$.any_length[1]"],
    )


def test_a_list_that_is_too_long_is_left_out() -> None:
    assert salvaged({"by_index": [None] * 4}) == (Outer(), ["$.by_index"])


def test_a_field_has_the_name_it_has_in_the_json() -> None:
    class Renamed(Struct):
        ours: int = field(default=7, name="theirs")

    dropped: list[str] = []
    assert salvage(Renamed, {"theirs": 8, "ours": 9}, dropped) == Renamed(ours=8)
    assert salvage(Renamed, {"theirs": "x"}, dropped, "$.at") == Renamed(ours=7)
    assert dropped == ["$.at.theirs"]


def test_what_strict_decoding_accepts_is_salvaged_unchanged() -> None:
    raw = b'{"text":"a","inner":{"n":1},"by_index":[{"n":1},null],"any_length":[1,null]}'
    assert salvaged(msgspec.json.decode(raw)) == (msgspec.json.decode(raw, type=Outer), [])
