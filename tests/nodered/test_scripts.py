"""The JavaScript of the flows' function nodes, run by Node.js."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.function_node import needs_node, run_scripts

from recbms_zmq.nodered import FlowOptions, flow_json
from recbms_zmq.nodered.core_nodes import watch
from recbms_zmq.nodered.layout import script
from recbms_zmq.nodered.lovelace import entity_slug

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
    assert run_scripts("", path.read_text(encoding="utf-8")) == []


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
        *(
            {word: SOC[word] for word in SOC if word != missing}
            for missing in ("key", "device", "device_name")
        ),
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


def test_a_sensor_whose_description_changes_is_announced_again() -> None:
    assert changes(SOC, {**SOC, "device_name": "House"}, {**SOC, "device_name": "House"}) == [
        [("soc", 28.5, True, True)],
        [("soc", 28.5, True, True)],
        [],
    ]


def test_what_is_disabled_at_first_passes_only_when_all_sensors_are_wanted() -> None:
    assert changes(RESISTANCE, ALL_SENSORS=False) == [[]]
    assert changes(RESISTANCE, ALL_SENSORS=True) == [[("cell_resistance/2/1", 1.95, True, True)]]


@pytest.mark.parametrize("kind", ["event", "snapshot", "something new"])
def test_what_is_no_reading_does_not_pass(kind: str) -> None:
    message = {**AVAILABILITY, "kind": kind, "key": kind, "topic": f"recbms/main/{kind}"}
    assert changes({**message, "payload": {"event": "alarm_raised"}}) == [[]]


def test_a_service_without_words_for_home_assistant_is_named() -> None:
    bare = {word: SOC[word] for word in SOC if word != "ha"}
    [done] = run("changes", bare, start="changes_start")
    assert (done["sent"][0], done["statuses"]) == (
        [],
        ["recbms-zmq runs with --bare: take that option out"],
    )


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
    later = {"wait": 10000}
    done = run("changes", SOC, CHARGING, later, refused, other, refused, start="changes_start")
    assert [text for each in done for text in each["warnings"]] == [
        "no connection to Home Assistant. What was not sent is tried again every half minute."
    ]
    assert done[3]["statuses"] == ["no connection to Home Assistant"]
    assert done[-1]["statuses"] == []


def test_a_missing_companion_is_one_warning_after_a_deploy_and_one_after_a_restart() -> None:
    refused = {**SOC, "error": {"message": "Unknown command."}}
    announce = {"control": "announce"}
    deployed: list[dict[str, Any]] = [SOC, {"wait": 1000}, refused, {"wait": 2000}]
    deployed += [announce, refused]
    restarted: list[dict[str, Any]] = [{"wait": 60000}, announce, refused]
    done = run("changes", *deployed, *restarted, start="changes_start")
    assert [len(each["warnings"]) for each in done] == [0, 0, 1, 0, 0, 0, 0, 0, 1]
    assert [len(each["sent"][0]) for each in (done[4], done[7])] == [1, 1]


def test_values_that_come_before_the_first_connection_are_no_warning() -> None:
    refused = {**SOC, "error": {"message": "Client is not connected"}}
    retry = {"control": "retry"}
    early: list[dict[str, Any]] = [SOC, {"wait": 9900}, refused]
    done = run("changes", *early, {"wait": 100}, retry, refused, start="changes_start")
    assert [bool(each["warnings"]) for each in done] == [False] * 5 + [True]
    assert done[2]["statuses"] == ["no connection to Home Assistant"]


@pytest.mark.parametrize(
    ("error", "reason", "advice"),
    [
        (
            "Unknown command.",
            "Node-RED Companion is missing in Home Assistant",
            ": install it with HACS, then add the integration Node-RED Companion",
        ),
        (
            "Unauthorized",
            "the token is not that of an administrator",
            ": make one as an administrator",
        ),
        ("Client is not connected", "no connection to Home Assistant", ""),
        ("expected float", "expected float", ""),
    ],
)
def test_a_refusal_reads_as_a_sentence(error: str, reason: str, advice: str) -> None:
    refused = {**SOC, "error": {"message": error}}
    [*_, done] = run("changes", SOC, {"wait": 10000}, refused, start="changes_start")
    again = "What was not sent is tried again every half minute."
    assert done["warnings"] == [f"{reason}{advice}. {again}"]
    assert done["statuses"] == [reason]


def values(done: list[dict[str, Any]]) -> list[list[Any]]:
    """Return the payloads that were sent at each step, at once or by a timer."""
    return [
        [each["payload"] for out in (done_["sent"], *done_["later"]) if out for each in out[0]]
        for done_ in done
    ]


def test_a_value_is_held_back_for_the_interval_and_the_last_one_of_a_burst_is_sent() -> None:
    burst: list[dict[str, Any]] = [{**SOC, "payload": value} for value in (28.6, 28.7, 28.8)]
    back = {**SOC, "payload": 28.8}
    done = run(
        "changes",
        *(SOC, *burst, {"wait": 9000}, {"wait": 2000}, {"wait": 20000}),
        *({**SOC, "payload": 30}, {**SOC, "payload": 31}, back | {"payload": 30}, {"wait": 60000}),
        start="changes_start",
        MIN_INTERVAL=10,
    )
    assert values(done) == [[28.5], [], [], [], [], [28.8], [], [30], [], [], []]


@pytest.mark.parametrize("key", ["problem", "error_number", "error_text", "error_cell"])
def test_alarms_are_never_held_back(key: str) -> None:
    alarm = {**SOC, "key": key, "topic": f"recbms/main/{key}"}
    done = run(
        "changes",
        *(alarm, {**alarm, "payload": 1}, {**alarm, "payload": 2}),
        start="changes_start",
        MIN_INTERVAL=10,
    )
    assert values(done) == [[28.5], [1], [2]]


def test_a_reading_takes_the_same_time_however_many_sensors_there_are() -> None:
    others = [
        {**SOC, "topic": f"recbms/main/k{number}", "key": f"k{number}"} for number in range(9)
    ]
    values: list[dict[str, Any]] = [{**SOC, "payload": value} for value in (29, 29, 30)]
    held: list[dict[str, Any]] = [{**SOC, "payload": value} for value in (31, 32, 33)]
    messages: list[dict[str, Any]] = [*others, SOC, {"wait": 10_000}, *values[:2]]
    messages += [{"wait": 20_000}, values[2], *held]
    done = run("changes", *messages, start="changes_start", MIN_INTERVAL=10)
    # To set the timer for held values, it looks at all of them once.
    assert [each["walks"] for each in done[len(others) + 2 :]] == [0, 0, 0, 0, 1, 0, 0]


def test_availability_and_what_it_makes_unknown_are_never_held_back() -> None:
    unknown = {**SOC, "payload": None}
    done = run(
        "changes",
        *(AVAILABILITY, SOC, {**SOC, "payload": 29}, OFFLINE, AVAILABILITY, SOC),
        *(unknown, SOC, {**SOC, "payload": 30}, {"control": "offline"}, {"wait": 60000}),
        start="changes_start",
        MIN_INTERVAL=10,
    )
    assert values(done) == [
        *(["online"], [28.5], [], ["offline", None], ["online"], [28.5]),
        *([None], [28.5], [], ["offline", None], []),
    ]


def test_the_model_of_the_device_is_announced_when_it_is_known() -> None:
    payload = {"units": [], "model": "ABMS"}
    topic = "recbms/main/device"
    device = {**AVAILABILITY, "kind": "device", "key": "device", "topic": topic, "payload": payload}
    done = run("changes", SOC, device, device, CHARGING, start="changes_start")
    sent = [
        [(each["key"], each["first"], each.get("model")) for each in done_["sent"][0]]
        for done_ in done
    ]
    assert sent == [
        [("soc", True, None)],
        [("soc", True, "ABMS")],
        [],
        [("charging", True, "ABMS")],
    ]


@pytest.mark.parametrize("key", ["soc", "settings/capacity"])
def test_an_entity_node_gets_values_also_of_a_sensor_that_is_disabled_at_first(key: str) -> None:
    options = FlowOptions(source="exec", target="entity-nodes", sensors=(key,))
    flow = json.loads(flow_json(options))
    [node] = [each for each in flow if each["id"].endswith("-changes")]
    env = {
        each["name"]: json.loads(each["value"])
        for each in flow[0]["env"]
        if each["type"] in ("num", "bool")
    }
    ha = {"component": "sensor"} | ({} if key == "soc" else {"enabled_by_default": False})
    message = {**SOC, "key": key, "ha": ha}
    [done] = run_scripts(node["initialize"], node["func"], [message], **env)
    assert [each["payload"] for each in done["sent"][0]] == [28.5]


def test_an_empty_text_is_no_blank_row() -> None:
    assert changes({**SOC, "key": "error_message", "payload": ""}) == [
        [("error_message", "none", True, True)]
    ]


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("ws://192.168.8.2/ws", "http://192.168.8.2/"),
        ("my-house=ws://user:secret@bms.local:8080/ws", "http://bms.local:8080/"),
        ("sim:", None),
        ("a=ws://192.168.8.2/ws b=ws://192.168.8.3/ws", None),
        (None, None),
    ],
)
def test_mqtt_links_to_the_page_of_one_bms(url: str | None, link: str | None) -> None:
    [done] = run(
        "mqtt",
        {**SOC, "first": True, "online": True, "model": "ABMS"},
        BMS_URL=url,
        MQTT_DISCOVERY_PREFIX="homeassistant",
        MQTT_STATUS_TOPIC="recbms/flow",
    )
    device = json.loads(done["sent"][0][0]["payload"])["device"]
    assert (device["model"], device.get("configuration_url")) == ("ABMS", link)


@pytest.mark.parametrize(
    ("payload", "program", "sentence"),
    [
        ({"code": -2}, "recbms-zmq", "recbms-zmq was not found: set PROGRAM"),
        ({"code": -2}, "/my folder/recbms-zmq", "so put PROGRAM in double quotes"),
        ({"code": -13}, "/etc/passwd", "may not be run"),
        ({"code": 2}, "recbms-zmq", "an option is wrong"),
        ({"code": 73}, "recbms-zmq", "another recbms-zmq is running"),
        ({"code": 78}, "recbms-zmq", "its configuration is wrong"),
        ({"code": 42}, "recbms-zmq", "it ended with code 42"),
        ({"code": None, "signal": "SIGKILL"}, "recbms-zmq", "it was ended by SIGKILL"),
        (-2, "recbms-zmq", "recbms-zmq was not found"),
        ("SIGKILL", "recbms-zmq", "it was ended by SIGKILL"),
    ],
)
def test_the_end_of_the_program_reads_as_a_sentence_once(
    payload: Any, program: str, sentence: str
) -> None:
    done = run("exit", {"payload": payload}, {"payload": payload}, PROGRAM=program)
    assert [len(each["errors"]) for each in done] == [1, 0]
    assert sentence in done[0]["errors"][0]
    assert sentence in done[1]["statuses"][0]


def test_an_end_that_was_asked_for_is_no_error() -> None:
    ends: list[dict[str, Any]] = [
        {"payload": {"code": 0}},
        {"payload": {"code": None, "signal": "SIGTERM"}},
        {"payload": "SIGTERM"},
    ]
    assert [each["errors"] for each in run("exit", *ends, PROGRAM="recbms-zmq")] == [[]] * 3


def test_what_does_not_come_is_missed_once_with_the_users_own_address() -> None:
    node = watch(30, "receiving", "nothing from ${ZMQ_ADDRESS}")
    env = {"ZMQ_ADDRESS": "tcp://x:1"}
    waiting: list[dict[str, Any]] = [{"wait": 29000}, {"wait": 2000}, {"wait": 9e6}, SOC, SOC]
    done = run_scripts(node["initialize"], node["func"], waiting, **env)
    assert [each["errors"] for each in done] == [[], ["nothing from tcp://x:1"], [], [], []]
    assert [each["statuses"] for each in done][1:4] == [
        ["nothing from tcp://x:1"],
        [],
        ["receiving"],
    ]
    done = run_scripts(node["initialize"], node["func"], [SOC, {"wait": 9e6}], **env)
    assert [each["errors"] for each in done] == [[], []]


def test_after_the_removal_nothing_is_sent() -> None:
    held = {**SOC, "payload": 29}
    messages: list[dict[str, Any]] = [
        SOC,
        held,
        {"control": "removed"},
        {**SOC, "payload": 30},
        {"wait": 60000},
    ]
    done = run("changes", *messages, start="changes_start", MIN_INTERVAL="10")
    assert values(done[:4]) == [[28.5], [], [], []]
    assert done[2]["statuses"] == ["removed; to add it again: Restart Flows, in the menu of Deploy"]
    assert done[4]["later"] == []


def test_new_sensors_are_sent_once_more_when_they_are_confirmed() -> None:
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


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        # What `homeassistant.util.slugify` 2026.11 returns.
        ("REC BMS", "rec_bms"),
        ("Größe: 48 V!", "grosse_48_v"),
        ("Sølv Ærø ŁÓDŹ đ", "solv_aero_lodz_d"),
        ("Anna\N{RIGHT SINGLE QUOTATION MARK}s — Œuvre", "annas_oeuvre"),
        ("Akku 12,8 V²", "akku_128_v2"),
        ("İ\N{LATIN SMALL LETTER DOTLESS I}", "ii"),
    ],
)
def test_entity_ids_are_what_home_assistant_makes_of_a_name(name: str, slug: str) -> None:
    message = {**SOC, "device_name": name, "name": "Power", "first": True, "online": True}
    [done] = run("states", message)
    path = done["sent"]["payload"]["path"]
    assert (entity_slug(name), path) == (slug, f"states/sensor.{slug}_power")


def test_a_reading_becomes_a_state_with_its_attributes() -> None:
    [done] = run("states", {**SOC, "device_name": "Größe: 48 V!", "first": True, "online": True})
    assert done["sent"]["payload"] == {
        "protocol": "http",
        "method": "post",
        "path": "states/sensor.grosse_48_v_state_of_charge",
        "data": {
            "state": "28.5",
            "attributes": {
                "friendly_name": "Größe: 48 V! State of charge",
                "unit_of_measurement": "%",
                "device_class": "battery",
                "state_class": "measurement",
                "recbms_device": "main",
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


OTHERS = {
    "what the pipe announces": {
        "origin": {"name": "recbms-zmq"},
        "device": {"identifiers": ["recbms_main"]},
        "availability": [{"topic": "recbms/main/availability"}],
        "components": {"soc": {"state_topic": "recbms/main/soc"}},
    },
    "another program's": {"state_topic": "x", "origin": {"name": "x"}, "device": {}},
    "without an origin": {"state_topic": "x", "device": {"identifiers": "recbms_main"}},
    "nothing": None,
    "a list": [1],
    "a text": "offline",
    "a number": 3,
    "empty": {},
    "odd": {"origin": "recbms-zmq", "device": 3, "availability": {}},
}


@pytest.mark.parametrize("device", ["", "main"])
def test_on_mqtt_the_button_removes_what_the_flow_made_whatever_others_have_announced(
    device: str,
) -> None:
    announced = [
        run("mqtt", {**reading, "first": True, "online": True}, **MQTT)[0]["sent"][0][0]
        for reading in (SOC, CHARGING)
    ]
    early = json.loads(announced[0]["payload"])
    early.pop("availability")
    announced[0]["payload"] = json.dumps(early)
    others = [
        {"topic": f"homeassistant/device/{number}/config", "payload": json.dumps(config)}
        for number, config in enumerate(OTHERS.values())
    ]
    others.append({"topic": "homeassistant/sensor/broken/config", "payload": "{"})
    pressed = {"control": "remove", "payload": device}
    last = {"topic": "recbms/flow/listed", "payload": "listed"}
    *_, done = run("remove_mqtt", pressed, others[0], *announced, *others, last, **MQTT)
    removed, stop, subscription = done["sent"]
    assert [each["topic"] for each in removed] == [
        "homeassistant/sensor/recbms_main_soc/config",
        "recbms/main/soc",
        "homeassistant/binary_sensor/recbms_main_charging/config",
        "recbms/main/charging",
        "recbms/main/availability",
    ]
    assert {(each["payload"], each["retain"]) for each in removed} == {("", True)}
    assert (stop, subscription) == (None, {"action": "unsubscribe", "topic": True})
    assert done["statuses"] == ["removed: 2 entities"]


def published(done: dict[str, Any]) -> list[str]:
    return [each[0]["topic"] for each in done["later"] if each[0]]


def test_on_mqtt_the_button_waits_for_a_broker_that_is_away() -> None:
    last = {"topic": "recbms/flow/listed", "payload": "listed"}
    asked = [{"control": "remove", "payload": ""}, {"control": "subscribed"}]
    config = run("mqtt", {**SOC, "first": True, "online": True}, **MQTT)[0]["sent"][0][0]
    # Unsubscribing is followed by another `subscribed`, as subscribing was.
    back = [{"wait": 59_000}, config, last, {"control": "subscribed"}, {"wait": 120_000}]
    _, at_once, meanwhile, _, done, *after = run("remove_mqtt", *asked, *back, **MQTT)
    assert published(at_once) == [last["topic"]]
    assert published(meanwhile) == [last["topic"]] * 11
    assert meanwhile["statuses"] == []
    assert done["statuses"] == ["removed: 1 entities"]
    assert [(each["later"], each["statuses"]) for each in after] == [([], [])] * 2


def test_on_mqtt_a_removal_without_an_answer_ends_after_a_minute_and_can_be_tried_again() -> None:
    last = {"topic": "recbms/flow/listed", "payload": "listed"}
    asked = [{"control": "remove", "payload": ""}, {"control": "subscribed"}]
    unanswered: list[dict[str, Any]] = [
        {"wait": 60_000},
        {"control": "subscribed"},
        last,
        {"wait": 120_000},
    ]
    done = run("remove_mqtt", *asked, *unanswered, *asked, last, **MQTT)
    _, at_once, ended, subscribed, late, after, _, again, removed = done
    assert published(at_once) == [last["topic"]]
    assert published(ended) == [last["topic"]] * 11
    assert ended["later"][-1] == [None, None, {"action": "unsubscribe", "topic": True}]
    [status] = ended["statuses"]
    assert status.startswith("no answer of the broker: is it there, and may this user publish")
    for each in (subscribed, late, after):
        assert (each["sent"], each["later"], each["statuses"]) == (None, [], [])
    assert published(again) == [last["topic"]]
    assert removed["statuses"] == ["removed: 0 entities"]


def test_on_mqtt_an_alarm_is_an_event_that_is_published_once() -> None:
    alarm = {"event": "alarm_raised", "number": 2, "text": "Low", "unit": 2, "cell": 3}
    topic = "recbms/main/event"
    event = {**AVAILABILITY, "topic": topic, "key": "event", "kind": "event", "payload": alarm}
    event["ts"] = "2026-11-22T10:44:39.123Z"
    over = {**event, "payload": {**alarm, "event": "alarm_cleared"}}
    again = {"control": "announce"}
    messages: list[dict[str, Any]] = [AVAILABILITY, SOC, event, event, over, again]
    messages += [{"control": "removed"}, event]
    done = run("mqtt_alarms", *messages, start="mqtt_alarms_start", **MQTT)
    sent = [
        [(each["topic"], each["retain"]) for each in one["sent"][0]] if one["sent"] else []
        for one in done
    ]
    config = ("homeassistant/event/recbms_main_alarm/config", True)
    published = ("recbms/main/alarm", False)
    assert sent == [[config], [], [published], [], [published], [config], [], []]
    [state] = done[2]["sent"][0]
    words = {word: alarm[word] for word in alarm if word != "event"}
    assert json.loads(state["payload"]) == {
        "event_type": "alarm_raised",
        **words,
        "ts": "2026-11-22T10:44:39.123Z",
    }
