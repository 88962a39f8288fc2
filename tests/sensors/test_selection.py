"""Patterns of keys: which of them no sensor has."""

import pytest

from recbms_zmq.sensors.selection import mistake
from recbms_zmq.sensors.table import SENSORS
from recbms_zmq.sensors.units import MOST_ADDRESS
from recbms_zmq.wire.frames import MAX_CELLS, MAX_SENSORS

LAST = {"cell": MAX_CELLS, "temperature": MAX_SENSORS}


@pytest.mark.parametrize("row", SENSORS, ids=[row.key for row in SENSORS])
def test_every_key_that_can_come_is_accepted(row: object) -> None:
    key: str = row.key  # type: ignore[attr-defined]
    last = LAST.get(row.group, 1)  # type: ignore[attr-defined]
    for unit, number in ((0, 1), (2, 1), (MOST_ADDRESS, last)):
        assert mistake(key.format(unit=unit, number=number)) == ""
    assert mistake(key.format(unit="*", number="*")) == ""
    if "{unit}" in key:
        assert mistake(key.format(unit=MOST_ADDRESS + 1, number=1)) != ""
    if "{number}" in key:
        assert mistake(key.format(unit=2, number=0)) != ""
        assert mistake(key.format(unit=2, number=last + 1)) != ""
