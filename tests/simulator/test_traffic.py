"""What the simulated module sends and when; time is an argument here."""

import json
from typing import Any

import pytest

from recbms_zmq.simulator import SimulatorOptions
from recbms_zmq.simulator.fault_effects import WebsocketMessage
from recbms_zmq.simulator.faults import parse_faults
from recbms_zmq.simulator.traffic import Step, Traffic


def traffic(faults: str = "", **options: Any) -> Traffic:
    return Traffic(
        SimulatorOptions(faults=parse_faults(faults) if faults else (), **{"rate": 10, **options})
    )


def live(module: Traffic, until: float) -> list[tuple[float, Step]]:
    """All steps up to a time, each when it is due."""
    steps = []
    while module.due <= until:
        now = module.due
        steps.append((round(now, 3), module.step(now)))
        assert module.due > now
    return steps


def kinds(messages: tuple[WebsocketMessage, ...]) -> list[str]:
    return [json.loads(message.data)["type"] for message in messages]


def addresses(message: WebsocketMessage) -> list[int]:
    slaves = json.loads(message.data)["bms_array"]["slave"]
    return [unit["address"] for unit in (slaves if isinstance(slaves, list) else slaves.values())]


def master(message: WebsocketMessage) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(message.data)["bms_array"]["master"]
    return found


def test_frames_come_at_their_rate_and_settings_every_minute() -> None:
    steps = live(traffic(rate=4), 60.5)
    assert [time for time, _ in steps] == [n / 4 for n in range(243)]
    with_settings = [time for time, step in steps if kinds(step.messages) != ["status"]]
    assert with_settings == [0, 60]
    assert kinds(steps[0][1].messages) == ["settings", "status"]
    assert {(step.link, step.breaks) for _, step in steps} == {("up", None)}


def test_a_stall_sends_nothing_and_what_it_held_is_gone() -> None:
    steps = dict(live(traffic("stall at 1s for 500ms"), 2))
    assert [t for t, step in steps.items() if step.link == "stalled"] == [1, 1.1, 1.2, 1.3, 1.4]
    assert all(len(step.messages) == (step.link == "up") for t, step in steps.items() if t)


def test_a_burst_holds_frames_back_and_sends_them_all_in_order() -> None:
    steps = dict(live(traffic("burst at 1s for 500ms", firmware="new", speed=60), 2))
    assert [len(steps[time].messages) for time in (0.9, 1.0, 1.4, 1.5, 1.6)] == [1, 0, 0, 6, 1]
    times = [master(message)["time"] for message in steps[1.5].messages]
    assert times == ["09:31:00", "09:31:06", "09:31:12", "09:31:18", "09:31:24", "09:31:30"]


def test_a_burst_is_bounded() -> None:
    module = traffic("burst at 0s for 1h", rate=1000)
    for _, step in live(module, 2):
        assert step.messages == ()
    assert len(module._held) == 1000


@pytest.mark.parametrize(
    ("fault", "link", "count"), [("no-pong", "deaf", 1), ("goodbye", "parting", 0)]
)
def test_a_link_that_is_not_read_sends_frames_only_before_its_close_frame(
    fault: str, link: str, count: int
) -> None:
    module = traffic(f"{fault} at 1s for 500ms")
    acting = [step for _, step in live(module, 2) if step.link == link]
    assert [len(step.messages) for step in acting] == [count] * 5
    module = traffic(f"{fault} at 0s")
    module.step(0)
    assert len(module.greeting(0)) == 2 * count


def test_connections_break_once() -> None:
    steps = live(traffic("drop at 300ms, cut every 500ms"), 1.2)
    assert [(time, step.breaks) for time, step in steps if step.breaks] == [
        (0.3, "drop"),
        (0.5, "cut"),
        (1.0, "cut"),
    ]


def test_a_unit_drops_out_and_comes_back_at_another_position() -> None:
    steps = dict(live(traffic("unit every 1s for 500ms", units=3, cells=2), 2.6))
    orders = [addresses(steps[time].messages[-1]) for time in (0.9, 1.2, 1.7, 2.2, 2.6)]
    assert orders == [[2, 3, 4], [3, 4], [3, 4, 2], [4, 2], [4, 2, 3]]
    counts = [master(steps[time].messages[-1])["st_naprav"] for time in (0.9, 1.2, 1.7)]
    assert counts == [3, 2, 3]


def test_a_frame_can_be_without_units() -> None:
    steps = dict(live(traffic("empty at 1s"), 1.1))
    assert [addresses(steps[time].messages[0]) for time in (1, 1.1)] == [[], [2]]


def test_an_alarm_on_order_is_in_both_frames_and_goes_again() -> None:
    module = traffic("alarm=42 at 1s for 59.5s", units=2)
    steps = dict(live(module, 60.6))
    settings, status = steps[60].messages
    assert json.loads(settings.data)["err"] == {"p": 1, "num": 42}
    assert master(status)["erro"] == {"present": 1, "addr": 2, "st": 42, "con_st": 1}
    assert master(status)["error"] == "Something new<br> (simulated)"
    assert master(steps[60.5].messages[-1])["erro"] == {
        "present": 0,
        "addr": 0,
        "st": 0,
        "con_st": 0,
    }


def test_the_clock_jumps_and_comes_back() -> None:
    steps = dict(live(traffic("clock at 1s for 1s", firmware="new"), 2.1))
    seen = [
        (master(steps[time].messages[-1])["date"], master(steps[time].messages[-1])["time"])
        for time in (0.9, 1.5, 2.1)
    ]
    assert seen == [
        ("28.09.2025", "09:30:01"),
        ("01.01.2000", "00:00:00"),
        ("28.09.2025", "09:30:02"),
    ]


@pytest.mark.parametrize("firmware", ["current", "new"])
def test_a_clock_that_jumps_adds_nothing_to_the_settings(firmware: str) -> None:
    settings: list[dict[str, Any]] = []
    for faults in ("", "clock at 1s for 1s"):
        module = traffic(faults, firmware=firmware)
        live(module, 1.4)
        settings.append(json.loads(module.greeting(1.5)[0].data))
    usual, jumped = settings
    assert jumped["mcu_date"] == "01.01.2000"
    assert {key for key in jumped if jumped[key] != usual.get(key)} <= {"mcu_date", "mcu_time"}
    assert jumped.keys() == usual.keys()


def test_chance_hits_some_frames_and_the_same_ones_again() -> None:
    def hit(seed: int) -> list[float]:
        steps = live(traffic("half-frame 20%", seed=seed), 10)
        return [time for time, step in steps if not step.messages[-1].data.endswith(b"}}}}}")]

    assert hit(1) == hit(1) != hit(2)
    assert 5 < len(hit(1)) < 40


def test_a_new_connection_is_greeted_with_the_settings_and_the_newest_status() -> None:
    module = traffic("clock at 1s for 1s, stall at 3s for 1s, bad-utf8 at 5s")
    first = live(module, 0.9)[-1][1].messages
    settings, status = module.greeting(0.95)
    assert (kinds((settings,)), (status,)) == (["settings"], first)
    live(module, 1.5)
    assert json.loads(module.greeting(1.5)[0].data)["mcu_date"] == "01.01.2000"
    live(module, 3.5)
    assert module.greeting(3.5) == ()
