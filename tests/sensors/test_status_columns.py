"""Tests of columns that are computed only when they change: the same as if all were computed."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields, replace

from recbms_zmq.sensors.alarm_tracker import LastAlarm
from recbms_zmq.sensors.energy import Counters
from recbms_zmq.sensors.link import Link
from recbms_zmq.sensors.normalize import Normalizer
from recbms_zmq.sensors.pack import Known, Pack
from recbms_zmq.sensors.rounding import shown
from recbms_zmq.sensors.sensor import UNKNOWN, Sensor
from recbms_zmq.sensors.status_columns import StatusColumns
from recbms_zmq.sensors.table import LINK_SENSORS, PACK_SENSORS, SENSORS, UNIT_SENSORS
from recbms_zmq.sensors.units import UnitReader
from recbms_zmq.wire.frames import ErrorState, Master, Settings, Slave


def one_of(*values: Any) -> st.SearchStrategy[Any]:
    """Few values, so that most stay the same from frame to frame."""
    return st.sampled_from([values[0], *values])


def items(*values: Any) -> st.SearchStrategy[Any]:
    return st.lists(one_of(*values), min_size=2, max_size=2)


MASTERS = st.builds(
    Master,
    time_remaining=one_of("Full in:<br> 31h 00 min", "Empty in: 0 h 05 min", "?", None),
    unit_count=one_of(1, None),
    cell_voltage_min=one_of(3.3, 3.3004, 3.2, None),
    cell_voltage_max=one_of(3.4, 3.3, None),
    current=one_of(7.2, -0.004, -20.0, None, float("nan")),
    temperature_max=one_of(20.0, -0.04, float("inf")),
    voltage=one_of(13.24, 13.2404, 0.0),
    error_state=st.builds(
        ErrorState, present=one_of(0, 1, None), unit_address=one_of(2, None), number=one_of(3, 99)
    ),
    error_message=one_of("", "<b>x</b>", None),
)
SLAVES = st.builds(
    Slave,
    address=st.just(2),
    cell_count=one_of(2, 2, 2, None),
    temperature_count=one_of(2, 2, 1),
    bms_temperature=one_of(22.65, 22.66, None),
    temperatures=items(20.0, -0.04, -127.0, None),
    cell_voltages=items(3.3, 3.3004, 3.4, None),
    cell_resistances=items(0.002, 0.003, None),
    cell_balancing=items(False, True, 1, None),
)
PACKS = st.builds(
    lambda master, slave, arrival, **beside: Pack.of(
        master, UnitReader().read([slave]), arrival, **beside
    ),
    MASTERS,
    SLAVES,
    one_of("", "2026-11-22T10:44:39.123Z"),
    soc=one_of(28.5, 28.5001, 100.0, None),
    soh=one_of(99.63, None),
    known=st.builds(
        Known,
        capacity=one_of(320.0, 100.0, None),
        nominal_cell_voltage=one_of(3.2, UNKNOWN, None),
        cycles=one_of(3, None),
        last_alarm=one_of(None, LastAlarm("x", "y")),
    ),
    energy=st.builds(Counters, one_of(1.0, 1.0004, 2.0), one_of(0.0, None), one_of(None, 1.0)),
)
LINKS = st.builds(Link, one_of(1, 2), one_of(0, 1), one_of(0, 1), one_of(1.0, 1.004, UNKNOWN))


def shape(pack: Pack) -> list[int]:
    (unit,) = pack.units
    return [len(unit.temperatures), len(unit.cell_voltages), len(unit.cell_resistances)]


def exactly(values: list[Any]) -> list[tuple[str, type]]:
    """Return something that differs for 1, 1.0 and True, and for 0.0 and -0.0."""
    return [(repr(value), type(value)) for value in values]


@given(frames=st.lists(st.tuples(PACKS, LINKS), min_size=2, max_size=6))
def test_the_values_are_those_of_a_fresh_computation(frames: list[tuple[Pack, Link]]) -> None:
    frames = [(pack, link) for pack, link in frames if shape(pack) == shape(frames[0][0])]
    columns = StatusColumns(frames[0][0].units, has_link=True)
    before: list[Any] = [None] * len(columns.sensors)
    for pack, link in frames:
        values, changed = columns.update(pack, pack.units, link)
        fresh, _ = StatusColumns(pack.units, has_link=True).update(pack, pack.units, link)
        assert exactly(values) == exactly(fresh)
        assert sorted(changed) == [n for n, old in enumerate(before) if values[n] != old]
        before = values


def only(source: Any, names: tuple[str, ...]) -> Any:
    """Return something that has these attributes of an object, and no others."""
    view = SimpleNamespace()
    for name in names:
        outer, _, inner = name.partition(".")
        value = getattr(source, outer)
        if inner:
            part = getattr(view, outer, SimpleNamespace())
            setattr(part, inner, getattr(value, inner))
            value = part
        setattr(view, outer, value)
    return view


@given(pack=PACKS, link=LINKS)
def test_a_row_reads_what_it_names_and_nothing_else(pack: Pack, link: Link) -> None:
    groups: list[tuple[tuple[Sensor, ...], Any]] = [
        (PACK_SENSORS, pack),
        (UNIT_SENSORS, pack.units[0]),
        (LINK_SENSORS, link),
    ]
    for rows, source in groups:
        for row in rows:
            # Compared as text, because NaN differs from itself.
            assert repr(row.value(only(source, row.reads))) == repr(row.value(source))


@given(pack=PACKS)
def test_a_row_that_returns_rounded_values_does(pack: Pack) -> None:
    for row in PACK_SENSORS:
        if row.is_rounded:
            value: Any = row.value(pack)
            assert row.decimals is not None
            rounded = shown(value, row.decimals)
            # JSON has 75 for whole numbers, not 75.0.
            whole = isinstance(rounded, float) and row.decimals == 0
            assert repr(int(rounded) if whole else rounded) == repr(value)


def test_whole_numbers_come_from_the_rows() -> None:
    """`shown` makes 75.0 of 75, which is another text in JSON."""
    assert [row.key for row in SENSORS if row.decimals == 0 and not row.is_rounded] == []


ODD = 1.234567891234
"""A number of which no digit is 0, also after rounding."""


def test_values_have_the_decimals_of_their_sensor() -> None:
    """Home Assistant shows as many, and `changes` means a change of what is shown."""
    master = Master(
        voltage=ODD,
        current=ODD,
        temperature_max=ODD,
        cell_voltage_min=ODD,
        cell_voltage_max=ODD + 1.1111111,
        time_remaining="Full in: 1 h 14 min",
    )
    slave = Slave(
        address=2,
        cell_count=1,
        temperature_count=1,
        bms_temperature=ODD,
        temperatures=[ODD],
        cell_voltages=[ODD],
        cell_resistances=[ODD / 1000],
    )
    pack = Pack.of(
        master,
        UnitReader().read([slave]),
        "",
        soc=ODD,
        soh=ODD,
        known=Known(capacity=123.4, nominal_cell_voltage=3.2),
        energy=Counters(ODD, ODD, ODD, ODD),
    )
    link = Link(1, 0, 0, ODD)
    columns = StatusColumns(pack.units, has_link=True)
    values, _ = columns.update(pack, pack.units, link)
    settings = {f.name: ODD for f in fields(Settings) if "float" in str(f.type)}
    readings = Normalizer().settings(replace(Settings(), **settings))
    found = [*zip(columns.sensors, values, strict=True), *readings.items()]
    digits = {
        s.key: (len(repr(v).partition(".")[2]), s.decimals) for s, v in found if type(v) is float
    }
    assert {key: pair for key, pair in digits.items() if pair[0] != pair[1]} == {}
    # It is full in an hour, so it is not empty in one.
    assert {s.key for s, _ in found if s.decimals} - digits.keys() == {"time_to_empty"}
