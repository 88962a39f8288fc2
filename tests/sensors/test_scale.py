"""Tests of ratio or percent: a state of charge of 64 % is never shown as 6400 %."""

from typing import Any

import pytest

from recbms_zmq.sensors.normalize import Normalizer
from recbms_zmq.wire.frames import BmsArray, Master, Settings, Status

Frame = tuple[float | None, float | None]
"""State of charge and health as a module sends them."""


def soc_and_soh(normalizer: Normalizer, frame: Frame) -> tuple[Any, Any]:
    master = Master(voltage=13.0, state_of_charge=frame[0], state_of_health=frame[1])
    found = dict(normalizer.status(Status(bms_array=BmsArray(master=master))).items())
    values = {sensor.key: value for sensor, value in found.items()}
    return values.get("soc"), values.get("soh")


@pytest.mark.parametrize(
    ("frames", "shown"),
    [
        # The state of health decides, from the first frame on.
        ([(0.64, 0.985)], [(64.0, 98.5)]),
        ([(64.0, 98.5)], [(64.0, 98.5)]),
        ([(1.0, 98.5)], [(1.0, 98.5)]),
        ([(0.4, 98.5)], [(0.4, 98.5)]),
        ([(1.0, 1.0)], [(100.0, 100.0)]),
        ([(0.0, 100.0)], [(0.0, 100.0)]),
        ([(1.02, 1.04)], [(102.0, 104.0)]),
        ([(64.0, 0.985)], [(6400.0, 98.5)]),  # as it came: no state of charge decides alone
        # It stays decided while there is none, and whatever one frame has.
        ([(64.0, 98.5), (1.2, None), (0.9, None)], [(64.0, 98.5), (1.2, None), (0.9, None)]),
        ([(64.0, 98.5), (64.0, 0.985), (64.0, 98.5)], [(64.0, 98.5), (64.0, 1.0), (64.0, 98.5)]),
        (
            [(0.64, 0.985), (0.64, 98.5), (0.64, 0.985)],
            [(64.0, 98.5), (64.0, 9850.0), (64.0, 98.5)],
        ),
        # Three frames in a row change it: the firmware is another one.
        ([(0.6, 0.9), *[(60.0, 90.0)] * 3], [(60.0, 90.0), *[(6000.0, 9000.0)] * 2, (60.0, 90.0)]),
        ([(60.0, 90.0), *[(0.6, 0.9)] * 3], [(60.0, 90.0), *[(0.6, 0.9)] * 2, (60.0, 90.0)]),
        (
            [(0.6, 0.9), (60.0, 90.0), (60.0, 90.0), (0.6, 0.9), (60.0, 90.0), (60.0, 90.0)],
            [(60.0, 90.0), *[(6000.0, 9000.0)] * 2, (60.0, 90.0), *[(6000.0, 9000.0)] * 2],
        ),
        # Without a state of health: above 1.5 twice in a row means percent.
        ([(64.0, None), (64.0, None)], [(None, None), (64.0, None)]),
        ([(0.64, None), (64.0, None), (0.64, None)], [(64.0, None), (None, None), (64.0, None)]),
        ([(1.5, None), (1.5, None)], [(150.0, None), (150.0, None)]),
        ([(64.0, None), (64.0, None), (0.5, None)], [(None, None), (64.0, None), (0.5, None)]),
        # What is no state of health decides nothing.
        ([(0.64, 0.0)], [(64.0, 0.0)]),
        ([(64.0, -1.0)], [(None, -100.0)]),
        ([(0.64, 5.0)], [(64.0, None)]),
        ([(0.64, 1.5)], [(64.0, 150.0)]),
        ([(0.64, 1.51)], [(64.0, None)]),
        ([(0.64, 14.9)], [(64.0, None)]),
        ([(64.0, 15.0)], [(64.0, 15.0)]),
        ([(64.0, 150.0)], [(64.0, 150.0)]),
        ([(64.0, 151.0)], [(None, None)]),
        ([(1.51, None)], [(None, None)]),
        ([(0.64, 1e6), (0.64, 0.9)], [(64.0, None), (64.0, 90.0)]),
    ],
)
def test_the_scale_is_decided_once_and_not_by_one_value(
    frames: list[Frame], shown: list[tuple[Any, Any]]
) -> None:
    normalizer = Normalizer()
    assert [soc_and_soh(normalizer, frame) for frame in frames] == shown


@pytest.mark.parametrize(
    ("first", "second"), [((64.0, 98.5), (0.3, 0.9)), ((0.64, 1.0), (30.0, 90.0))]
)
def test_a_new_connection_decides_the_scale_again(first: Frame, second: Frame) -> None:
    normalizer = Normalizer()
    assert soc_and_soh(normalizer, first)[0] == 64.0
    normalizer.on_connected()
    assert soc_and_soh(normalizer, (None, None)) == (None, None)  # decides nothing
    assert [soc_and_soh(normalizer, second) for _ in range(4)] == [(30.0, 90.0)] * 4


def test_a_new_connection_to_the_same_module_changes_nothing() -> None:
    normalizer = Normalizer()
    soc_and_soh(normalizer, (64.0, 98.5))
    normalizer.on_connected()
    assert soc_and_soh(normalizer, (1.2, None)) == (1.2, None)
    assert soc_and_soh(normalizer, (64.0, 98.5)) == (64.0, 98.5)
    assert soc_and_soh(normalizer, (64.0, 0.985)) == (64.0, 1.0)  # one wild value


def test_a_module_that_sends_percent_has_a_remark() -> None:
    normalizer = Normalizer()
    soc_and_soh(normalizer, (0.5, 0.9))
    assert normalizer.description.remarks == ()
    normalizer = Normalizer()
    soc_and_soh(normalizer, (50.0, 90.0))
    assert normalizer.description.remarks == (
        "the module sends the state of charge in percent instead of a ratio",
    )


def test_the_remaining_capacity_is_right_in_both_scales() -> None:
    for frame in ((0.5, 0.9), (50.0, 90.0)):
        normalizer = Normalizer()
        normalizer.settings(Settings(capacity=320.0))
        master = Master(state_of_charge=frame[0], state_of_health=frame[1])
        readings = normalizer.status(Status(bms_array=BmsArray(master=master)))
        values = {sensor.key: value for sensor, value in readings.items()}
        assert values["capacity_remaining"] == 160.0


@pytest.mark.parametrize(
    ("reset", "hysteresis", "shown"),
    [
        (0.28, 0.05, (28.0, 5.0)),
        (28.0, 5.0, (28.0, 5.0)),
        (1.0, 5.0, (1.0, 5.0)),
        (None, 0.05, (None, 5.0)),
        (28.0, None, (28.0, None)),
    ],
)
def test_the_settings_have_their_own_scale(
    reset: float | None, hysteresis: float | None, shown: tuple[Any, Any]
) -> None:
    frame = Settings(soc_manual_reset=reset, soc_hysteresis=hysteresis)
    values = {sensor.key: value for sensor, value in Normalizer().settings(frame).items()}
    assert (values.get("settings/soc_manual_reset"), values.get("settings/soc_hysteresis")) == shown
