"""What an owner sees in Home Assistant: decimals, alarms, how often, and how it goes away again."""

import contextlib
import json
import textwrap
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from support.pages import block
from support.waiting import eventually

from e2e.broker import Broker
from e2e.browser import browse
from e2e.expected import BY_KEY, shown
from e2e.home_assistant import Events, HomeAssistant
from e2e.node_red import FLOWS, NodeRed, flow_file
from e2e.scripted_bms import ScriptedBms
from e2e.service import Service
from e2e.waiting import PATIENCE, wait_until_equal
from recbms_zmq.nodered.options import ENTITY_NODE_KEYS

EXEC = "exec-to-home-assistant.json"
ALARM = {"present": 1, "addr": 2, "st": 2, "con_st": 3}
OTHER_ALARM = {**ALARM, "st": 1, "con_st": 4}
NO_ALARM = {"present": 0, "addr": 0, "st": 0, "con_st": 0}
LOW = {
    "number": 2,
    "text": "Cell voltage too low",
    "advice": "Plug in the charger.",
    "unit": 2,
    "cell": 3,
}
HIGH = {
    "number": 1,
    "text": "Cell voltage too high",
    "advice": "Wait: the BMS balances the cells down.",
    "unit": 2,
    "cell": 4,
}


PIPED = {
    "device": {"identifiers": ["recbms_piped"], "name": "Piped"},
    "origin": {"name": "recbms-zmq"},
    "availability": [{"topic": "recbms/piped/availability"}],
    "components": {
        "soc": {
            "platform": "sensor",
            "unique_id": "recbms_piped_soc",
            "name": "Charge",
            "state_topic": "recbms/piped/soc",
        }
    },
}


def press(node_red: NodeRed, flow: list[dict[str, Any]], key: str) -> None:
    """Press the button of an inject node, as in the editor."""
    [node] = [each["id"] for each in flow if each["id"].endswith(f"-{key}")]
    request = urllib.request.Request(
        f"{node_red.url}/inject/{node}", b"{}", {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=30).close()


def charge_of(home_assistant: HomeAssistant, device_name: str) -> str | None:
    return home_assistant.state(BY_KEY["soc"].id(device_name))


def notes(home_assistant: HomeAssistant, device: str) -> dict[str, str]:
    """Return the titles of the persistent notifications about a BMS, by their ids."""
    found = home_assistant.ask("persistent_notification/get")
    return {
        each["notification_id"]: each["title"]
        for each in found
        if each["notification_id"].startswith(f"recbms_{device}_")
    }


def sent(home_assistant: HomeAssistant, device: str) -> Any:
    """Return what Home Assistant keeps of the last alarm that it was sent."""
    kept = home_assistant.ask("frontend/get_user_data", key=f"recbms_{device}")["value"] or {}
    return (kept.get("alarm") or {}).get("number")


def what(event: dict[str, Any]) -> dict[str, Any]:
    """Return an alarm event without its time and id."""
    return {word: event[word] for word in event if word not in ("ts", "id")}


def distinct(events: Events) -> Iterator[dict[str, Any]]:
    """Yield the alarm events, without those that repeat an id."""
    ids = set()
    while True:
        event = events.next()
        if event["id"] not in ids:
            ids.add(event["id"])
            yield what(event)


@pytest.mark.parametrize("way", ["discovery", "entity-nodes"])
def test_decimals_are_set_once_and_never_over_the_owners_choice(
    way: str, home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms
) -> None:
    name = "Decimals" if way == "discovery" else "REC BMS"
    if way == "discovery":
        flow = flow_file(EXEC, BMS_URL=f"decimals={bms.url}", DEVICE_NAME=name)
    else:
        flow = flow_file("exec-to-entity-nodes.json", BMS_URL=bms.url)
    keys = ("voltage", "cell_voltage_min", "current")
    ids = [BY_KEY[key].id(name) for key in keys]

    def shown() -> list[int | None]:
        entities = home_assistant.entities()
        options = [entities.get(each, {}).get("options", {}) for each in ids]
        return [each.get("sensor", {}).get("display_precision") for each in options]

    def choose(decimals: int | None) -> None:
        home_assistant.ask(
            "config/entity_registry/update",
            entity_id=ids[1],
            options_domain="sensor",
            options={"display_precision": decimals},
        )

    node_red.deploy(flow)
    wait_until_equal(shown, [2, 3, 2])
    for decimals in (1, None):
        choose(decimals)
        home_assistant.ask(
            "config/entity_registry/update",
            entity_id=ids[2],
            options_domain="sensor",
            options={},
        )
        node_red.deploy(flow)
        wait_until_equal(shown, [2, decimals, 2])


@pytest.mark.usefixtures("browser")
def test_decimals_are_what_a_person_sees(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms
) -> None:
    bms.change(mincell=3.217)  # a value that nothing else on the page has
    node_red.deploy(flow_file(EXEC, BMS_URL=f"seen={bms.url}", DEVICE_NAME="Seen"))
    cell = BY_KEY["cell_voltage_min"].id("Seen")

    def has_decimals() -> bool:
        options = home_assistant.entities().get(cell, {}).get("options", {})
        return "display_precision" in options.get("sensor", {})

    eventually(has_decimals, "decimals are set", PATIENCE)
    url = f"{home_assistant.url}/profile/general?more-info-entity-id={cell}"
    browse("entity", url, "3.217", home_assistant.token)


@pytest.mark.parametrize("how", ["reload", "disable and enable"])
def test_everything_is_back_after_the_companion_was_reloaded(
    how: str, home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms
) -> None:
    name = f"Reload {how.split(maxsplit=1)[0]}"
    device = name.lower().replace(" ", "-")
    nodes = flow_file("exec-to-entity-nodes.json", BMS_URL=bms.url)
    node_red.deploy(flow_file(EXEC, BMS_URL=f"{device}={bms.url}", DEVICE_NAME=name), nodes)
    names = (name, "REC BMS")
    both = ["28.5", "28.5"]
    wait_until_equal(lambda: [charge_of(home_assistant, each) for each in names], both)
    if how == "reload":
        home_assistant.reload("nodered")
    else:
        entity = BY_KEY["soh"].id(name)
        for disabled_by in ("user", None):
            home_assistant.ask(
                "config/entity_registry/update", entity_id=entity, disabled_by=disabled_by
            )
    with home_assistant.events("nodered") as events:
        while how != "reload" and events.next()["type"] != "loaded":
            pass
    wait_until_equal(lambda: [charge_of(home_assistant, each) for each in names], both)
    bms.change(soc=0.4)
    wait_until_equal(lambda: [charge_of(home_assistant, each) for each in names], ["40", "40"])


def test_an_alarm_is_an_event_and_a_notification_that_goes_away(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms
) -> None:
    flow = flow_file(
        EXEC, BMS_URL=f"alarm={bms.url}", DEVICE_NAME="Alarm", NOTIFY="notify.mobile_app_test"
    )
    node_red.deploy(flow)
    wait_until_equal(lambda: charge_of(home_assistant, "Alarm"), "28.5")
    origin = {"device": "alarm", "device_name": "Alarm"}
    title = "Alarm: Cell voltage too low (unit 2, cell 3)"
    with (
        home_assistant.events("recbms_alarm") as events,
        home_assistant.events("test_phone") as phone,
    ):
        bms.change(erro=ALARM)
        assert what(events.next()) == {"event": "alarm_raised", **LOW, **origin}
        pushed = phone.next()
        assert (pushed["title"], pushed["data"]) == (title, {"tag": "recbms_alarm_alarm"})
        assert "discharging is switched off now. Plug in the charger." in pushed["message"]
        assert notes(home_assistant, "alarm") == {"recbms_alarm_alarm": title}
        wait_until_equal(lambda: sent(home_assistant, "alarm"), 2)
        last = BY_KEY["last_alarm"].id("Alarm")
        wait_until_equal(
            lambda: home_assistant.state(last), "Cell voltage too low (unit 2, cell 3)"
        )
        when = BY_KEY["last_alarm_time"].id("Alarm")
        raised = eventually(
            lambda: datetime.fromisoformat(str(home_assistant.state(when))), "a time", PATIENCE
        )
        assert raised.tzinfo is not None

        # A redeploy starts the program again, which sends the event again.
        node_red.deploy(flow)
        bms.change(soc=0.3)
        wait_until_equal(lambda: charge_of(home_assistant, "Alarm"), "30")
        assert events.none(4)
        assert phone.none(0.1)

    with (
        home_assistant.events("recbms_alarm") as events,
        home_assistant.events("test_phone") as phone,
    ):
        # One alarm follows the other, while Node-RED is not there.
        node_red.stop()
        bms.change(erro=OTHER_ALARM)
        node_red.start()
        assert what(events.next()) == {"event": "alarm_cleared", **LOW, **origin}
        assert phone.next()["message"] == "clear_notification"
        assert what(events.next()) == {"event": "alarm_raised", **HIGH, **origin}
        assert phone.next()["title"] == "Alarm: Cell voltage too high (unit 2, cell 4)"

    with home_assistant.events("recbms_alarm") as events:
        # Node-RED crashes while it sends: what is repeated has the same id.
        different = distinct(events)
        bms.change(erro=NO_ALARM)
        assert next(different) == {"event": "alarm_cleared", **HIGH, **origin}
        node_red.program.kill()
        bms.change(erro=ALARM)
        node_red.start()
        assert next(different) == {"event": "alarm_raised", **LOW, **origin}
        node_red.program.kill()
        bms.change(erro=NO_ALARM)
        node_red.start()
        assert next(different) == {"event": "alarm_cleared", **LOW, **origin}
        wait_until_equal(lambda: notes(home_assistant, "alarm"), {})


def test_no_alarm_is_lost_or_sent_twice_while_home_assistant_restarts(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms
) -> None:
    # Node-RED lives on although Home Assistant ends right after new entities.
    flow = flow_file(EXEC, BMS_URL=f"away={bms.url}", DEVICE_NAME="Away")
    node_red.deploy(flow)
    with home_assistant.events("recbms_alarm") as events:
        bms.change(erro=ALARM)
        assert events.next()["event"] == "alarm_raised"
    wait_until_equal(lambda: sent(home_assistant, "away"), 2)
    home_assistant.stop()
    bms.change(erro=OTHER_ALARM)
    home_assistant.start()
    high = {"recbms_away_alarm": "Away: Cell voltage too high (unit 2, cell 4)"}
    wait_until_equal(lambda: notes(home_assistant, "away"), high)
    wait_until_equal(lambda: sent(home_assistant, "away"), 1)
    # Persistent notifications do not outlive a restart; the alarm does.
    home_assistant.stop()
    home_assistant.start()
    with home_assistant.events("recbms_alarm") as events:
        wait_until_equal(lambda: notes(home_assistant, "away"), high)
        assert events.none(2)
    bms.change(erro=NO_ALARM)
    wait_until_equal(lambda: notes(home_assistant, "away"), {})
    assert node_red.program.is_running


def test_the_blueprint_does_the_same_with_the_entities_alone(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms, service: Service, mqtt: int
) -> None:
    blueprints = home_assistant.folder / "blueprints" / "automation" / "recbms"
    blueprints.mkdir(parents=True, exist_ok=True)
    (blueprints / "alarm.yaml").write_text((FLOWS / "alarm-blueprint.yaml").read_text())
    phone_action = {"action": "notify.mobile_app_test", "data": {"message": "{{ title }}"}}
    automation = {
        "id": "blue",
        "alias": "Blue",
        "use_blueprint": {
            "path": "recbms/alarm.yaml",
            "input": {"problem": "binary_sensor.blue_problem", "phone": [phone_action]},
        },
    }
    own = block("alarm automation", {"event.rec_bms_alarm": "event.blue_alarm"})
    action = {"action": "notify.mobile_app_test", "data": {"message": "own"}}
    own += f"id: own\nalias: Own\nactions: [{json.dumps(action)}]\n"
    own = textwrap.indent(own, "  ").replace("  ", "- ", 1)
    (home_assistant.folder / "automations.yaml").write_text(f"- {json.dumps(automation)}\n{own}")
    home_assistant.ask("call_service", domain="automation", service="reload")
    service.start("--device-name", "Blue", f"blue={bms.url}")
    flow = flow_file("zmq-to-mqtt-discovery.json", ZMQ_ADDRESS=service.address, MQTT_PORT=str(mqtt))
    node_red.deploy(flow)
    wait_until_equal(lambda: home_assistant.state("binary_sensor.blue_problem"), "off")
    wait_until_equal(lambda: home_assistant.state("event.blue_alarm"), "unknown")

    def alarm() -> dict[str, Any]:
        attributes = home_assistant.states()["event.blue_alarm"]["attributes"]
        return {word: attributes.get(word) for word in ("event_type", *LOW)}

    title = "Blue: Cell voltage too low (unit 2, cell 3)"
    with home_assistant.events("test_phone") as phone:
        bms.change(erro=ALARM)
        # The blueprint waits two seconds for all entities of the frame, and is mostly the second.
        assert {phone.next()["message"], phone.next()["message"]} == {"own", title}
    assert notes(home_assistant, "blue") == {"recbms_blue_alarm": title}
    # The flow cannot fire events, so it makes an entity that has them. Its state is the time.
    wait_until_equal(alarm, {"event_type": "alarm_raised", **LOW})
    raised = home_assistant.state("event.blue_alarm")
    with home_assistant.events("test_phone") as phone:
        node_red.deploy(flow)
        bms.change(erro=NO_ALARM)
        wait_until_equal(lambda: notes(home_assistant, "blue"), {})
        assert phone.none(1)
    wait_until_equal(alarm, {"event_type": "alarm_cleared", **LOW})
    assert home_assistant.state("event.blue_alarm") != raised


@pytest.mark.parametrize(
    "name", [EXEC, "zmq-to-home-assistant-states.json", "zmq-to-mqtt-discovery.json"]
)
def test_what_a_flow_has_made_can_be_removed_and_made_again(
    name: str,
    home_assistant: HomeAssistant,
    node_red: NodeRed,
    bms: ScriptedBms,
    second_bms: ScriptedBms,
    service: Service,
    request: pytest.FixtureRequest,
) -> None:
    way = name.removesuffix(".json").split("-")[-1]
    ids = [f"gone_{way}", f"gone_{way}_2"]
    names = [f"REC BMS {each}" for each in ids]
    sources = [f"{ids[0]}={bms.url}", f"{ids[1]}={second_bms.url}"]
    env = {}
    if "mqtt" in name:
        env["MQTT_PORT"] = str(request.getfixturevalue("mqtt"))
        # Other devices of the owner; mosquitto queues 1,000 messages of QoS 1 for a subscriber.
        others = [f"homeassistant/other/{number}/config" for number in range(1100)]
        broker: Broker = request.getfixturevalue("broker")
        broker.retain(others, "{}")
        # And what the pipe has announced for another BMS.
        broker.retain(["homeassistant/device/recbms_piped/config"], json.dumps(PIPED))
    if name == EXEC:
        env |= {"BMS_URL": " ".join(sources)}
        env |= {"ARGUMENTS": "run --exit-on-stdin-close --no-publish ${BMS_URL}"}
    else:
        service.start(*sources)
        env |= {"ZMQ_ADDRESS": service.address}

    def made(number: int) -> int:
        prefix = f"rec_bms_{ids[number]}_"
        other = f"rec_bms_{ids[1]}_" if number == 0 else "no other"
        found = {**home_assistant.states(), **home_assistant.entities()}
        return len([each for each in found if f".{prefix}" in each and f".{other}" not in each])

    def are_made() -> bool:
        # All of them: one that Home Assistant makes after the button was pressed would stay.
        wanted = {entity_id for each in names for entity_id in shown(each)}
        return wanted <= home_assistant.states().keys()

    flow = flow_file(name, **env)
    [button] = [each for each in flow if each["id"].endswith("-remove")]
    [device] = [each for each in button["props"] if each["p"] == "payload"]
    device["v"] = ids[0]
    node_red.deploy(flow)
    eventually(are_made, "entities", PATIENCE)
    press(node_red, flow, "remove")
    wait_until_equal(lambda: made(0), 0)
    assert made(1) > 30
    devices = [each["name"] for each in home_assistant.devices().values()]
    assert names[0] not in devices
    assert names[1] in devices or "states" in name

    # All of them, and again.
    device["v"] = ""
    node_red.deploy(flow)
    eventually(are_made, "entities again", PATIENCE)
    press(node_red, flow, "remove")
    wait_until_equal(lambda: [made(0), made(1)], [0, 0])
    node_red.deploy(flow)
    eventually(are_made, "entities again", PATIENCE)
    press(node_red, flow, "remove")
    wait_until_equal(lambda: [made(0), made(1)], [0, 0])
    if "mqtt" in name:
        assert home_assistant.state("sensor.piped_charge") is not None


def test_another_name_and_another_way_keep_the_entity_ids(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms, service: Service, mqtt: int
) -> None:
    charge = BY_KEY["soc"].id("Moved")

    def made() -> dict[str, int]:
        """Return how many entities there are of each platform, under each id of the BMS."""
        found = Counter(
            f"{each['platform']} {old}"
            for each in home_assistant.entities().values()
            for old in ("oldname", "newname")
            if f"recbms{'_' if each['platform'] == 'mqtt' else '-'}{old}_" in each["unique_id"]
        )
        return dict(found)

    def started(name: str) -> list[dict[str, Any]]:
        return flow_file(EXEC, BMS_URL=f"{name}={bms.url}", DEVICE_NAME="Moved")

    node_red.deploy(started("oldname"))
    wait_until_equal(lambda: home_assistant.state(charge), "28.5")
    # Another id of the BMS: what the earlier one left has the entity ids still.
    flow = started("newname")
    node_red.deploy(flow)
    wait_until_equal(lambda: home_assistant.state(f"{charge}_2"), "28.5")
    every = len(BY_KEY)
    wait_until_equal(made, {"nodered oldname": every, "nodered newname": every})
    press(node_red, flow, "remove")
    wait_until_equal(made, {})
    node_red.deploy(flow)
    # Home Assistant remembers the entity ids of what was removed.
    wait_until_equal(lambda: home_assistant.state(f"{charge}_2"), "28.5")
    wait_until_equal(made, {"nodered newname": every})

    # As the guide has it: the button, the tab away, the other flow.
    press(node_red, flow, "remove")
    wait_until_equal(made, {})
    node_red.deploy([])
    bms.change(soc=0.41)
    service.start("--device-name", "Moved", f"newname={bms.url}")
    node_red.deploy(
        flow_file("zmq-to-mqtt-discovery.json", ZMQ_ADDRESS=service.address, MQTT_PORT=str(mqtt))
    )
    wait_until_equal(lambda: home_assistant.state(charge), "41")
    assert list(made()) == ["mqtt newname"]

    def history() -> bool:
        # Home Assistant writes its history every five seconds: the list may be empty before.
        found = home_assistant.get(f"/api/history/period?filter_entity_id={charge}")
        return {"28.5", "41"} <= {each["state"] for states in found for each in states}

    eventually(history, "one history of both ways", PATIENCE)


def test_entity_nodes_can_be_removed(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms
) -> None:
    flow = flow_file("exec-to-entity-nodes.json", BMS_URL=bms.url)
    nodes = "recbms-exec-entity-nodes-entity-"

    def made() -> int:
        return sum(nodes in each["unique_id"] for each in home_assistant.entities().values())

    # Entities of an earlier test may be there before Node-RED has connected.
    bms.change(soc=0.37)
    node_red.deploy(flow)
    wait_until_equal(lambda: charge_of(home_assistant, "REC BMS"), "37")
    wait_until_equal(made, len(ENTITY_NODE_KEYS))
    press(node_red, flow, "remove")
    wait_until_equal(made, 0)
    node_red.deploy([])
    assert made() == 0


def test_node_red_lives_on_when_two_deploys_follow_each_other(
    node_red: NodeRed, bms: ScriptedBms
) -> None:
    flow = flow_file(EXEC, BMS_URL=f"twice={bms.url}", DEVICE_NAME="Twice")
    node_red.deploy(flow)
    connected: Callable[[], int] = lambda: node_red.log().count("Connected to")  # noqa: E731
    for _ in range(4):
        before = connected()
        node_red.deploy(flow)
        time.sleep(0.4)
        node_red.deploy(flow)
        eventually(lambda before=before: connected() > before, "connected", 30)  # type: ignore[misc]
    assert node_red.program.is_running


def test_node_red_lives_on_when_the_flow_is_removed_while_it_connects(
    node_red: NodeRed, bms: ScriptedBms
) -> None:
    flow = flow_file(EXEC, BMS_URL=f"brief={bms.url}", DEVICE_NAME="Brief")
    for seconds in (0.1, 0.2, 0.4, 0.8):
        node_red.deploy(flow)
        time.sleep(seconds)
        node_red.deploy([])
        time.sleep(1)
        assert node_red.program.is_running


@pytest.mark.parametrize("reason", ["new Error('not ours')", "{code: 3}", "undefined", "4"])
def test_any_other_unhandled_rejection_ends_node_red_as_ever(
    reason: str, node_red: NodeRed, bms: ScriptedBms
) -> None:
    flow = flow_file(EXEC, BMS_URL=f"other={bms.url}", DEVICE_NAME="Other")
    tab = {"id": "other-tab", "type": "tab", "label": "Other"}
    node = {
        "id": "other-node",
        "type": "function",
        "z": "other-tab",
        "func": "",
        "outputs": 1,
        "initialize": f"setTimeout(() => Promise.reject({reason}), 1000)",
        "libs": [],
        "x": 100,
        "y": 100,
        "wires": [[]],
    }
    with contextlib.suppress(OSError):  # it may end before it answers
        node_red.deploy(flow, [tab, node])
    assert node_red.program.wait(30) == 1
    assert "Uncaught Exception" in node_red.log()
    (node_red.folder / "flows.json").unlink()
