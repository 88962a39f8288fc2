"""The language of `--faults`."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recbms_zmq.simulator.faults import (
    KINDS,
    MOST_FAULTS,
    Fault,
    FaultSyntaxError,
    parse_faults,
)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("drop at 10s", [Fault(name="drop", at=10)]),
        ("cut every 1m", [Fault(name="cut", every=60)]),
        ("garbage 2%", [Fault(name="garbage", chance=0.02)]),
        ("garbage 0.5% for 500ms", [Fault(name="garbage", chance=0.005, lasts=0.5)]),
        ("stall at 20s for 5s", [Fault(name="stall", at=20, lasts=5)]),
        ("stall at 0s", [Fault(name="stall", at=0, lasts=10)]),
        ("alarm every 2h", [Fault(name="alarm", number=2, every=7200, lasts=10)]),
        ("alarm=42 at 1.5s for 1m", [Fault(name="alarm", number=42, at=1.5, lasts=60)]),
        ("huge=2 100%", [Fault(name="huge", number=2, chance=1)]),
        (
            "  drop  at 1s ,nan 1%,\tempty every 10ms",
            [
                Fault(name="drop", at=1),
                Fault(name="nan", chance=0.01),
                Fault(name="empty", every=0.01),
            ],
        ),
    ],
)
def test_a_fault_is_a_name_a_time_and_how_long(text: str, faults: list[Fault]) -> None:
    assert parse_faults(text) == tuple(faults)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "expected a fault like 'drop at 10s', 'stall every 5m for 20s' or 'garbage 2%'"),
        ("drop", "got 'drop'"),
        ("drop at", "got 'drop at'"),
        ("drop at 1s,", "got ''"),
        ("drop at 1", "expected a time like 500ms, 10s, 5m or 2h, at most 1000h, got '1'"),
        ("drop at -1s", "got '-1s'"),
        ("drop at 1001h", "got '1001h'"),
        ("drop at ٣s", "got '٣s'"),
        ("nan every 9ms", "expected a period of 10ms or more, got 'nan every 9ms'"),
        ("nan 0%", "expected more than 0% and at most 100%, got '0%'"),
        ("nan 101%", "got '101%'"),
        ("nan %", "got '%'"),
        ("dorp at 1s", "no fault is called 'dorp'; did you mean drop?"),
        ("xyzzy 1%", "no fault is called 'xyzzy'; expected one of drop, cut, refuse, close, "),
        ("drop=3 at 1s", "drop takes no number, got 'drop=3'"),
        ("alarm=0 at 1s", "expected alarm=N with N from 1 to 255, got 'alarm=0'"),
        ("alarm=² at 1s", "got 'alarm=²'"),
        ("huge=65 at 1s", "expected huge=N with N from 1 to 64, got 'huge=65'"),
        ("drop at 1s for 2s", "drop happens at once and takes no 'for'"),
        ("drop at 1s now", "expected nothing at the end of drop, got 'now'"),
        ("stall at 1s for", "expected 'for TIME' or nothing at the end of stall, got 'for'"),
        ("nan 1%," * 20 + "nan 1%", f"expected at most {MOST_FAULTS} faults, got 21"),
    ],
)
def test_what_is_no_fault_gets_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(FaultSyntaxError, match=re.escape(sentence)):
        parse_faults(text)


SECONDS = st.integers(10, 3_600_000_000).map(lambda ms: ms / 1000)


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    name = draw(st.sampled_from(list(KINDS)))
    kind = KINDS[name]
    when = draw(st.sampled_from(["at", "every", "chance"]))
    chance = st.integers(1, 10_000).map(lambda n: n / 100 / 100)
    number = kind.number and draw(st.integers(kind.number.least, kind.number.most))
    lasts = draw(SECONDS) if kind.lasts else kind.lasts or 0.0
    return Fault(
        name=name,
        number=number,
        lasts=lasts,
        **{when: draw(chance if when == "chance" else SECONDS)},
    )


@given(st.lists(faults(), min_size=1, max_size=MOST_FAULTS))
def test_a_list_of_faults_is_read_as_it_is_written(wanted: list[Fault]) -> None:
    read = parse_faults(", ".join(map(str, wanted)))
    assert [fault.name for fault in read] == [fault.name for fault in wanted]
    for fault, original in zip(read, wanted, strict=True):
        assert fault.number == original.number
        for field in ("at", "every", "chance", "lasts"):
            expected = getattr(original, field)
            assert getattr(fault, field) == (expected and pytest.approx(expected))


WORDS = st.sampled_from(
    [*KINDS, "at", "every", "for", "1s", "5%", "alarm=3", ",", "=", "%", "1e9s"]
)


@given(st.text() | st.lists(WORDS, max_size=12).map(" ".join))
@example("nan 1% for 5s for 5s")
@example("drop at 99999999999999999999h")
def test_any_text_is_faults_or_a_sentence(text: str) -> None:
    try:
        found = parse_faults(text)
    except FaultSyntaxError as exc:
        sentence = str(exc)
        assert "\n" not in sentence
        assert len(sentence) < 400
        return
    assert 1 <= len(found) <= MOST_FAULTS
    for fault in found:
        assert sum(x is not None for x in (fault.at, fault.every, fault.chance)) == 1
        assert 0 <= fault.lasts <= 3_600_000
