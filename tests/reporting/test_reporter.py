"""Tests of what goes out when. Time is an argument, so nothing here waits."""

import datetime as dt
import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbms_zmq.clock import Instant
from recbms_zmq.config.options import ReportOptions
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.envelopes import Envelopes
from recbms_zmq.reporting.reporter import Reporter
from recbms_zmq.reporting.selected_columns import SelectedColumns
from recbms_zmq.sensors.alarm_tracker import NO_TRANSITIONS, Alarm, AlarmTracker
from recbms_zmq.sensors.device_info import DeviceInfo, UnitInfo
from recbms_zmq.sensors.normalize import Readings
from recbms_zmq.sensors.selection import Selection
from recbms_zmq.sensors.sensor import UNKNOWN, Sensor

DEVICE_INFO = DeviceInfo(units=(UnitInfo(2, 4, 1),))
DEVICE = "device={'units': [{'address': 2, 'cells': 4, 'sensors': 1}]}"
UNIT = {"address": 2, "cells": 4, "sensors": 1}
WALL = 1_800_000_000.0
_columns: dict[tuple[str, ...], tuple[Sensor, ...]] = {}


def at(seconds: float) -> Instant:
    return Instant(seconds, WALL + seconds)


def readings_of(values: dict[str, Any], time: float, alarms: Any = NO_TRANSITIONS) -> Readings:
    """Make readings as a normalizer does: with the same keys, the same columns.

    A key may have a unit behind a space, and a `!` in front if it is one of those that change
    with every frame.
    """
    keys = tuple(values)
    if keys not in _columns:
        _columns[keys] = tuple(_sensor(key) for key in keys)
    return Readings(_columns[keys], list(values.values()), at(time).isoformat(), alarms)


def _sensor(key: str) -> Sensor:
    plain, _, unit = key.removeprefix("!").partition(" ")
    every_frame = key.startswith("!")
    return Sensor(key=plain, name=plain, value=len, unit=unit or None, every_frame=every_frame)


class Message(NamedTuple):
    """One message, in short. `time` in seconds of the story."""

    time: float
    key: str
    payload: Any
    seq: int

    @classmethod
    def of(cls, body: bytes) -> "Message":
        message = json.loads(body)
        time = dt.datetime.fromisoformat(message["ts"]).timestamp() - WALL
        return cls(round(time, 3), message["key"], message["payload"], message["seq"])


class Story:
    """A reporter, its messages so far, and what a late subscriber would get.

    Each step returns the messages of that step, as `key=payload`.
    """

    def __init__(self, **options: Any) -> None:
        envelopes = Envelopes("main", "REC BMS", "5f3a9c01", bare=True)
        self.reporter = Reporter(envelopes, ReportOptions(**options))
        self.alarms = AlarmTracker()
        self.messages: list[Message] = []
        self.reasons: list[str] = []
        self._retained: dict[Any, Message] = {}

    def _keep(self, batch: Batch) -> list[str]:
        messages = [Message.of(body) for _, body, _ in batch.messages]
        for message, (topic, body, retained) in zip(messages, batch.messages, strict=True):
            assert topic.decode() == f"recbms/main/{message.key}"
            if retained:
                self._retained[retained] = message
            if message.key == "availability":
                self.reasons.append(json.loads(body)["reason"])
        for expired in batch.expired:
            self._retained.pop(expired, None)
        self.messages += messages
        return [f"{message.key}={message.payload}" for message in messages]

    @property
    def retained(self) -> dict[str, Any]:
        """What a new subscriber would receive."""
        payloads = {message.key: message.payload for message in self._retained.values()}
        assert len(payloads) == len(self._retained)
        return payloads

    def start(self, time: float = 0.0) -> list[str]:
        return self._keep(self.reporter.start(at(time)))

    def status(
        self,
        time: float,
        values: dict[str, Any],
        alarm: Any = UNKNOWN,
        device_info: Any = DEVICE_INFO,
    ) -> list[str]:
        alarms = self.alarms.update(alarm, at(time).isoformat())
        readings = readings_of(values, time, alarms)
        return self._keep(self.reporter.on_status(readings, device_info, at(time)))

    def settings(
        self, time: float, values: dict[str, Any], device_info: Any = DEVICE_INFO
    ) -> list[str]:
        return self._keep(
            self.reporter.on_settings(readings_of(values, time), device_info, at(time))
        )

    def link(self, time: float, reason: str) -> list[str]:
        if not reason:
            return self._keep(self.reporter.on_connected(at(time)))
        return self._keep(self.reporter.on_disconnected(reason, at(time)))

    def advance(self, time: float) -> list[str]:
        return self._keep(self.reporter.advance(at(time)))

    def stop(self, time: float) -> list[str]:
        return self._keep(self.reporter.stop(at(time)))


def online(**options: Any) -> Story:
    """Begin a story with a status at 0 s: soc 50."""
    story = Story(**options)
    story.start()
    story.status(0, {"soc": 50})
    return story


# --- availability ---


def test_the_first_message_of_a_run_is_offline() -> None:
    story = Story()
    assert story.start() == ["availability=offline"]
    assert story.reasons == ["waiting for the first status frame"]
    assert (story.reporter.online, story.reporter.reason) == (
        False,
        "waiting for the first status frame",
    )


def test_the_first_status_makes_the_bms_online_and_publishes_everything() -> None:
    story = Story()
    story.start()
    assert story.status(1, {"soc": 50, "voltage": 13.2, "cell_min": UNKNOWN, "power": None}) == [
        "availability=online",
        DEVICE,
        "soc=50",
        "voltage=13.2",
        "cell_min=None",
    ]
    assert story.reasons[-1] == "status frames arrive"
    assert story.reporter.online


def test_the_bms_is_offline_once_it_is_silent_for_stale_after() -> None:
    story = online(stale_after=30)
    assert story.advance(29.999) == []
    assert story.advance(31) == ["availability=offline"]
    assert story.messages[-1].time == 30
    assert story.reasons[-1] == "no status frame for 30 s"
    assert not story.reporter.online


def test_settings_and_a_connection_do_not_keep_the_bms_online() -> None:
    story = online(stale_after=30)
    story.settings(20, {"capacity": 320})
    story.link(25, "")
    assert story.advance(30) == ["availability=offline"]


def test_before_the_first_frame_the_reason_is_the_problem_of_the_link() -> None:
    story = Story(refresh=60)
    story.start()
    assert story.link(1, "connection refused") == []
    assert story.reporter.reason == "connection refused"
    story.advance(60)
    assert story.reasons == ["waiting for the first status frame", "connection refused"]
    story.link(61, "")
    assert story.reporter.reason == "waiting for the first status frame"


def test_a_reason_describes_the_link_as_it_is_now() -> None:
    story = online(refresh=1000, stale_after=30)
    reasons = [story.reporter.reason]
    steps: list[Callable[[], Any]] = [
        lambda: story.link(1, "connection refused"),
        lambda: story.link(2, ""),
        lambda: story.link(3, "connection reset"),
        lambda: story.status(4, {"soc": 50}),
        lambda: story.link(5, "connection reset"),
        lambda: story.advance(34),
        lambda: story.link(35, "connection refused"),
        lambda: story.link(36, ""),
        lambda: story.status(37, {"soc": 50}),
    ]
    for step in steps:
        step()
        reasons.append(story.reporter.reason)
    assert reasons == [
        "status frames arrive",
        "no new data: connection refused",
        "status frames arrive",
        "no new data: connection reset",
        "status frames arrive",
        "no new data: connection reset",
        "no status frame for 30 s: connection reset",
        "connection refused",
        "connected, waiting for a status frame",
        "status frames arrive",
    ]


def test_availability_is_repeated_at_the_refresh_online_and_offline() -> None:
    story = Story(refresh=60, stale_after=100)
    story.start(0)
    story.status(30, {"soc": 50})
    for time in range(31, 301):
        story.advance(time)
    sent = [(m.time, m.payload, m.seq) for m in story.messages if m.key == "availability"]
    assert sent == [
        (0, "offline", 1),
        (30, "online", 2),
        (90, "online", 3),
        (130, "offline", 4),
        (190, "offline", 5),
        (250, "offline", 6),
    ]


def test_the_last_message_of_a_run_is_offline() -> None:
    story = online()
    assert story.stop(5) == ["availability=offline"]
    assert story.reasons[-1] == "stopped"
    assert story.messages[-1].time == 5
    assert story.retained == {"availability": "offline", "device": {"units": [UNIT]}}


def test_a_late_stop_publishes_what_was_due_first() -> None:
    story = online(stale_after=30)
    assert story.stop(40) == ["availability=offline", "availability=offline"]
    assert story.reasons[-2:] == ["no status frame for 30 s", "stopped"]


def test_after_an_offline_the_first_frame_publishes_everything_and_seq_goes_on() -> None:
    story = online(stale_after=30, refresh=1000)
    story.settings(1, {"capacity": 320})
    story.advance(40)
    assert story.status(50, {"soc": 50}) == ["availability=online", "soc=50", "capacity=320"]
    assert [m.seq for m in story.messages if m.key == "soc"] == [1, 2]
    assert [m.seq for m in story.messages if m.key == "capacity"] == [1, 2]


def test_while_offline_only_availability_and_device_are_retained() -> None:
    story = online(emit="both")
    story.settings(1, {"capacity": 320})
    story.status(2, {"soc": 51}, alarm=Alarm(1, "x", 2, 3))
    assert story.retained == {
        "availability": "online",
        "device": {"units": [UNIT]},
        "soc": 51,
        "capacity": 320,
        "snapshot": {"soc": 51, "capacity": 320},
    }
    story.advance(100)
    assert story.retained == {"availability": "offline", "device": {"units": [UNIT]}}


@pytest.mark.parametrize("advances", [True, False])
def test_what_is_published_again_in_the_batch_of_an_offline_is_retained(
    advances: bool,
) -> None:
    story = online(emit="both", stale_after=30)
    story.settings(1, {"capacity": 320})
    story.status(2, {"soc": 50, "gone": 1})
    if advances:
        story.advance(35)
    assert story.status(40, {"soc": 50})[-4:] == [
        "availability=online",
        "soc=50",
        "capacity=320",
        "snapshot={'soc': 50, 'capacity': 320}",
    ]
    assert story.retained == {
        "availability": "online",
        "device": {"units": [UNIT]},
        "soc": 50,
        "capacity": 320,
        "snapshot": {"soc": 50, "capacity": 320},
    }


def test_a_held_value_whose_sensor_goes_is_not_due_for_ever() -> None:
    story = Story(min_interval=1.5)
    story.start()
    story.status(0, {"soc": 50, "soh": 90})
    story.status(1, {"soc": 51, "soh": 90})  # held until 1.5
    story.status(1.2, {"soh": 90})
    story.advance(2)
    assert "soc" not in story.retained


# --- only and except ---

SELECTED_KEYS = ("soc", "!link/frames", "cell_voltage/1/1", "cell_voltage/1/2", "cell_voltage/2/1")
PATTERNS = st.lists(
    st.sampled_from(["soc", "soc,link/*", "cell_voltage/*", "cell_voltage/?/1", "*/2/*"]),
    max_size=2,
)
FRAMES = st.lists(
    st.dictionaries(st.sampled_from(SELECTED_KEYS), st.sampled_from([1, 2, None]), min_size=1),
    max_size=8,
)


@given(FRAMES, PATTERNS, PATTERNS, st.sampled_from(["changes", "all"]))
def test_what_is_selected_is_published_as_without_a_selection(
    frames: list[dict[str, Any]], only: list[str], leave_out: list[str], report: str
) -> None:
    def published(**options: Any) -> list[Message]:
        story = Story(emit="both", report=report, refresh=2, min_interval=1.5, **options)
        story.start()
        story.settings(0, {"cell_voltage/9/9": 1})
        for time, frame in enumerate(frames):
            story.status(time, frame)
        story.stop(len(frames))
        return story.messages

    def is_selected(key: str) -> bool:
        def matches(texts: list[str]) -> bool:
            return any(fnmatchcase(key, p) for text in texts for p in text.split(","))

        return (not only or matches(only)) and not matches(leave_out)

    always = ("availability", "device")
    selected = published(only=tuple(only), leave_out=tuple(leave_out))
    everything = published()
    assert [m for m in selected if m.key != "snapshot"] == [
        m for m in everything if m.key in always or (m.key != "snapshot" and is_selected(m.key))
    ]
    snapshots = {m.time: m.payload for m in everything if m.key == "snapshot"}
    for message in selected:
        if message.key == "snapshot" and message.time in snapshots:
            assert message.payload == {
                key: value for key, value in snapshots[message.time].items() if is_selected(key)
            }


def test_of_the_changed_columns_the_selected_ones_are_left_under_their_new_numbers() -> None:
    readings = readings_of({"voltage": 51, "soc": 50, "current": 2, "power": 102}, 0)
    readings.changed = [3, 0, 1]
    selected = SelectedColumns(Selection((), ("voltage", "current"))).of(readings)
    assert [sensor.key for sensor in selected.sensors] == ["soc", "power"]
    assert selected.values == [50, 102]
    assert selected.changed == [1, 0]


def test_an_alarm_is_published_though_nothing_is_selected() -> None:
    story = online(leave_out=("*",))
    story.status(1, {"soc": 51}, alarm=Alarm(1, "x", 2, 3))
    assert [m.key for m in story.messages] == ["availability", "availability", "device", "event"]


# --- readings ---


def test_only_changes_are_published() -> None:
    story = online()
    assert story.status(1, {"soc": 50}) == []
    assert story.status(2, {"soc": 51}) == ["soc=51"]
    assert story.status(3, {"soc": UNKNOWN}) == ["soc=None"]
    assert story.status(4, {"soc": UNKNOWN}) == []
    assert story.status(5, {"soc": 51}) == ["soc=51"]
    assert [m.seq for m in story.messages if m.key == "soc"] == [1, 2, 3, 4]


def test_with_all_every_frame_publishes_everything() -> None:
    story = online(report="all", refresh=10)
    assert story.status(1, {"soc": 50, "!last_update": "x"}) == ["soc=50", "last_update=x"]
    assert story.status(2, {"soc": 50, "!last_update": "x"}) == ["soc=50", "last_update=x"]


def test_0_and_false_are_values() -> None:
    story = Story()
    story.start()
    assert story.status(0, {"current": 0.0, "problem": False, "error_message": ""})[2:] == [
        "current=0.0",
        "problem=False",
        "error_message=",
    ]


# --- min_interval ---


def test_the_rate_of_a_topic_is_limited_and_the_last_value_of_a_burst_goes_out() -> None:
    story = online(min_interval=10)
    assert story.status(1, {"soc": 51}) == []
    assert story.status(2, {"soc": 52}) == []
    assert story.advance(9.9) == []
    assert story.advance(10) == ["soc=52"]
    # It is dated at the frame that it comes from.
    assert story.messages[-1] == Message(2, "soc", 52, 2)
    assert story.status(15, {"soc": 53}) == []
    assert story.status(21, {"soc": 53}) == ["soc=53"]
    assert story.advance(29) == []


def test_with_all_every_frame_values_are_held_like_the_others() -> None:
    story = Story(report="all", min_interval=10)
    story.start()
    story.status(0, {"!last_update": "a", "soc": 50})
    assert story.status(1, {"!last_update": "b", "soc": 50}) == []
    assert story.advance(10) == ["last_update=b", "soc=50"]


def test_with_all_a_status_does_not_drop_held_settings() -> None:
    story = online(report="all", refresh=20, min_interval=10)
    story.settings(5, {"settings/capacity": 320})
    assert story.settings(6, {"settings/capacity": 320}) == []
    assert story.status(7, {"soc": 50}) == []
    assert story.advance(15) == ["soc=50", "settings/capacity=320"]


@pytest.mark.parametrize("emit", ["readings", "snapshot", "both"])
def test_nothing_that_was_held_is_published_while_offline_or_after(emit: str) -> None:
    story = online(emit=emit, min_interval=50, stale_after=30, refresh=1000)
    assert story.settings(0.5, {"capacity": 320}) == (["capacity=320"] * (emit != "snapshot"))
    story.settings(1, {"capacity": 300})
    story.status(2, {"soc": 51})
    assert story.advance(500) == ["availability=offline"]
    back = story.status(501, {"soc": 52})
    assert back[0] == "availability=online"
    assert not any("51" in line for line in back)
    assert story.advance(530) == []


def test_a_refresh_obeys_min_interval() -> None:
    story = Story(min_interval=20, refresh=5, stale_after=1000)
    story.start()
    story.status(0, {"soc": 50})
    story.settings(0, {"capacity": 320})
    for time in range(1, 45):
        story.status(time, {"soc": 50})
    for key in ("soc", "capacity"):
        assert [m.seq for m in story.messages if m.key == key] == [1, 2, 3]


def test_settings_are_limited_too() -> None:
    story = online(min_interval=10)
    assert story.settings(1, {"capacity": 320}) == ["capacity=320"]
    assert story.settings(2, {"capacity": 300}) == []
    assert story.advance(11) == ["capacity=300"]


# --- what is no longer there ---


def test_a_unit_that_drops_out_is_null_once_and_comes_back_with_its_counts() -> None:
    story = Story()
    story.start()
    story.status(0, {"cell_voltage/2/1": 3.3, "cell_voltage/5/1": 3.4})
    assert story.status(1, {"cell_voltage/5/1": 3.4}) == ["cell_voltage/2/1=None"]
    assert "cell_voltage/2/1" not in story.retained
    assert story.status(2, {"cell_voltage/5/1": 3.4}) == []
    # It comes back at another place of the frame.
    assert story.status(3, {"cell_voltage/5/1": 3.4, "cell_voltage/2/1": 3.3}) == [
        "cell_voltage/2/1=3.3"
    ]
    assert story.status(4, {"cell_voltage/2/1": 3.3, "cell_voltage/5/1": 3.4}) == []
    assert [m.seq for m in story.messages if m.key == "cell_voltage/2/1"] == [1, 2, 3]
    assert [m.seq for m in story.messages if m.key == "cell_voltage/5/1"] == [1]


def test_a_value_that_is_gone_with_its_unit_is_null_once() -> None:
    story = online()
    story.settings(1, {"level V": 3.5})
    assert story.settings(2, {"level": None}) == ["level=None"]
    assert "level" not in story.retained


# --- settings ---


def test_settings_that_changed_while_offline_are_published_in_their_newest_state() -> None:
    story = online(stale_after=30)
    story.settings(1, {"capacity": 320, "cycles": 37})
    story.advance(40)
    assert story.settings(41, {"capacity": 300}) == []
    assert story.status(42, {"soc": 50}) == ["availability=online", "soc=50", "capacity=300"]


def test_settings_are_refreshed_though_the_bms_does_not_repeat_them() -> None:
    story = online(refresh=10)
    story.settings(3.5, {"capacity": 320})
    sent = [
        time
        for time in range(1, 40)
        if time > 3 and "capacity=320" in story.status(time, {"soc": 50})
    ]
    assert sent == [14, 24, 34]
    assert [m.time for m in story.messages if m.key == "capacity"] == [3.5] * 4


# --- the device message ---


def test_the_device_message_is_published_when_it_changes() -> None:
    story = online()
    assert story.status(1, {"soc": 50}, device_info=DeviceInfo(units=(UnitInfo(2, 4, 1),))) == []
    more = DeviceInfo(units=(UnitInfo(2, 4, 1), UnitInfo(3, 4, 1)))
    assert story.status(2, {"soc": 50}, device_info=more) == [
        (
            "device={'units': [{'address': 2, 'cells': 4, 'sensors': 1}, "
            "{'address': 3, 'cells': 4, 'sensors': 1}]}"
        )
    ]
    known = DeviceInfo(units=(), model="ABMS", chemistry="LiFePO4 Winston", capacity=320.0)
    assert story.settings(3, {}, device_info=known) == [
        "device={'units': [], 'model': 'ABMS', 'chemistry': 'LiFePO4 Winston', 'capacity': 320.0}"
    ]


def test_a_device_message_that_changed_while_offline_comes_with_the_next_status() -> None:
    story = online(stale_after=30)
    story.advance(40)
    known = DeviceInfo(units=(), model="ABMS")
    assert story.settings(41, {}, device_info=known) == []
    assert story.status(42, {"soc": 50}, device_info=known) == [
        "availability=online",
        "device={'units': [], 'model': 'ABMS'}",
        "soc=50",
    ]


# --- events ---


def event(name: str, alarm: Alarm) -> str:
    advice = {1: "Wait: the BMS balances the cells down.", 2: "Plug in the charger."}
    payload = {
        "event": name,
        "number": alarm.number,
        "text": alarm.text,
        "advice": advice.get(alarm.number or 0, ""),
        "unit": alarm.unit,
        "cell": alarm.cell,
    }
    return f"event={payload}"


FIRST = Alarm(1, "Cell voltage too high", 2, 3)
SECOND = Alarm(2, "Cell voltage too low", 2, 3)
ELSEWHERE = Alarm(1, "Cell voltage too high", 2, 4)


def test_an_alarm_is_raised_once_and_cleared_once() -> None:
    story = online()
    assert story.status(1, {"soc": 50}, alarm=FIRST) == [event("alarm_raised", FIRST)]
    assert "event" not in story.retained  # it is true only once
    assert story.status(2, {"soc": 50}, alarm=FIRST) == []
    assert story.status(3, {"soc": 50}, alarm=UNKNOWN) == []
    assert story.status(4, {"soc": 50}, alarm=None) == [event("alarm_cleared", FIRST)]
    assert story.status(5, {"soc": 50}, alarm=None) == []


@pytest.mark.parametrize("other", [SECOND, ELSEWHERE])
def test_another_alarm_or_place_clears_the_first_one(other: Alarm) -> None:
    story = online()
    story.status(1, {"soc": 50}, alarm=FIRST)
    assert story.status(2, {"soc": 50}, alarm=other) == [
        event("alarm_cleared", FIRST),
        event("alarm_raised", other),
    ]


def test_an_alarm_that_outlasts_an_offline_is_not_raised_again() -> None:
    story = online(stale_after=30)
    story.status(1, {"soc": 50}, alarm=FIRST)
    story.advance(40)
    assert story.status(50, {"soc": 50}, alarm=FIRST) == ["availability=online", "soc=50"]
    story.advance(100)
    assert story.status(110, {"soc": 50}, alarm=None)[-1] == event("alarm_cleared", FIRST)


def test_an_alarm_of_the_first_frame_comes_behind_the_readings() -> None:
    story = Story()
    story.start()
    assert story.status(0, {"soc": 50}, alarm=FIRST)[-2:] == [
        "soc=50",
        event("alarm_raised", FIRST),
    ]
    assert "event" not in story.retained


# --- snapshots ---


def test_a_snapshot_holds_all_readings_and_the_settings() -> None:
    story = Story(emit="snapshot")
    story.start()
    assert story.settings(1, {"capacity": 320, "cycles": None}) == []
    frame = {"soc": 50, "cell_min": UNKNOWN, "power": None, "!last_update": "x"}
    assert story.status(2, frame) == [
        "availability=online",
        DEVICE,
        "snapshot={'soc': 50, 'cell_min': None, 'last_update': 'x', 'capacity': 320}",
    ]


def test_a_snapshot_goes_out_when_any_of_its_values_has_changed() -> None:
    story = online(emit="snapshot", refresh=30)
    assert story.status(1, {"soc": 50}) == []
    assert story.status(2, {"soc": 51}) == ["snapshot={'soc': 51}"]
    assert story.settings(3, {"capacity": 320}) == []
    assert story.status(4, {"soc": 51}) == ["snapshot={'soc': 51, 'capacity': 320}"]
    assert story.status(33, {"soc": 51}) == ["availability=online"]
    assert story.status(34, {"soc": 51}) == ["snapshot={'soc': 51, 'capacity': 320}"]


def test_a_reading_that_comes_back_has_its_old_place_in_the_snapshot() -> None:
    story = Story(emit="snapshot")
    story.start()
    story.status(0, {"soc": 50, "voltage": 13.2})
    assert story.status(1, {"soc": None, "voltage": 13.3}) == ["snapshot={'voltage': 13.3}"]
    assert story.status(2, {"soc": 51, "voltage": 13.3}) == [
        "snapshot={'soc': 51, 'voltage': 13.3}"
    ]


def test_every_frame_values_do_not_make_a_snapshot_due() -> None:
    story = Story(emit="snapshot", refresh=30)
    story.start()
    story.status(0, {"soc": 50, "!last_update": "a"})
    assert story.status(1, {"soc": 50, "!last_update": "b"}) == []
    assert story.status(2, {"soc": 51, "!last_update": "c"}) == [
        "snapshot={'soc': 51, 'last_update': 'c'}"
    ]


def test_the_same_values_of_another_unit_are_another_snapshot() -> None:
    story = Story(emit="snapshot")
    story.start()
    story.status(0, {"bms_temperature/2": 25.0})
    assert story.status(1, {"bms_temperature/3": 25.0}) == ["snapshot={'bms_temperature/3': 25.0}"]


def test_with_all_every_frame_gives_a_snapshot() -> None:
    story = online(emit="snapshot", report="all")
    assert story.status(1, {"soc": 50}) == ["snapshot={'soc': 50}"]


def test_snapshots_are_limited_too_and_the_last_one_of_a_burst_goes_out() -> None:
    story = online(emit="snapshot", min_interval=10)
    assert story.status(1, {"soc": 51}) == []
    assert story.status(2, {"soc": 52}) == []
    assert story.advance(9.9) == []
    assert story.advance(10) == ["snapshot={'soc': 52}"]
    assert story.messages[-1].time == 2
    assert story.advance(25) == []


# --- time ---


class Step(NamedTuple):
    """Something that happens `after` so many seconds."""

    after: float
    what: str
    soc: Any
    extra: Any


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from([0.0, 0.25, 1.0, 3.0, 7.5, 12.0, 40.0]),
        st.sampled_from(["status", "status", "status", "settings", "link"]),
        st.sampled_from([50, 51, UNKNOWN, None]),
        st.sampled_from([1, 2, None, "absent"]),
    ),
    max_size=12,
)
OPTIONS = st.fixed_dictionaries(
    {
        "emit": st.sampled_from(["readings", "snapshot", "both"]),
        "report": st.sampled_from(["changes", "all"]),
        "refresh": st.sampled_from([5.0, 60.0]),
        "min_interval": st.sampled_from([0.0, 2.0, 10.0]),
        "stale_after": st.sampled_from([4.0, 30.0]),
    }
)


def played(options: dict[str, Any], steps: list[Step], looks: list[float]) -> Story:
    """Play the steps; `looks` are the times between them at which `advance` is called."""
    story = Story(**options)
    story.start()
    now = 0.0
    for after, what, soc, extra in [*steps, Step(100.0, "stop", None, None)]:
        for look in sorted(looks):
            if now < look <= now + after:
                story.advance(look)
        now += after
        values = {"soc": soc} if extra == "absent" else {"soc": soc, "extra": extra}
        if what == "status":
            story.status(now, values, alarm=FIRST if soc == 51 else None)
        elif what == "settings":
            story.settings(now, {f"settings/{key}": value for key, value in values.items()})
        elif what == "link":
            story.link(now, "refused" if soc == 51 else "")
        else:
            story.stop(now)
    return story


def without_repeats(story: Story) -> list[tuple[Any, ...]]:
    """Return the messages without the repeats of the availability, which may be skipped."""
    kept: list[tuple[Any, ...]] = []
    reasons = iter(story.reasons)
    last: tuple[str, str] | None = None
    for message in story.messages:
        if message.key != "availability":
            kept.append(message)
            continue
        state = (message.payload, next(reasons))
        if state != last:
            kept.append((message.time, *state))
        last = state
    return kept


@given(OPTIONS, STEPS, st.lists(st.floats(0, 400), max_size=20))
def test_calling_advance_often_or_late_gives_the_same_messages(
    options: dict[str, Any], steps: list[Step], looks: list[float]
) -> None:
    often, never = played(options, steps, looks), played(options, steps, [])
    assert without_repeats(often) == without_repeats(never)
    assert often.retained == never.retained


@pytest.mark.parametrize("gap", [61.0, 3600.0, 3.2e7])
def test_of_missed_repeats_of_the_availability_only_the_newest_is_published(gap: float) -> None:
    story = online(refresh=10, stale_after=30)
    story.advance(gap)
    sent = [(m.time, m.payload) for m in story.messages[1:] if m.key == "availability"]
    newest = 30 + (gap - 30) // 10 * 10
    assert sent == [(0, "online"), (30, "online"), (30, "offline"), (newest, "offline")]
    assert story.advance(newest + 9.99) == []
    assert story.advance(newest + 10) == ["availability=offline"]


# --- next_due ---


@given(OPTIONS, STEPS)
def test_advance_has_something_to_publish_at_next_due_and_nothing_before(
    options: dict[str, Any], steps: list[Step]
) -> None:
    story = Story(**options)
    assert story.reporter.next_due(5.0) == float("inf")
    story.start()
    now = 0.0
    for step in steps:
        end = now + step.after
        while (due := story.reporter.next_due(now)) < end:
            assert due >= now
            if now < due:
                assert story.advance((now + due) / 2) == []
            now = due
            assert story.advance(now) != []
        now = end
        values = {"soc": step.soc} if step.extra == "absent" else {"soc": step.soc, "x": step.extra}
        if step.what == "status":
            story.status(now, values)
        elif step.what == "settings":
            story.settings(now, {f"settings/{key}": value for key, value in values.items()})
        else:
            story.link(now, "refused" if step.soc == 51 else "")
    story.stop(now)
    assert story.reporter.next_due(now) == float("inf")
    assert story.advance(now + 1e6) == []


@given(OPTIONS, STEPS)
def test_counts_have_no_gaps_and_no_reading_is_sent_while_offline(
    options: dict[str, Any], steps: list[Step]
) -> None:
    story = played(options, steps, [])
    counts: dict[str, int] = {}
    is_online = False
    for message in story.messages:
        counts[message.key] = counts.get(message.key, 0) + 1
        assert message.seq == counts[message.key]
        if message.key == "availability":
            is_online = message.payload == "online"
        else:
            assert is_online
    assert story.messages[0].payload == story.messages[-1].payload == "offline"


@given(OPTIONS, STEPS)
def test_what_is_retained_is_what_the_last_frame_has(
    options: dict[str, Any], steps: list[Step]
) -> None:
    story = Story(**options)
    story.start()
    now = 0.0
    for after, _, soc, extra in steps:
        now += after
        values = {"soc": soc} if extra == "absent" else {"soc": soc, "extra": extra}
        story.status(now, values)
        story.advance(now)
    # By then whatever was held is published.
    story.advance(now + options["min_interval"])
    if steps and options["min_interval"] < options["stale_after"]:
        true = {
            key: None if value is UNKNOWN else value
            for key, value in values.items()
            if value is not None
        }
        if options["emit"] != "snapshot":
            found = {key: story.retained[key] for key in ("soc", "extra") if key in story.retained}
            assert found == true
        if options["emit"] != "readings":
            assert story.retained["snapshot"] == true


@given(OPTIONS, STEPS)
def test_two_values_of_a_topic_are_at_least_min_interval_apart(
    options: dict[str, Any], steps: list[Step]
) -> None:
    story = Story(**options)
    story.start()
    sent: dict[str, float] = {}
    quarters = 0  # all times of the story are whole quarters of a second
    for step in steps:
        end = quarters + int(step.after * 4)
        for quarter in range(quarters + 1, end + 1):
            before = len(story.messages)
            story.advance(quarter / 4)
            if quarter == end:
                values = {"soc": step.soc, "extra": step.extra}
                story.status(quarter / 4, {k: v for k, v in values.items() if v != "absent"})
            for message in story.messages[before:]:
                if message.payload == "offline":
                    sent.clear()  # after an offline everything is published again
                elif message.key in ("soc", "extra", "snapshot") and message.payload is not None:
                    last = sent.get(message.key, -1000.0)
                    assert quarter / 4 - last >= options["min_interval"]
                    sent[message.key] = quarter / 4
        quarters = end


TIMED: dict[str, Callable[[Reporter, Instant], Any]] = {
    "start": Reporter.start,
    "connected": Reporter.on_connected,
    "disconnected": lambda reporter, now: reporter.on_disconnected("timeout", now),
    "empty": lambda reporter, now: reporter.on_empty_status("no data", now),
    "status": lambda reporter, now: reporter.on_status(
        readings_of({"voltage": 13.0}, 0), DEVICE_INFO, now
    ),
    "settings": lambda reporter, now: reporter.on_settings(
        readings_of({"settings/capacity": 320.0}, 0), DEVICE_INFO, now
    ),
}


@pytest.mark.parametrize("step", TIMED)
def test_what_falls_due_is_dated_by_the_clock_of_the_last_step(step: str) -> None:
    """The wall clock may have been set since the step before."""
    story = Story(refresh=60, stale_after=15)
    story.reporter.start(at(0))
    TIMED[step](story.reporter, Instant(10, WALL + 5010))
    due = min(due for due in (10, 15, 25, 60, 70) if story.reporter.next_due(0) == due)
    (message,) = story.reporter.advance(at(due)).messages
    assert Message.of(message[1]).time == 5000 + due
