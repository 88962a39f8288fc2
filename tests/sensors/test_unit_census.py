"""Whether a frame has all units of the pack, from the first frame of a run on."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.frames import STATUS, status

from recbms_zmq.sensors.normalize import Normalizer
from recbms_zmq.sensors.unit_census import FRAMES_TO_COUNT
from recbms_zmq.wire.decode import decode
from recbms_zmq.wire.frames import Status

UNIT: Final[float] = sum(json.loads(STATUS)["bms_array"]["slave"]["0"]["nap"].values())
"""V of one unit."""
OF_ALL_UNITS: Final = ("cells", "cell_voltage_average", "cell_min", "temperature_min")
MISSING: Final = "a unit is missing that the BMS counts: check its power and its RS-485 cable"


def frame(units: int, stated: Any, voltage: float | None) -> Status:
    tree = json.loads(status(units=units))
    tree["bms_array"]["master"] |= {"st_naprav": stated, "vbat": voltage}
    found, _ = decode(json.dumps(tree))
    assert isinstance(found, Status)
    return found


def is_whole(normalizer: Normalizer, units: int, stated: Any, voltage: float | None) -> bool:
    """Return whether what is made of all units has values; never some of it."""
    readings = {
        sensor.key: value
        for sensor, value in normalizer.status(frame(units, stated, voltage)).items()
    }
    known = {readings.get(key) is not None for key in OF_ALL_UNITS}
    assert len(known) == 1
    return known.pop()


def wholes(frames: list[tuple[int, Any, float | None]]) -> list[bool]:
    normalizer = Normalizer()
    return [is_whole(normalizer, *each) for each in frames]


def test_without_a_unit_from_the_first_frame_on_the_whole_is_unknown_until_it_comes() -> None:
    normalizer = Normalizer()
    for _ in range(2 * FRAMES_TO_COUNT):
        assert not is_whole(normalizer, 1, 2, 2 * UNIT)
    assert normalizer.description.remarks == (MISSING,)
    assert is_whole(normalizer, 2, 2, 2 * UNIT)
    assert not is_whole(normalizer, 1, 2, 2 * UNIT)


def test_a_master_without_cells_in_the_count_is_not_missing() -> None:
    normalizer = Normalizer()
    for _ in range(2 * FRAMES_TO_COUNT):
        assert is_whole(normalizer, 15, 16, 15 * UNIT)
    assert is_whole(normalizer, 15, 16, None)
    assert normalizer.description.remarks == ()


def test_without_the_voltage_of_the_pack_three_frames_decide() -> None:
    lacking, whole = (1, 2, None), (2, 2, None)
    assert wholes([lacking] * 4) == [False, False, True, True]
    # The frames before have lacked one, or this one has one that does not exist.
    assert wholes([*[lacking] * 3, whole, *[lacking] * 4])[3:] == [True, False, False, True, True]
    assert wholes([lacking, whole] * 4) == [False, True] * 4
    assert wholes([*[whole] * 3, *[lacking] * 4]) == [True] * 3 + [False] * 4


@pytest.mark.parametrize("stated", [None, 0, 1, -1, 17, 65535, 2**31, "x", 1.5])
def test_a_count_that_cannot_be_makes_no_unit_missing(stated: Any) -> None:
    assert wholes([(1, stated, None), (1, stated, 2 * UNIT)]) == [True, True]


@given(st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, max_size=12), st.sampled_from([0, 1]))
def test_with_the_voltage_of_the_pack_it_is_known_of_every_frame(
    units: list[int], masters: int
) -> None:
    assert wholes([(each, 4 + masters, 4 * UNIT) for each in units]) == [
        each == 4 for each in units
    ]
