"""Tests of the pack and the formulas: status frames in order. All frames here are made by us."""

import itertools
import math
from typing import Any

import pytest

from recbms_zmq.errors import NoBatteryData
from recbms_zmq.sensors.formulas import (
    cell_voltage_average,
    error_cell,
    error_message,
    error_number,
    error_present,
    error_text,
    error_unit,
    hours_remaining,
    is_in_state,
    milliohm,
    minutes_remaining,
)
from recbms_zmq.sensors.normalize import Normalizer
from recbms_zmq.sensors.pack import Pack, require_data
from recbms_zmq.sensors.sensor import UNKNOWN, Unknown
from recbms_zmq.sensors.units import Unit, UnitReader
from recbms_zmq.wire.frames import BmsArray, ErrorState, Master, Settings, Slave, Status


def pack_of(slaves: Any = None, **master: Any) -> Pack:
    """Make a pack; without any data but these it has a state of health."""
    master = {"state_of_health": 1.0} | master
    return Pack.of(Master(**master), UnitReader().read(slaves))


def unit_of(**slave: Any) -> Unit:
    (unit,) = pack_of([Slave(address=2, **slave)]).units
    return unit


# --- units ---


def test_units_are_in_the_order_of_their_addresses() -> None:
    slaves = {0: Slave(address=5), 3: Slave(address=2), 1: None, 2: Slave(address=0)}
    assert [unit.address for unit in pack_of(slaves).units] == [0, 2, 5]


def test_without_an_address_the_position_counts_from_1_as_rec_counts() -> None:
    assert [unit.address for unit in pack_of({0: Slave(), 2: Slave()}).units] == [1, 3]
    assert [unit.address for unit in pack_of([None, Slave()]).units] == [2]


@pytest.mark.parametrize("order", list(itertools.permutations([0, 1, 3])))
def test_units_with_one_address_are_all_there_and_keep_their_substitutes(
    order: tuple[int, ...],
) -> None:
    slaves = {n: Slave(address=2, bms_temperature=20.0 + n, cell_count=4 + n) for n in order}
    pack = pack_of(slaves | {2: Slave(address=1)})
    assert [(unit.address, unit.bms_temperature) for unit in pack.units] == [
        (1, None),
        (2, 20.0),
        (257, 21.0),
        (259, 23.0),
    ]
    assert pack.shared_addresses == ((2, 3),)
    del slaves[0]
    assert [unit.address for unit in pack_of(slaves).units] == [2, 259]


def test_the_cells_of_units_with_one_address_count_and_are_compared() -> None:
    pack = pack_of(
        [
            Slave(address=2, cell_count=2, cell_voltages=[3.3, 3.4]),
            Slave(address=2, cell_count=2, cell_voltages=[3.1, 3.2]),
        ]
    )
    assert (pack.cell_count, pack.cell_lowest, pack.cell_highest) == (4, "257/1", "2/2")


def test_without_shared_addresses_there_are_none() -> None:
    assert pack_of([Slave(address=2), Slave(address=3)]).shared_addresses == ()
    assert pack_of([Slave(), Slave()]).shared_addresses == ()


@pytest.mark.parametrize("slaves", [None, {}, []])
def test_a_pack_without_units_is_a_pack(slaves: Any) -> None:
    pack = pack_of(slaves, voltage=13.0)
    assert (pack.units, pack.cell_count, pack.cell_lowest) == ((), None, UNKNOWN)


EMPTY_MASTERS: list[Master | None] = [
    None,
    Master(),
    Master(time_remaining="", error_message=""),
    Master(error_state=ErrorState()),
    Master(error_state=ErrorState(unit_address=0, number=0, location=0)),
    Master(clock_time="12:34:56", clock_date="28.09.2025"),
]
EMPTY_SLAVES: list[Any] = [
    None,
    {},
    [],
    [None],
    {0: Slave(), 1: None},
    [Slave(address=2)],
    [Slave(address=2, temperature_count=1)],
    [Slave(temperatures=[], cell_voltages={}, cell_resistances=[None], cell_balancing={0: None})],
]


@pytest.mark.parametrize("master", EMPTY_MASTERS)
@pytest.mark.parametrize("slaves", EMPTY_SLAVES)
def test_a_frame_without_any_data_is_refused(master: Master | None, slaves: Any) -> None:
    frame = Status(bms_array=BmsArray(master=master, slaves=slaves))
    sentence = "^the module answers, but knows nothing of the BMS: RS-485 cable[?]$"
    for each in (frame, Status()):
        with pytest.raises(NoBatteryData, match=sentence):
            require_data(each)


@pytest.mark.parametrize(
    "array",
    [
        BmsArray(master=Master(voltage=0.0)),
        BmsArray(master=Master(state_of_charge=0.0)),
        BmsArray(master=Master(error_state=ErrorState(present=0))),
        BmsArray(master=Master(error_message="RS-485")),
        BmsArray(slaves=[Slave(bms_temperature=0.0)]),
        BmsArray(slaves={3: Slave(cell_count=4)}),
        BmsArray(slaves=[None, Slave(cell_voltages=[None, 0.0])]),
        BmsArray(slaves=[Slave(cell_balancing={0: False})]),
    ],
)
def test_one_reading_is_data_also_if_it_is_0(array: BmsArray) -> None:
    assert require_data(Status(bms_array=array)) is array


# --- cells and sensors ---


@pytest.mark.parametrize(
    ("count", "temperatures"),
    [
        (None, [20.0, 21.0, 99.0]),
        (2, [20.0, 21.0]),
        (0, []),
        (-1, []),
        (3, [20.0, 21.0, 99.0]),
        (5, [20.0, 21.0, 99.0, None, None]),
        (16, [20.0, 21.0, 99.0, *[None] * 13]),
        (17, [20.0, 21.0, 99.0]),
    ],
)
def test_there_are_as_many_temperatures_as_sensors(
    count: int | None, temperatures: list[float | None]
) -> None:
    found = {0: 20.0, 1: 21.0, 2: 99.0}
    assert unit_of(temperature_count=count, temperatures=found).temperatures == temperatures
    listed = [20.0, 21.0, 99.0]
    assert unit_of(temperature_count=count, temperatures=listed).temperatures == temperatures


@pytest.mark.parametrize(
    ("count", "cells"),
    [(None, 3), (2, 2), (3, 3), (5, 5), (32, 32), (33, 3), (2**31, 3), (0, 3), (-4, 3)],
)
def test_there_are_as_many_cells_as_counted_but_nonsense_hides_and_adds_none(
    count: int | None, cells: int
) -> None:
    unit = unit_of(
        cell_count=count,
        cell_voltages={0: 3.1, 1: 3.2, 2: 3.3},
        cell_resistances=[0.001, 0.002, 0.003],
        cell_balancing={0: True, 1: 0, 2: 1},
    )
    missing = [None] * (cells - 3)
    assert (unit.cell_voltages, unit.cell_resistances, unit.cell_balancing) == (
        [3.1, 3.2, 3.3][:cells] + missing,
        [0.001, 0.002, 0.003][:cells] + missing,
        [True, False, True][:cells] + missing,
    )


@pytest.mark.parametrize("count", [None, 0, 4])
@pytest.mark.parametrize("nothing", [None, {}, []])
def test_without_any_value_there_are_no_cells_to_show(count: int | None, nothing: Any) -> None:
    unit = unit_of(
        cell_count=count,
        temperature_count=count,
        cell_voltages=nothing,
        cell_resistances=nothing,
        cell_balancing=nothing,
        temperatures=nothing,
    )
    assert (unit.cell_voltages, unit.cell_resistances, unit.cell_balancing) == ([], [], [])
    assert unit.temperatures == []


def test_cells_keep_their_numbers_when_one_is_missing_or_they_come_in_any_order() -> None:
    unit = unit_of(cell_voltages={3: 3.4, 0: 3.1, 1: None}, cell_balancing=[None, 1])
    assert unit.cell_voltages == [3.1, None, None, 3.4]
    assert unit.cell_balancing == [None, True]
    assert unit_of(cell_voltages={}).cell_voltages == []
    assert unit_of().cell_voltages == []


def test_the_cells_of_all_units_are_added_up() -> None:
    assert pack_of([Slave(cell_count=4), Slave(cell_count=16)]).cell_count == 20
    assert pack_of([Slave(cell_count=4), Slave(cell_count=0)]).cell_count == 4


@pytest.mark.parametrize(
    "unit",
    [
        Slave(),
        Slave(cell_count=-4),
        Slave(cell_count=33),
        Slave(cell_count=0, cell_voltages=[3.3]),
    ],
)
def test_without_the_count_of_one_unit_the_number_of_cells_is_not_known(unit: Slave) -> None:
    assert pack_of([Slave(cell_count=4), unit]).cell_count is None


# --- formulas: the pack ---


@pytest.mark.parametrize(
    ("units", "lowest", "highest"),
    [
        ({3: [3.3, 3.1], 2: {0: 3.3, 1: 3.5}}, "3/2", "2/2"),
        ({3: [3.3, 3.3], 2: [3.3, 3.3]}, "2/1", "2/1"),  # of equal ones the first
        ({2: [3.3, None, 3.4]}, UNKNOWN, UNKNOWN),
    ],
)
def test_the_lowest_and_highest_cell_are_named_by_unit_and_number(
    units: dict[int, Any], lowest: Any, highest: Any
) -> None:
    pack = pack_of([Slave(address=n, cell_voltages=cells) for n, cells in units.items()])
    assert (pack.cell_lowest, pack.cell_highest) == (lowest, highest)


@pytest.mark.parametrize(
    ("chemistry", "slaves", "energy"),
    [
        (3, [4], 2.048),  # 160 Ah of 4 cells of 3.2 V
        (4, [16, 16], 16.384),  # all units are in series
        (2, [4], 2.368),
        (5, [4], 2.368),
        (9, [4], UNKNOWN),
        (None, [4], None),
        (3, [], None),
        (3, [4, None], None),
    ],
)
def test_the_remaining_energy_is_that_of_all_cells_and_unknown_without_their_chemistry(
    chemistry: int | None, slaves: list[int | None], energy: float | Unknown | None
) -> None:
    normalizer = Normalizer()
    units: list[Slave | None] = [
        Slave(address=n, cell_count=cells) for n, cells in enumerate(slaves)
    ]
    frame = Status(
        bms_array=BmsArray(master=Master(state_of_charge=0.5, state_of_health=1.0), slaves=units)
    )

    def shown() -> list[Any]:
        readings = normalizer.status(frame)
        columns = zip(readings.sensors, readings.values, strict=True)
        return [value for sensor, value in columns if sensor.key == "energy_remaining"]

    assert shown() == [None]
    normalizer.settings(Settings(capacity=320.0, chemistry_code=chemistry))
    assert shown() == [energy]


@pytest.mark.parametrize(
    ("temperatures", "coldest"),
    [
        ([], None),
        ([21.0], 21.0),
        ([21.0, -3.5, 85.0], -3.5),
        ([21.0, -127.0], 21.0),
        ([-127.0, 85.0], None),
        ([21.0, None], None),
    ],
)
def test_the_coldest_is_that_of_the_sensors_that_are_plugged_in(
    temperatures: list[float | None], coldest: float | None
) -> None:
    slaves = [
        Slave(address=2, temperatures=temperatures),
        # Slots beyond the count are not fitted.
        Slave(address=3, temperature_count=0, temperatures=[-50.0]),
    ]
    assert pack_of(slaves).temperature_min == coldest


@pytest.mark.parametrize(
    ("flags", "balancing"),
    [
        ([[], []], None),
        ([[False, False], [False, False]], False),
        ([[False, False], [False, 1]], True),
        ([[True, None], []], True),
        ([[False, None], [False, False]], None),
        ([[False, False], []], None),
    ],
)
def test_a_pack_balances_while_any_cell_does(flags: list[Any], balancing: bool | None) -> None:
    slaves = [
        Slave(address=n, cell_voltages=[3.3, 3.3], cell_balancing=each)
        for n, each in enumerate(flags)
    ]
    assert pack_of(slaves).is_balancing is balancing


@pytest.mark.parametrize(
    ("voltages", "average"), [([], None), ([3.3, None], None), ([3.25, 3.5], 3.375)]
)
def test_the_average_needs_every_cell(voltages: list[Any], average: float | None) -> None:
    assert cell_voltage_average(voltages) == average


def test_the_extremes_of_the_pack_agree_with_the_units_within_one_digit() -> None:
    def extremes(*cells: float | None, low: float, high: float) -> tuple[float | None, ...]:
        slaves = [Slave(address=2, cell_voltages=[*cells], temperatures=[20.04])]
        pack = pack_of(slaves, cell_voltage_min=low, cell_voltage_max=high, temperature_max=20.06)
        assert pack.temperature_max == 20.0
        return pack.cell_voltage_min, pack.cell_voltage_max

    assert extremes(3.3044999, 3.4, low=3.3045001, high=3.4005) == (3.304, 3.4)
    assert extremes(3.304, 3.402, low=3.302, high=3.404) == (3.302, 3.404)  # as they came
    assert extremes(None, low=3.3, high=3.4) == (3.3, 3.4)
    none = pack_of([Slave(address=2, cell_voltages=[3.3])])
    assert (none.cell_voltage_min, none.cell_voltage_max, none.temperature_max) == (None,) * 3


@pytest.mark.parametrize(
    ("current", "state"),
    [
        (0.0, "idle"),
        (-0.0, "idle"),
        (0.1, "idle"),
        (-0.1, "idle"),
        (0.1049, "idle"),  # shown as 0.10 A
        (-0.1049, "idle"),
        (0.1051, "charging"),
        (-0.1051, "discharging"),
        (150.0, "charging"),
        (-150.0, "discharging"),
        (None, None),
        (math.nan, None),
        (-math.inf, None),
    ],
)
def test_up_to_the_idle_current_a_pack_neither_charges_nor_discharges(
    current: float | None, state: str | None
) -> None:
    pack = pack_of(current=current)
    assert pack.charge_state == state
    assert is_in_state(pack, "charging") == (None if state is None else state == "charging")
    assert is_in_state(pack, "discharging") == (None if state is None else state == "discharging")


def test_the_idle_current_can_be_set_to_nothing() -> None:
    def state(current: float) -> str | None:
        frame = Master(current=current), UnitReader().read(None)
        return Pack.of(*frame, idle_current=0.0).charge_state

    assert [state(0.004), state(0.006), state(-0.006)] == ["idle", "charging", "discharging"]


# --- formulas: the error ---


@pytest.mark.parametrize(
    ("error", "message", "readings"),
    [
        (
            ErrorState(present=1, unit_address=2, number=1, location=3),
            *("odd", [True, 1, "Cell voltage too high", 2, 3]),
        ),
        (
            ErrorState(present=0, unit_address=2, number=1, location=3),
            *(None, [False, 0, "No error", UNKNOWN, UNKNOWN]),
        ),
        (ErrorState(present=True, number=18), None, [True, 18, "Error 18", None, None]),
        (ErrorState(present=True, number=18), "<b>odd", [True, 18, "Error 18: odd", None, None]),
        (ErrorState(present=1), None, [True, None, "Error", None, None]),
        (
            ErrorState(present=1, unit_address=2, number=0, location=0),
            *(None, [True, 0, "Error 0", 2, 0]),
        ),
        (None, None, [None] * 5),
        (ErrorState(), None, [None] * 5),
        (ErrorState(number=3, unit_address=2), None, [None] * 5),
    ],
)
def test_the_error_sensors_have_what_the_error_state_has(
    error: ErrorState | None, message: str | None, readings: list[Any]
) -> None:
    pack = pack_of(error_state=error, error_message=message)
    formulas = (error_present, error_number, error_text, error_unit, error_cell)
    assert [read(pack) for read in formulas] == readings


def test_the_text_of_the_module_loses_its_html() -> None:
    text = "<b>Error 1</b><br>\n cell &gt; 3.65 V"
    assert error_message(pack_of(error_message=text)) == "Error 1 cell > 3.65 V"
    assert error_message(pack_of(error_message="")) == ""
    assert error_message(pack_of()) is None


# --- formulas: time remaining ---


def times(text: str | None) -> list[Any]:
    pack = pack_of(time_remaining=text)
    return [
        pack.time_remaining and pack.time_remaining.text,
        minutes_remaining(pack),
        hours_remaining(pack),
        hours_remaining(pack, "full"),
        hours_remaining(pack, "empty"),
    ]


def test_the_time_remaining_is_there_for_its_direction_only() -> None:
    full, empty, now = "Full in: 31h 30 min", "Empty in: 0 h 03 min", "Empty in: 0 h 00 min"
    assert times("Full in:<br> 31h 30 min") == [full, 1890, 31.5, 31.5, UNKNOWN]
    assert times(empty) == [empty, 3, 0.05, UNKNOWN, 0.05]
    assert times(now) == [now, 0, 0.0, UNKNOWN, 0.0]
    assert times("Idle") == ["Idle", *[UNKNOWN] * 4]
    assert times(None) == [None] * 5


def test_ohms_become_milliohms() -> None:
    assert milliohm([0.5, None, 0.0]) == [500.0, None, 0.0]
