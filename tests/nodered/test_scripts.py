"""The JavaScript of the flows' function nodes, run by Node.js."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.function_node import NODE, needs_node, run_scripts

from recbms_zmq.nodered.layout import script

SCRIPTS = Path(__file__).parents[2] / "recbms_zmq" / "nodered" / "scripts"
SOC = {
    "topic": "recbms/main/soc",
    "payload": 28.5,
    "kind": "reading",
    "device": "main",
    "device_name": "REC BMS",
    "key": "soc",
    "name": "State of charge",
    "unit": "%",
    "ts": "2026-11-22T10:44:39.123Z",
    "seq": 17,
    "run": "5f3a9c01",
    "ha": {"component": "sensor", "device_class": "battery", "state_class": "measurement"},
}
CHARGING = {
    **{word: SOC[word] for word in SOC if word != "unit"},
    "topic": "recbms/main/charging",
    "payload": True,
    "key": "charging",
    "name": "Charging",
    "ha": {"component": "binary_sensor", "device_class": "battery_charging"},
}
RESISTANCE = {
    **SOC,
    "topic": "recbms/main/cell_resistance/2/1",
    "payload": 1.95,
    "key": "cell_resistance/2/1",
    "name": "Unit 2 cell 1 resistance",
    "unit": "mΩ",
    "ha": {"component": "sensor", "enabled_by_default": False},
}
AVAILABILITY = {
    "topic": "recbms/main/availability",
    "payload": "online",
    "reason": "a status frame came",
    "kind": "availability",
    "device": "main",
    "device_name": "REC BMS",
    "key": "availability",
    "name": "Availability",
}
OFFLINE = {**AVAILABILITY, "payload": "offline"}

pytestmark = needs_node


def run(body: str, *messages: dict[str, Any], start: str = "", **env: Any) -> list[dict[str, Any]]:
    """Give messages to a function node; return what it did with each."""
    return run_scripts(script(start) if start else "", script(body), messages, **env)


def changes(*messages: dict[str, Any], **env: Any) -> list[list[tuple[Any, ...]]]:
    """Return (key, payload, first, online) of what each message let through."""
    return [
        [(each["key"], each["payload"], each["first"], each["online"]) for each in done["sent"][0]]
        for done in run("changes", *messages, start="changes_start", **env)
    ]


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.js")), ids=lambda path: path.name)
def test_a_script_is_valid_javascript(path: Path) -> None:
    assert NODE is not None
    subprocess.run([NODE, "--check", str(path)], check=True)


def test_a_line_becomes_the_message_itself() -> None:
    assert run("message", {"payload": SOC, "_msgid": "1"})[0]["sent"] == SOC


@pytest.mark.parametrize(
    "payload",
    [
        None,
        7,
        "text",
        True,
        [],
        {"topic": 1, "kind": "reading", "payload": 1},
        {"topic": "a", "kind": 1, "payload": 1},
        {"topic": "a", "kind": "reading"},
    ],
)
def test_what_is_no_message_is_an_error_and_goes_no_further(payload: Any) -> None:
    [done] = run("message", {"payload": payload})
    assert (done["sent"], done["errors"]) == (None, ["not a message of recbms-zmq"])


def test_the_first_reading_passes_whole_and_asks_for_a_confirmation() -> None:
    [done] = run("changes", {**SOC, "_msgid": "1"}, start="changes_start")
    assert done["sent"] == [[{**SOC, "first": True, "online": True}], {"payload": "confirm"}]


def test_a_reading_passes_again_only_when_it_has_changed() -> None:
    assert changes(SOC, {**SOC, "seq": 18}, {**SOC, "payload": 28.6}, {**SOC, "payload": None}) == [
        [("soc", 28.5, True, True)],
        [],
        [("soc", 28.6, False, True)],
        [("soc", None, False, True)],
    ]


def test_a_sensor_that_is_described_anew_is_announced_anew() -> None:
    assert changes(SOC, {**SOC, "device_name": "House"}, {**SOC, "device_name": "House"}) == [
        [("soc", 28.5, True, True)],
        [("soc", 28.5, True, True)],
        [],
    ]


def test_what_is_disabled_at_first_passes_only_when_all_sensors_are_wanted() -> None:
    assert changes(RESISTANCE, ALL_SENSORS=False) == [[]]
    assert changes(RESISTANCE, ALL_SENSORS=True) == [[("cell_resistance/2/1", 1.95, True, True)]]


@pytest.mark.parametrize("kind", ["event", "snapshot", "device", "something new"])
def test_what_is_no_reading_does_not_pass(kind: str) -> None:
    message = {**AVAILABILITY, "kind": kind, "key": kind, "topic": f"recbms/main/{kind}"}
    assert changes({**message, "payload": {"event": "alarm_raised"}}) == [[]]


def test_a_service_without_words_for_home_assistant_is_named() -> None:
    bare = {word: SOC[word] for word in SOC if word != "ha"}
    [done] = run("changes", bare, start="changes_start")
    assert (done["sent"][0], done["statuses"]) == ([], ["the service runs with --bare"])


def test_offline_makes_every_reading_of_that_device_unknown_until_it_comes_again() -> None:
    other = {**SOC, "topic": "recbms/boat/soc", "device": "boat"}
    assert changes(AVAILABILITY, SOC, CHARGING, other, OFFLINE, OFFLINE, AVAILABILITY, SOC) == [
        [("availability", "online", True, True)],
        [("soc", 28.5, True, True)],
        [("charging", True, True, True)],
        [("soc", 28.5, True, True)],
        [
            ("availability", "offline", False, False),
            ("soc", None, False, False),
            ("charging", None, False, False),
        ],
        [],
        [("availability", "online", False, True)],
        [("soc", 28.5, False, True)],
    ]


def test_offline_is_news_also_of_a_reading_that_is_unknown_already() -> None:
    assert changes({**SOC, "payload": None}, OFFLINE) == [
        [("soc", None, True, True)],
        [("availability", "offline", True, False), ("soc", None, False, False)],
    ]


def test_silence_makes_every_reading_of_every_device_unknown() -> None:
    other = {**SOC, "topic": "recbms/boat/soc", "device": "boat"}
    # What a trigger node sends is the last message it saw, with the order on it.
    silence = {**SOC, "control": "offline"}
    assert changes(AVAILABILITY, SOC, other, silence, silence)[3:] == [
        [
            ("availability", "offline", False, False),
            ("soc", None, False, False),
            ("soc", None, False, False),
        ],
        [],
    ]


def test_when_home_assistant_has_restarted_everything_is_announced_again() -> None:
    assert changes(AVAILABILITY, SOC, CHARGING, {"control": "announce", "payload": "ready"})[3] == [
        ("availability", "online", True, True),
        ("soc", 28.5, True, True),
        ("charging", True, True, True),
    ]


def test_what_was_refused_is_held_and_later_announced_as_it_is_then() -> None:
    refused = {**SOC, "payload": {}, "error": {"message": "Client is not connected"}}
    later = {**refused, "control": "retry"}
    assert changes(SOC, CHARGING, refused, {**SOC, "payload": 29}, later, later) == [
        [("soc", 28.5, True, True)],
        [("charging", True, True, True)],
        [],
        [],
        [("soc", 29, True, True)],
        [],
    ]


def test_the_same_refusal_is_logged_once() -> None:
    refused = {**SOC, "error": {"message": "Client is not connected"}}
    other = {**CHARGING, "error": {"message": "Client is not connected"}}
    done = run("changes", SOC, CHARGING, refused, other, refused, start="changes_start")
    assert [text for each in done for text in each["warnings"]] == [
        "Not taken, will be sent again: Client is not connected"
    ]
    assert done[3]["statuses"] == ["sensors: 2, not taken yet: 2"]
    assert done[-1]["statuses"] == []


def test_new_sensors_are_said_once_more_when_they_are_confirmed() -> None:
    confirm = {"control": "confirm", "payload": 1}
    done = run("changes", SOC, {**SOC, "payload": 29}, confirm, confirm, start="changes_start")
    again = {**SOC, "payload": 29, "first": False, "online": True, "confirm": True}
    assert [each["sent"] for each in done[2:]] == [[[again], None], [[], None]]


def test_the_status_counts_the_sensors() -> None:
    done = run("changes", AVAILABILITY, SOC, SOC, CHARGING, OFFLINE, start="changes_start")
    assert [each["statuses"] for each in done] == [
        [],
        ["sensors: 1"],
        [],
        ["sensors: 2"],
        ["sensors: 2, offline"],
    ]


def discovery(message: dict[str, Any]) -> Any:
    [done] = run("discovery", message)
    sent = done["sent"]
    return sent and [each["payload"]["data"] for each in sent[0]]


def test_a_new_sensor_is_announced_to_the_companion_before_its_state() -> None:
    entity = {"server_id": "recbms", "node_id": "main_cell_resistance_2_1"}
    assert discovery({**RESISTANCE, "first": True, "online": True}) == [
        {
            "type": "nodered/discovery",
            **entity,
            "component": "sensor",
            "config": {
                "name": "REC BMS Unit 2 cell 1 resistance",
                "unit_of_measurement": "mΩ",
            },
            "state": 1.95,
            "attributes": {},
            "device_info": {
                "id": "recbms_main",
                "name": "REC BMS",
                "manufacturer": "REC",
                "model": "BMS",
            },
        },
        {"type": "nodered/entity", **entity, "state": 1.95, "attributes": {}},
    ]


def test_a_known_sensor_only_gets_its_state_and_options_with_the_confirmation() -> None:
    state = {**SOC, "payload": None, "first": False, "online": False}
    update: dict[str, Any] = {
        "type": "nodered/entity",
        "server_id": "recbms",
        "node_id": "main_soc",
        "state": None,
        "attributes": {},
    }
    assert discovery(state) == [update]
    ha = {"component": "sensor", "device_class": "enum", "options": ["a", "b"]}
    options = {
        "type": "nodered/entity/update_config",
        "server_id": "recbms",
        "node_id": "main_soc",
        "config": {"options": ["a", "b"]},
    }
    assert discovery({**state, "ha": ha, "confirm": True}) == [update, options]


@pytest.mark.parametrize("name", ["discovery", "states"])
def test_availability_itself_is_no_entity(name: str) -> None:
    assert run(name, {**AVAILABILITY, "first": True, "online": True})[0]["sent"] is None


def test_texts_are_cut_to_what_home_assistant_takes() -> None:
    long = {**SOC, "payload": "x" * 300, "first": False, "online": True}
    assert discovery(long)[0]["state"] == "x" * 255
    [done] = run("states", long)
    assert done["sent"]["payload"]["data"]["state"] == "x" * 255


@pytest.mark.parametrize(
    ("message", "state"),
    [
        ({**SOC, "online": True}, "28.5"),
        ({**SOC, "payload": 0, "online": True}, "0"),
        ({**SOC, "payload": "", "online": True}, ""),
        ({**SOC, "payload": None, "online": True}, "unknown"),
        ({**SOC, "payload": None, "online": False}, "unavailable"),
        ({**CHARGING, "online": True}, "on"),
        ({**CHARGING, "payload": False, "online": True}, "off"),
        ({**CHARGING, "payload": None, "online": True}, "unknown"),
    ],
)
def test_a_state_is_a_text_that_home_assistant_understands(
    message: dict[str, Any], state: str
) -> None:
    assert run("states", message)[0]["sent"]["payload"]["data"]["state"] == state


def test_a_reading_becomes_a_state_with_its_attributes() -> None:
    [done] = run("states", {**SOC, "device_name": "Größe: 48 V!", "first": True, "online": True})
    assert done["sent"]["payload"] == {
        "protocol": "http",
        "method": "post",
        "path": "states/sensor.gro_e_48_v_state_of_charge",
        "data": {
            "state": "28.5",
            "attributes": {
                "friendly_name": "Größe: 48 V! State of charge",
                "unit_of_measurement": "%",
                "device_class": "battery",
                "state_class": "measurement",
            },
        },
    }


MQTT = {"MQTT_DISCOVERY_PREFIX": "homeassistant", "MQTT_STATUS_TOPIC": "recbms/flow"}


def test_a_new_sensor_is_announced_on_mqtt_before_its_state() -> None:
    [done] = run("mqtt", {**CHARGING, "first": True, "online": True}, **MQTT)
    [announcement, state] = done["sent"][0]
    config = json.loads(announcement.pop("payload"))
    assert announcement == {
        "qos": 1,
        "retain": True,
        "topic": "homeassistant/binary_sensor/recbms_main_charging/config",
    }
    assert state == {
        "qos": 1,
        "retain": True,
        "topic": "recbms/main/charging",
        "payload": '{"value":true}',
    }
    assert config == {
        "unique_id": "recbms_main_charging",
        "name": "Charging",
        "state_topic": "recbms/main/charging",
        "value_template": "{{ value_json.value }}",
        "device_class": "battery_charging",
        "payload_on": "True",
        "payload_off": "False",
        "availability_mode": "all",
        "availability": [{"topic": "recbms/main/availability"}, {"topic": "recbms/flow"}],
        "device": {
            "identifiers": ["recbms_main"],
            "name": "REC BMS",
            "manufacturer": "REC",
            "model": "BMS",
        },
        "origin": {"name": "recbms-zmq"},
    }


def test_on_mqtt_the_last_values_stay_while_the_bms_is_offline() -> None:
    gone = {**SOC, "payload": None, "first": False, "online": False}
    offline = {**OFFLINE, "first": False, "online": False}
    assert [done["sent"] for done in run("mqtt", gone, offline, **MQTT)] == [
        None,
        {"qos": 1, "retain": True, "topic": "recbms/main/availability", "payload": "offline"},
    ]
