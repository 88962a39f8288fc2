"""Tests of the remarks: what is odd in a frame, and when a remark is raised and cleared."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.frames import STATUS, status

from recbms_zmq.sensors.normalize import Normalizer
from recbms_zmq.sensors.remarks import Remarks
from recbms_zmq.wire.decode import decode
from recbms_zmq.wire.frames import Status

FRAMES_TO_RAISE, FRAMES_TO_CLEAR, MAX_REMARKS = 3, 10, 16
Change = Callable[[dict[str, Any]], None]


def frame(change: Change = lambda _: None, text: str = STATUS) -> Status:
    """Make the real frame with a change of its `bms_array`."""
    tree = json.loads(text)
    change(tree["bms_array"])
    decoded, _ = decode(json.dumps(tree))
    assert isinstance(decoded, Status)
    return decoded


def in_master(**fields: Any) -> Change:
    return lambda array: array["master"].update(fields)


def in_unit(**fields: Any) -> Change:
    return lambda array: array["slave"]["0"].update(fields)


def with_cell(number: int, voltage: float) -> Change:
    """Change a cell, and the pack voltage with it."""

    def change(array: dict[str, Any]) -> None:
        cells = array["slave"]["0"]["nap"]
        cells[str(number - 1)] = voltage
        array["master"]["vbat"] = sum(cells.values())

    return change


SUM = "the cell voltages add up to something else than the pack voltage"


@pytest.mark.parametrize(
    ("change", "remarks"),
    [
        (lambda _: None, ()),
        (
            in_unit(temp={"0": -127}),
            ("temperature sensor 1 of unit 2 reads -127 °C: is it plugged in?",),
        ),
        (
            in_unit(temp={"0": 20, "1": 85.0}, st_temp=2),
            ("temperature sensor 2 of unit 2 reads 85 °C: is it plugged in?",),
        ),
        (in_unit(temp={"0": 20, "1": 85.0}, st_temp=1), ()),  # an unused slot
        (in_unit(temp={"0": 85.1}), ()),
        (in_unit(temp={"0": -126.9}), ()),
        (in_unit(temp_bms=85), ("the board of unit 2 reads 85 °C: its sensor is broken",)),
        (with_cell(3, 0), ("cell 3 of unit 2 reads 0 V: check its wire",)),
        (with_cell(1, 65.535), ("cell 1 of unit 2 reads 65.535 V: check its wire",)),
        (with_cell(1, 0.001), ()),
        (in_master(vbat=13.2439 * 1.02), ()),
        (in_master(vbat=13.2439 * 1.021), (SUM,)),
        (in_master(vbat=13.2439 * 0.981), ()),
        (in_master(vbat=13.2439 * 0.979), (SUM,)),
        (in_master(vbat=0), (SUM,)),
        (in_master(vbat=None), ()),
        # Cells and sensors that are not in the frame have no sum and no average.
        (in_unit(nap={"0": 3.3, "1": 3.3}), ("not every cell of unit 2 has a voltage",)),
        (in_unit(nap=[3.3, None, 3.3, 3.3]), ("not every cell of unit 2 has a voltage",)),
        (in_unit(nap={}), ("not every cell of unit 2 has a voltage",)),
        (in_unit(nap={}, st_celic=0), ()),
        (in_unit(nap={"0": 3.3, "1": 3.3}, st_celic=None), ()),
        (in_unit(st_temp=2), ("not every temperature sensor of unit 2 has a value",)),
        (in_unit(temp={}), ("not every temperature sensor of unit 2 has a value",)),
        (in_unit(temp={}, st_temp=0), ()),
        (
            in_master(mincell=3.32, maxcell=3.31),
            ("the lowest cell voltage is above the highest one",),
        ),
        (in_master(mincell=3.31, maxcell=3.31), ()),
        (
            in_master(time_remaining="Full in:<br> 65535h 00 min"),
            ("a time remaining of 65535 h means that the BMS does not know it",),
        ),
        (in_master(time_remaining="Full in:<br> 65534h 59 min"), ()),
        (
            lambda array: array["slave"].update({"1": array["slave"]["0"]}),
            ("two units are set to address 2: check the address switches", SUM),
        ),
        (
            lambda array: array["slave"].update(
                {"1": {k: v for k, v in array["slave"]["0"].items() if k != "address"}}
            ),
            ("a unit comes without its address, and is left out: the others have one",),
        ),
        (
            lambda array: array["slave"].update(dict.fromkeys("123", array["slave"]["0"])),
            ("4 units are set to address 2: check the address switches", SUM),
        ),
    ],
)
def test_what_is_odd_in_a_frame_is_remarked(change: Change, remarks: tuple[str, ...]) -> None:
    normalizer = Normalizer()
    normalizer.status(frame(change))
    assert normalizer.remarks_now == remarks


@pytest.mark.parametrize("text", [STATUS, status(units=4, cells=16, vbat=16 * 13.243901)])
def test_a_healthy_pack_has_no_remarks(text: str) -> None:
    normalizer = Normalizer()
    for _ in range(FRAMES_TO_RAISE):
        normalizer.status(frame(text=text))
    assert (normalizer.remarks_now, normalizer.description.remarks) == ((), ())


def test_an_odd_value_is_published_as_it_came() -> None:
    readings = Normalizer().status(frame(in_unit(temp={"0": -127})))
    values = {sensor.key: value for sensor, value in readings.items()}
    assert values["temperature/2/1"] == -127.0


def test_a_remark_is_raised_and_cleared_with_hysteresis() -> None:
    remarks = Remarks()
    remarks.update([])
    nothing = remarks.active
    for _ in range(FRAMES_TO_RAISE - 1):
        remarks.update(["odd"])
        assert remarks.active is nothing
    remarks.update([])  # one good frame: it begins again
    for _ in range(FRAMES_TO_RAISE - 1):
        remarks.update(["odd"])
        assert remarks.active == ()
    remarks.update(["odd"])
    raised = remarks.active
    assert raised == ("odd",)
    for _ in range(FRAMES_TO_CLEAR - 1):
        remarks.update([])
        assert remarks.active is raised
    remarks.update(["odd"])  # one odd frame: it stays
    for _ in range(FRAMES_TO_CLEAR - 1):
        remarks.update([])
        assert remarks.active is raised
    remarks.update([])
    assert remarks.active == ()
    remarks.update(["odd"])
    assert remarks.active == ()


def test_two_units_with_one_address_are_remarked_at_once() -> None:
    normalizer = Normalizer()
    normalizer.status(frame(lambda array: array["slave"].update({"1": array["slave"]["0"]})))
    assert normalizer.description.remarks == (
        "two units are set to address 2: check the address switches",
    )
    assert [unit.address for unit in normalizer.description.units] == [2, 257]


def test_a_unit_is_missing_while_the_bms_counts_it() -> None:
    missing = "a unit is missing that the BMS counts: check its power and its RS-485 cable"

    def remarks(normalizer: Normalizer, units: int, counted: int | None) -> tuple[str, ...]:
        text = status(units=units, vbat=units * 13.243901)
        normalizer.status(frame(in_master(st_naprav=counted), text))
        return normalizer.remarks_now

    normalizer = Normalizer()
    for units, counted, expected in [
        (1, 2, ()),  # a master without cells may be in the count, so this says nothing
        (2, 2, ()),  # one wild frame can have a unit that does not exist
        (2, 2, ()),
        (1, 2, ()),
        (3, 2, ()),
        (2, 2, ()),
        (2, 2, ()),
        (1, 2, (missing,)),
        (1, None, (missing,)),
        (2, 2, ()),
        (3, 2, ()),
        (2, 2, ()),
        (1, 1, ()),  # it has left the pack
        (1, 2, ()),
    ]:
        assert remarks(normalizer, units, counted) == expected
    normalizer = Normalizer()
    assert [remarks(normalizer, units, None) for units in (2, 1)] == [(), ()]


def test_the_number_of_remarks_is_bounded() -> None:
    remarks = Remarks()
    for _ in range(FRAMES_TO_RAISE):
        remarks.update([f"odd {n:03}" for n in range(700)])
    assert remarks.active == (
        *(f"odd {n:03}" for n in range(MAX_REMARKS)),
        f"and {700 - MAX_REMARKS} more remarks",
    )


@given(st.lists(st.sets(st.sampled_from("abc")), max_size=60))
def test_a_remark_needs_odd_frames_to_be_raised_and_fine_ones_to_be_cleared(
    frames: list[set[str]],
) -> None:
    remarks = Remarks()
    for number, found in enumerate(frames, 1):
        before = set(remarks.active)
        remarks.update(found)
        after = set(remarks.active)
        for name in after - before:
            assert all(name in each for each in frames[number - FRAMES_TO_RAISE : number])
            assert number >= FRAMES_TO_RAISE
        for name in before - after:
            assert all(name not in each for each in frames[number - FRAMES_TO_CLEAR : number])
        for name in "abc":
            if number >= FRAMES_TO_RAISE and all(
                name in each for each in frames[number - FRAMES_TO_RAISE : number]
            ):
                assert name in after
