"""Tests of the units of a frame: what is kept of the frame before is what a fresh look finds."""

import itertools
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from recbms_zmq.sensors.units import UnitReader
from recbms_zmq.wire.frames import Slave

UNIT: Final = Slave(
    address=2,
    temperature_count=1,
    bms_temperature=20.0,
    cell_count=2,
    temperatures={0: 20.0},
    cell_resistances={0: 0.002, 1: 0.003},
    cell_voltages={0: 3.3, 1: 3.4},
    cell_balancing={0: False, 1: True},
)
VALUES: Final[dict[str, list[Any]]] = {
    "address": [3, None],
    "temperature_count": [2, 0, -1, 99, None],
    "bms_temperature": [21.0, None],
    "cell_count": [1, 3, 0, 99, None],
    "temperatures": [{0: 21.0}, {0: None}, {1: 20.0}, [20.0, 3.3], None],
    "cell_resistances": [{0: 0.001, 1: 0.003}, {1: 0.003, 0: 0.002}, [0.002], None],
    "cell_voltages": [{0: 3.3, 1: None}, {1: 3.4, 0: 3.3}, {0: 3.3, 2: 3.5}, [3.3, 3.4, 3.5], {}],
    "cell_balancing": [{0: 0, 1: 1}, {0: None, 1: True}, {0: True}, {}],
}
# Units that differ in one field.
UNITS: Final = [
    UNIT,
    *(replace(UNIT, **{name: value}) for name, each in VALUES.items() for value in each),
]
SLAVES: Final = st.sampled_from([*[UNIT] * 10, *UNITS])
FRAMES: Final = st.one_of(
    SLAVES.map(lambda slave: [slave]),
    SLAVES.map(lambda slave: {0: slave}),
    st.dictionaries(st.integers(0, 2), SLAVES | st.none(), max_size=3),
    st.none(),
)


@given(frames=st.lists(FRAMES, min_size=2, max_size=10))
def test_units_are_those_of_a_fresh_look(frames: list[Any]) -> None:
    reader, has_addresses = UnitReader(), False
    for slaves in frames:
        fresh = UnitReader()
        if has_addresses:
            fresh.read([UNIT])
        units = reader.read(slaves)
        # Compared as text, because 1 equals True.
        assert repr(units) == repr(fresh.read(slaves))
        if units.addressed is not None:
            has_addresses = units.addressed


def test_of_a_unit_in_which_one_field_changes_nothing_old_is_kept() -> None:
    for before, after in itertools.permutations(UNITS, 2):
        reader, fresh = UnitReader(), UnitReader()
        reader.read([before])
        reader.read([before])  # with the addresses known
        if before.address is not None:
            fresh.read([UNIT, UNIT])
        assert repr(reader.read([after])) == repr(fresh.read([after]))


def test_one_frame_without_addresses_leaves_units_out_and_the_next_one_does_not() -> None:
    reader = UnitReader()
    bare = replace(UNIT, address=None)
    found = [reader.read([slave]) for slave in (UNIT, bare, bare)]
    assert [[unit.address for unit in units.units] for units in found] == [[2], [], [1]]
    assert [units.left_out for units in found] == [0, 1, 0]
