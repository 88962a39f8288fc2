"""Patterns of keys: which of them no sensor has."""

import pytest

from recbms_zmq.sensors.selection import mistake
from recbms_zmq.sensors.sensor import Sensor
from recbms_zmq.sensors.table import SENSORS
from recbms_zmq.sensors.units import MOST_ADDRESS
from recbms_zmq.wire.frames import MAX_CELLS, MAX_SENSORS

OF_UNITS = [row for row in SENSORS if "{unit}" in row.key]


@pytest.mark.parametrize("row", OF_UNITS, ids=[row.key for row in OF_UNITS])
def test_the_last_key_that_can_come_is_accepted_and_the_next_one_is_not(row: Sensor) -> None:
    last = {"cell": MAX_CELLS, "temperature": MAX_SENSORS}.get(row.group)
    assert mistake(row.key.format(unit=MOST_ADDRESS, number=last)) == ""
    assert mistake(row.key.format(unit=MOST_ADDRESS + 1, number=1)) != ""
    if last is not None:
        assert mistake(row.key.format(unit=2, number=last + 1)) != ""


@pytest.mark.parametrize(("pattern", "meant"), [("setings/*", "settings/*"), ("socs", "soc")])
def test_what_may_be_meant_is_a_sensor_or_all_of_a_kind(pattern: str, meant: str) -> None:
    assert mistake(pattern) == f"no sensor has '{pattern}'; did you mean {meant}?"
