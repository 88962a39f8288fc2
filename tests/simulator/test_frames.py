"""The simulated BMS's frames, held against the two real ones."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recbms_zmq.simulator import SimulatedBms, SimulatorOptions
from recbms_zmq.simulator.frames import FIRMWARE, time_remaining
from recbms_zmq.wire.decode import decode
from recbms_zmq.wire.frames import Settings, Status

FRAMES = Path(__file__).parents[1] / "frames"
REAL_STATUS = FRAMES.joinpath("status.json").read_text()
REAL_SETTINGS = FRAMES.joinpath("settings.json").read_text()


def shape(value: Any) -> Any:
    """Keys in their order, and the kind of each value."""
    if isinstance(value, dict):
        return [(key, shape(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [shape(item) for item in value]
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, int | float) else type(value).__name__


def numbers(text: str | bytes) -> list[str]:
    """All number tokens of a JSON text, as they are written."""
    found: list[str] = []

    def keep(token: str) -> float:
        found.append(token)
        return 0.0

    json.loads(text, parse_float=keep, parse_int=keep)
    return found


def significant_digits(token: str) -> int:
    return len(re.sub(r"[eE].*", "", token).replace(".", "").lstrip("-0").rstrip("0"))


def test_a_status_frame_has_the_keys_of_the_real_one_in_its_order() -> None:
    simulated = json.loads(SimulatedBms().status(0))
    assert shape(simulated) == shape(json.loads(REAL_STATUS))


def test_a_settings_frame_has_the_keys_of_the_real_one_in_its_order() -> None:
    simulated = json.loads(SimulatedBms().settings(0))
    assert shape(simulated) == shape(json.loads(REAL_SETTINGS))


def test_settings_are_those_of_the_real_unit_but_for_what_is_measured_and_the_serial() -> None:
    measured = {"socs", "re1v", "op2v", "nnc", "vnc", "toor", "Ah", "cur", "bms_name"}
    simulated = json.loads(SimulatedBms().settings(0))
    real = json.loads(REAL_SETTINGS)
    assert {k: v for k, v in simulated.items() if k not in measured} == {
        k: v for k, v in real.items() if k not in measured
    }
    assert simulated["bms_name"] == "1A-0000"


@pytest.mark.parametrize("elapsed", [0, 3, 40, 5000])
def test_numbers_are_printed_with_the_digits_of_the_real_frames(elapsed: float) -> None:
    bms = SimulatedBms(SimulatorOptions(units=2, cells=16))
    status, settings_ = numbers(bms.status(elapsed)), numbers(bms.settings(elapsed))
    assert max(map(significant_digits, status)) == 7
    tasks = {"1979711486", "380239933"}  # integers keep all their digits
    assert max(significant_digits(token) for token in settings_ if token not in tasks) == 6
    # Whole numbers are integer tokens, as 55 and 320 are in the real frame.
    assert not [token for token in status + settings_ if token.endswith(".0")]


def test_arrays_firmware_sends_lists_where_the_real_frame_has_numbered_objects() -> None:
    array = json.loads(SimulatedBms(SimulatorOptions(firmware="arrays")).status(0))["bms_array"]
    unit = array["slave"][0]
    assert {key: len(value) for key, value in unit.items() if isinstance(value, list)} == {
        "temp": 1,
        "res": 4,
        "nap": 4,
        "bal": 4,
    }


def test_old_firmware_knows_neither_balancing_nor_addresses() -> None:
    old = json.loads(SimulatedBms(SimulatorOptions(firmware="old")).status(0))
    real = json.loads(REAL_STATUS)
    del real["bms_array"]["slave"]["0"]["bal"], real["bms_array"]["slave"]["0"]["address"]
    assert shape(old) == shape(real)


def test_new_firmware_sends_its_time_and_the_level_of_relay_1() -> None:
    bms = SimulatedBms(SimulatorOptions(firmware="new"))
    settings = json.loads(bms.settings(30))
    assert set(settings) - set(json.loads(REAL_SETTINGS)) == {"mcu_time", "re1l"}
    assert settings["mcu_time"] == "09:30:30"
    assert json.loads(bms.status(60))["bms_array"]["master"]["time"] == "09:31:00"


def test_one_seed_gives_one_pack_whatever_was_asked_before() -> None:
    options = SimulatorOptions(seed=7, cells=8)
    often, seldom = SimulatedBms(options), SimulatedBms(options)
    for second in range(500):
        often.status(second / 10)
        often.settings(second / 10)
    assert often.status(50) == seldom.status(50)
    assert often.settings(50) == seldom.settings(50)


@pytest.mark.parametrize(
    ("current", "soc", "text"),
    [
        (7.38, 0.285054, "Full in:<br> 31h 00 min"),  # the real frame's text
        (-10.0, 0.265, "Empty in:<br> 8 h 28 min"),
        (320.0, 0.91, "Full in:<br> 0 h 05 min"),
        (2.0, 0.342, "Full in:<br> 105h 16 min"),
        (0.0, 0.5, ""),
        (-0.05, 0.5, ""),
    ],
)
def test_time_remaining_is_written_as_rec_does(current: float, soc: float, text: str) -> None:
    assert time_remaining(current, soc, 320) == text


def test_an_alarm_is_in_both_frames_and_its_unit_stays_when_it_has_cleared() -> None:
    bms = SimulatedBms(SimulatorOptions(speed=60), soc=0.01)
    master = json.loads(bms.status(1))["bms_array"]["master"]
    assert {**master["erro"], "con_st": None} == {
        "present": 1,
        "addr": 2,
        "st": 2,
        "con_st": None,
    }
    assert master["erro"]["con_st"] in {1, 2, 3, 4}
    assert master["error"] == "Cell voltage too low<br> (simulated)"
    assert json.loads(bms.settings(1))["err"] == {"p": 1, "num": 2}
    later = json.loads(bms.status(7200))["bms_array"]["master"]  # after five days of sun
    assert later["erro"] == {"present": 0, "addr": 2, "st": 0, "con_st": 0}
    assert later["error"] == ""


@settings(max_examples=25)
@pytest.mark.slow
@given(
    options=st.builds(
        SimulatorOptions,
        units=st.integers(1, 3),
        cells=st.integers(1, 16),
        speed=st.floats(0.01, 100_000),
        seed=st.integers(0, 2**32 - 1),
        firmware=st.sampled_from(FIRMWARE),
    ),
    moments=st.lists(st.floats(0, 1e6), min_size=1, max_size=2),
)
def test_whatever_is_simulated_the_frames_are_good_and_plausible(
    options: SimulatorOptions, moments: list[float]
) -> None:
    bms = SimulatedBms(options)
    for elapsed in moments:
        frame, dropped = decode(bms.status(elapsed))
        assert dropped == ()
        assert isinstance(frame, Status)
        master = json.loads(bms.status(elapsed))["bms_array"]["master"]
        assert 2.4 < master["mincell"] <= master["maxcell"] < 3.75
        assert -170 < master["ibat"] < 170
        assert 0 <= master["soc"] <= 1
        assert 0 < master["tmax"] < 50
        settings, dropped = decode(bms.settings(elapsed))
        assert dropped == ()
        assert isinstance(settings, Settings)
        assert msgspec.json.decode(bms.settings(elapsed))["type"] == "settings"
