"""The state of the view: messages of the contract go in, with the time."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.frames import STATUS, status
from support.monitored_bms import MonitoredBms

from recbms_zmq.monitor import phrases
from recbms_zmq.monitor.history import History
from recbms_zmq.monitor.model import Model
from recbms_zmq.monitor.pack_state import ActiveAlarm, Cell, Limits, PastEvent, Temperature
from recbms_zmq.reporting.messages import decode_message

CELLS = [
    Cell(2, 1, 3.305, True, True, False),
    Cell(2, 2, 3.320, False, False, True),
    Cell(2, 3, 3.311, False, False, False),
    Cell(2, 4, 3.308, False, False, False),
]


@pytest.mark.parametrize("emit", ["readings", "snapshot", "both"])
def test_the_real_frames_give_the_same_state_with_every_emit(emit: str) -> None:
    bms = MonitoredBms(emit=emit)
    bms.settings()
    bms.status()
    pack = bms.pack
    assert (pack.name, pack.online, pack.reason) == ("REC BMS", True, "status frames arrive")
    assert pack.cells() == CELLS
    assert pack.temperatures() == [Temperature(2, 1, 22.5), Temperature(2, 0, 28.7)]
    assert pack.limits == Limits(3.0, 3.65, known=True)
    assert pack.chemistry == "LiFePO4 Winston"
    assert pack.alarm is None
    numbers = {key: pack.number(key) for key in ("soc", "voltage", "current", "power")}
    assert numbers == {"soc": 28.5, "voltage": 13.24, "current": 7.46, "power": 98.8}


@pytest.mark.parametrize(
    ("settings", "limits"),
    [
        ("", Limits(2.5, 4.2, known=False)),  # the usual range of cells
        ('"chem":4', Limits(2.5, 3.65, known=False)),
        ('"cmin":3.7,"cmax":3.0,"chem":1', Limits(2.7, 4.2, known=False)),  # the wrong way round
    ],
)
def test_without_limits_the_scale_is_that_of_the_chemistry(settings: str, limits: Limits) -> None:
    bms = MonitoredBms()
    if settings:
        bms.frame(f'{{"type":"settings",{settings}}}')
    bms.status()
    assert bms.pack.limits == limits


def test_an_alarm_has_its_place_and_the_text_of_recs_manual() -> None:
    bms = MonitoredBms()
    error = {"present": 1, "addr": 2, "st": 2, "con_st": 1}
    bms.status(erro=error, error="UNDERVOLTAGE")
    bms.status(at=5.0)
    bms.status(at=9.0, erro=error, error="UNDERVOLTAGE")
    text = "Cell voltage too low"
    assert bms.pack.alarm == ActiveAlarm(2, text, 2, 1, "UNDERVOLTAGE")
    again = PastEvent(9.0, True, 2, text, 2, 1, times=2)
    cleared = PastEvent(5.0, False, 2, text, 2, 1)
    assert list(bms.pack.events) == [again, cleared]
    assert [phrases.event(each, now=10.0) for each in (again, cleared)] == [
        "1 s ago, alarm raised: Cell voltage too low (unit 2, cell 1), 2 times",
        "5 s ago, alarm cleared: Cell voltage too low (unit 2, cell 1)",
    ]


def test_an_unknown_alarm_has_the_words_of_the_bms_once() -> None:
    bms = MonitoredBms()
    bms.status(erro={"present": 1, "addr": 0, "st": 18, "con_st": 0}, error="New <b>thing</b>")
    assert bms.pack.alarm == ActiveAlarm(18, "Error 18: New thing", 0, 0, "")


def test_the_last_values_stay_while_a_pack_is_offline() -> None:
    bms = MonitoredBms()
    bms.status()
    bms.tick(at=31.0)
    pack = bms.pack
    assert (pack.online, pack.reason) == (False, "no status frame for 30 s")
    assert pack.cells() == CELLS
    assert pack.age(now=40.0) == 40.0


def test_what_is_not_sent_again_when_a_pack_comes_back_is_gone() -> None:
    bms = MonitoredBms()
    bms.settings()
    bms.status(units=2)
    bms.tick(at=31.0)
    bms.status(at=40.0, units=1, soh=None)
    assert bms.pack.cells() == CELLS
    assert "soh" not in bms.pack.values
    assert bms.pack.limits == Limits(3.0, 3.65, known=True)


def test_a_cell_without_a_voltage_is_a_cell_of_unknown_voltage() -> None:
    bms = MonitoredBms()
    bms.status()
    frame = json.loads(STATUS)
    frame["bms_array"]["slave"]["0"]["nap"]["2"] = None
    bms.frame(json.dumps(frame), at=1.0)
    assert bms.pack.cells()[2] == Cell(2, 3, None, False, False, False)


def test_another_run_of_the_service_replaces_the_first() -> None:
    model = Model()
    MonitoredBms(model, run="00000001").status(units=3)
    MonitoredBms(model, run="00000002").status()
    assert len(model.packs) == 1
    assert model.packs[0].cells() == CELLS


def test_a_replay_does_not_make_the_data_younger() -> None:
    bms = MonitoredBms()
    assert bms.pack.age(now=0.0) is None
    bms.status(at=2.0)
    bms.replay(at=9.0)
    assert bms.pack.age(now=10.0) == 8.0
    bms.status(at=11.0, ibat=8.0)
    assert bms.pack.age(now=11.0) == 0.0


def test_the_state_of_a_late_joiner_is_the_state_of_one_who_was_there() -> None:
    service = MonitoredBms()
    service.settings()
    service.status(units=2, cells=16)
    newcomer = Model()
    for body in service.bodies.values():
        newcomer.update(decode_message(body), 7.0)
    [pack] = newcomer.packs
    assert pack.values == service.pack.values
    assert pack.cells() == service.pack.cells()
    assert (pack.online, pack.age(now=7.0)) == (True, 0.0)


def test_packs_of_the_same_name_on_two_services_are_two_packs() -> None:
    model = Model(["tcp://a:1", "tcp://b:1"])
    MonitoredBms(model, endpoint="tcp://a:1").status()
    MonitoredBms(model, endpoint="tcp://b:1").status(soc=0.5)
    assert [pack.number("soc") for pack in model.packs] == [28.5, 50.0]


def test_a_lost_service_makes_its_packs_offline_until_it_is_back() -> None:
    model = Model(["tcp://a:1", "tcp://b:1"])
    assert model.connected == {"tcp://a:1": False, "tcp://b:1": False}
    bms = MonitoredBms(model, endpoint="tcp://a:1")
    bms.status()
    MonitoredBms(model, endpoint="tcp://b:1").status()
    assert model.connected == {"tcp://a:1": True, "tcp://b:1": True}
    model.connection("tcp://a:1", connected=False, now=3.0)
    assert [(pack.online, pack.reason) for pack in model.packs] == [
        (False, "no connection to the service at tcp://a:1"),
        (True, "status frames arrive"),
    ]
    bms.replay(at=4.0)
    assert [pack.online for pack in model.packs] == [True, True]
    assert model.packs[0].cells() == CELLS


def test_the_reason_of_a_device_that_is_offline_can_change_between_messages() -> None:
    model = Model()
    boat, house = MonitoredBms(model, name="boat"), MonitoredBms(model, name="house")
    house.status()
    for name in ("boat", "house"):
        model.explain(name, "connection refused")
    assert [pack.reason for pack in model.packs] == ["connection refused", "status frames arrive"]
    boat.status()
    assert model.packs[0].reason == "status frames arrive"


def test_no_more_cells_than_a_frame_can_have_are_kept() -> None:
    bms = MonitoredBms()
    bms.status()
    [reading] = [b for t, b in bms.bodies.items() if t.topic.endswith(b"cell_voltage/2/1")]
    pack = bms.pack
    pack.info = None
    for number in range(1, 1000):
        place = f"cell_voltage/1/{number}"
        message = json.loads(reading) | {"topic": f"recbms/main/{place}", "key": place}
        pack.update(decode_message(json.dumps(message)), 0.0)
    assert len(pack.cells()) == 512


def test_history_gives_means_and_holds_what_holds() -> None:
    history = History()
    for second, value in ((0.2, 5.0), (10.0, 10.0), (11.0, 30.0), (11.9, 20.0), (30.0, None)):
        history.add(value, second)
    history.add(40.0, 41.0)
    assert history.columns(6, now=49.9, span=60) == [None, 5.0, 15.0, 20.0, None, 40.0]


def test_the_columns_of_history_stand_still_while_time_passes_within_one() -> None:
    history = History()
    for second in range(600):
        history.add(float(second % 7), second)
    assert history.columns(60, now=599.0) == history.columns(60, now=599.99)
    assert len(history.columns(60, now=599.0)) == 60


@given(st.lists(st.tuples(st.integers(0, 5000), st.none() | st.floats(-1e6, 1e6))), st.data())
def test_history_gives_as_many_columns_as_asked_for_within_what_was_there(
    points: list[tuple[int, float | None]], data: st.DataObject
) -> None:
    history = History()
    for second, value in sorted(points, key=lambda point: point[0]):
        history.add(value, float(second))
    count = data.draw(st.integers(1, 300))
    columns = history.columns(count, now=5000.0)
    values = [value for _, value in points if value is not None]
    assert len(columns) == count
    for column in columns:
        assert column is None or min(values) - 1e-6 <= column <= max(values) + 1e-6


def test_every_status_of_a_pack_is_news_even_if_nothing_changed_where_all_is_reported() -> None:
    bms = MonitoredBms(emit="snapshot", report="all")
    for second in range(3):
        bms.frame(status(), at=float(second))
    assert bms.pack.age(now=2.5) == 0.5
