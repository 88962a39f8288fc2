"""The simulator's options, and what it refuses."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbms_zmq.errors import UsageError
from recbms_zmq.simulator import SimulatorOptions, parse_simulator_url
from recbms_zmq.simulator.faults import Fault, parse_faults


@pytest.mark.parametrize("url", ["sim:", "sim:?units=1&cells=4"])
def test_a_url_without_options_has_the_defaults(url: str) -> None:
    assert parse_simulator_url(url) == SimulatorOptions()


def test_a_url_can_set_everything() -> None:
    pack = "units=2&cells=16&rate=10&speed=600&seed=3&firmware=arrays"
    assert parse_simulator_url(f"sim:?{pack}&faults=drop+at+5s,nan+1%25") == SimulatorOptions(
        units=2,
        cells=16,
        rate=10,
        speed=600,
        seed=3,
        firmware="arrays",
        faults=(Fault(name="drop", at=5), Fault(name="nan", chance=0.01)),
    )


def test_faults_in_a_url_may_stand_there_as_on_the_command_line() -> None:
    faults = "drop at 5s, nan 1%, stall every 1m for 2s"
    assert parse_simulator_url(f"sim:?faults={faults}").faults == parse_faults(faults)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sim:house", "expected a simulated BMS like sim: or sim:?units=2&cells=16, got 'sim:hou"),
        ("sim:?", "got 'sim:?'"),
        ("ws://host/ws", "got 'ws://host/ws'"),
        ("sim:?units=17", "sim:?units=: expected units, a whole number from 1 to 16, got '17'"),
        ("sim:?units=", "sim:?units=: expected units, a whole number from 1 to 16, got ''"),
        ("sim:?cells=0", "sim:?cells=: expected cells, a whole number from 1 to 32, got '0'"),
        ("sim:?firmware=2", "sim:?firmware=: expected one of current, arrays, old, new, got '2'"),
        ("sim:?unit=1", "expected OPTION=VALUE with one of units, cells, rate, speed, seed, "),
        ("sim:?faults=dorp+at+1s", "sim:?faults=: no fault is called 'dorp'; did you mean drop?"),
        ("sim:?units", "got 'units'"),
        ("sim:?units=1&&cells=2", "got ''"),
        ("sim:?units=1&units=2", "sim: expected each option once, got units twice"),
    ],
)
def test_a_wrong_url_gets_one_sentence(url: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        parse_simulator_url(url)


@given(st.text() | st.text().map("sim:?{}".format) | st.text().map("sim:?units={}".format))
def test_any_text_is_options_or_a_usage_error(url: str) -> None:
    try:
        options = parse_simulator_url(url)
    except UsageError:
        return
    assert 1 <= options.units <= 16
