"""Tests of the units that are published when a module sends other addresses in every frame."""

from collections.abc import Iterable
from typing import Any

from recbms_zmq.sensors.admission import UnitAdmission
from recbms_zmq.sensors.normalize import Normalizer
from recbms_zmq.sensors.units import Unit
from recbms_zmq.wire.frames import MAX_UNITS, BmsArray, Slave, Status


def addresses(admission: UnitAdmission, wanted: Iterable[int]) -> list[int]:
    without_values: tuple[Any, ...] = (None, None, 20.0, [], [], [], [], False, False, False)
    units = [Unit(0, address, *without_values) for address in wanted]
    return [unit.address for unit in admission.admitted(units)]


def test_the_units_of_every_pack_are_admitted_at_once() -> None:
    largest = list(range(MAX_UNITS))
    admission = UnitAdmission()
    for _ in range(3):
        assert addresses(admission, largest) == largest


def test_units_that_come_and_go_stay_admitted() -> None:
    largest = list(range(MAX_UNITS))
    admission = UnitAdmission()
    for _ in range(50):
        assert addresses(admission, largest) == largest
        assert addresses(admission, []) == []
        assert addresses(admission, largest[5:]) == largest[5:]


def test_one_new_unit_in_each_frame_is_admitted() -> None:
    admission = UnitAdmission()
    assert [addresses(admission, [n]) for n in range(256)] == [[n] for n in range(256)]


def test_16_new_units_in_each_frame_are_not() -> None:
    admission = UnitAdmission()
    frames = [range(n, n + MAX_UNITS) for n in range(0, 16_000, MAX_UNITS)]
    first, *others = [len(addresses(admission, frame)) for frame in frames]
    assert first == MAX_UNITS
    assert set(others) == {1}


def test_after_all_addresses_are_changed_all_units_are_there_again() -> None:
    admission = UnitAdmission()
    for _ in range(MAX_UNITS):
        addresses(admission, range(MAX_UNITS))
    new = list(range(100, 100 + MAX_UNITS))
    assert addresses(admission, new) == new


def test_units_that_are_left_out_are_remarked() -> None:
    normalizer = Normalizer()
    for first in range(0, 240, MAX_UNITS):
        slaves = {n: Slave(address=first + n, bms_temperature=20.0) for n in range(MAX_UNITS)}
        normalizer.status(Status(bms_array=BmsArray(slaves={**slaves})))
    assert normalizer.description.remarks == (
        "the addresses of the units change with every frame: not all of them are published",
    )
    assert len(normalizer.description.units) < MAX_UNITS
