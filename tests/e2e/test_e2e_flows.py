"""Each file of flows/, deployed as it is, makes the entities of the whole pack.

As a user would, the tests edit the tab's environment and nothing else.
"""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from e2e.browser import browse
from e2e.expected import BY_KEY, Shown, seen, shown
from e2e.home_assistant import HomeAssistant
from e2e.node_red import NodeRed, flow_file, with_env
from e2e.scripted_bms import ScriptedBms
from e2e.service import Service, children
from e2e.waiting import wait_until_equal
from recbms_zmq.cli import main

ENTITY_NODE_KEYS = (
    "time_remaining",
    "cell_voltage_min",
    "cell_voltage_max",
    "current",
    "temperature_max",
    "voltage",
    "soc",
    "soh",
    "power",
    "charging",
    "discharging",
    "problem",
)


def wait_for_entities(
    home_assistant: HomeAssistant, device_name: str, expected: Shown
) -> dict[str, Any]:
    """Wait until Home Assistant shows what is expected; return the entity registry."""
    wait_until_equal(lambda: seen(home_assistant, device_name), expected)
    return home_assistant.entities()


def registered(
    home_assistant: HomeAssistant, entities: dict[str, Any]
) -> dict[str, tuple[str, str | None, str]]:
    """Return unique id, category and device's name of entities that have an entry."""
    devices = home_assistant.devices()
    return {
        entity_id: (
            entry["unique_id"],
            entry["entity_category"],
            devices[entry["device_id"]]["name"],
        )
        for entity_id, entry in entities.items()
    }


def of_device(entities: dict[str, Any], expected: Shown) -> dict[str, Any]:
    return {entity_id: entities[entity_id] for entity_id in expected}


def test_exec_makes_all_entities_of_the_pack_by_discovery(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms
) -> None:
    node_red.deploy(
        flow_file(
            "exec-to-home-assistant.json", BMS_URL=f"cellar={bms.url}", DEVICE_NAME="Cellar pack"
        )
    )
    expected = shown("Cellar pack")
    entities = wait_for_entities(home_assistant, "Cellar pack", expected)
    assert registered(home_assistant, of_device(entities, expected)) == {
        entity.id("Cellar pack"): (
            f"nodered-recbms-cellar_{key.replace('/', '_')}",
            entity.category,
            "Cellar pack",
        )
        for key, entity in BY_KEY.items()
    }


@pytest.mark.usefixtures("browser")
def test_a_file_that_is_imported_in_the_editor_works_and_keeps_its_ids(
    home_assistant: HomeAssistant,
    node_red: NodeRed,
    bms: ScriptedBms,
    tmp_path: Path,
) -> None:
    flow = flow_file(
        "exec-to-home-assistant.json",
        BMS_URL=f"import={bms.url}",
        DEVICE_NAME="Imported",
        HA_URL=home_assistant.url,
    )
    file = tmp_path / "flow.json"
    file.write_text(json.dumps(flow))
    browse("import", node_red.url, file)
    wait_for_entities(home_assistant, "Imported", shown("Imported"))
    deployed = {each["id"] for each in node_red.flows()}
    assert {each["id"] for each in flow} <= deployed


# The zeromq node is a stand-in: see node_stand_ins. The states need no companion.
@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("zmq-to-home-assistant.json", "boat"),
        ("zeromq-node-to-home-assistant.json", "hut"),
        ("zmq-to-home-assistant-states.json", "shed"),
    ],
)
def test_a_running_service_makes_all_entities_of_the_pack(
    file: str,
    name: str,
    home_assistant: HomeAssistant,
    node_red: NodeRed,
    bms: ScriptedBms,
    service: Service,
) -> None:
    device_name = f"{name.title()} pack"
    service.start("--device-name", device_name, f"{name}={bms.url}")
    node_red.deploy(flow_file(file, ZMQ_ADDRESS=service.address))
    wait_for_entities(home_assistant, device_name, shown(device_name))


def test_daemon_makes_all_entities_of_the_pack_and_starts_the_program_again(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms
) -> None:
    # The daemon node is a stand-in: see node_stand_ins.
    node_red.deploy(
        flow_file(
            "daemon-to-home-assistant.json", BMS_URL=f"lake={bms.url}", DEVICE_NAME="Lake pack"
        )
    )
    wait_for_entities(home_assistant, "Lake pack", shown("Lake pack"))
    [program] = children(node_red.program.pid)
    charge = BY_KEY["soc"].id("Lake pack")
    # As events, because it may be back within a moment.
    with home_assistant.events("state_changed") as events:
        os.kill(program, signal.SIGKILL)
        changes = (each for each in iter(events.next, None) if each["entity_id"] == charge)
        assert [next(changes)["new_state"]["state"] for _ in range(2)] == ["unknown", "28.5"]


def test_the_command_makes_flows_for_several_bms(
    home_assistant: HomeAssistant,
    node_red: NodeRed,
    bms: ScriptedBms,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flows: list[Any] = []
    for source in ("exec", "daemon"):
        urls = [word for number in (1, 2) for word in ("--url", f"{source}{number}={bms.url}")]
        assert main(["flow", "--source", source, *urls]) == 0
        flows += with_env(json.loads(capsys.readouterr().out), MIN_INTERVAL="0")
    node_red.deploy(flows)
    for name in ("exec1", "exec2", "daemon1", "daemon2"):
        charge = BY_KEY["soc"].id(f"REC BMS {name}")
        wait_until_equal(lambda charge=charge: home_assistant.state(charge), "28.5")  # type: ignore[misc]


def test_exec_makes_one_entity_per_node(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms
) -> None:
    node_red.deploy(flow_file("exec-to-entity-nodes.json", BMS_URL=bms.url))
    expected = shown("REC BMS", ENTITY_NODE_KEYS)
    entities = wait_for_entities(home_assistant, "REC BMS", expected)
    node = "recbms-exec-entity-nodes"
    assert registered(home_assistant, of_device(entities, expected)) == {
        BY_KEY[key].id("REC BMS"): (
            f"nodered-{node}-server-{node}-entity-{key.replace('_', '-')}",
            None,
            "REC BMS",
        )
        for key in ENTITY_NODE_KEYS
    }


def test_zmq_makes_all_entities_of_the_pack_by_mqtt_discovery(
    home_assistant: HomeAssistant,
    node_red: NodeRed,
    bms: ScriptedBms,
    service: Service,
    mqtt: int,
) -> None:
    service.start("--device-name", "Van pack", f"van={bms.url}")
    node_red.deploy(
        flow_file("zmq-to-mqtt-discovery.json", ZMQ_ADDRESS=service.address, MQTT_PORT=str(mqtt))
    )
    expected = shown("Van pack")
    alarm = "event.van_pack_alarm"
    types = {"event_types": ["alarm_raised", "alarm_cleared"], "event_type": None}
    look = {"friendly_name": "Van pack Alarm", "icon": "mdi:alert-outline"}
    expected[alarm] = ("unknown", {**types, **look})
    entities = wait_for_entities(home_assistant, "Van pack", expected)
    assert registered(home_assistant, of_device(entities, expected)) == {
        alarm: ("recbms_van_alarm", None, "Van pack"),
        **{
            entity.id("Van pack"): (
                f"recbms_van_{key.replace('/', '_')}",
                entity.category,
                "Van pack",
            )
            for key, entity in BY_KEY.items()
        },
    }
    assert home_assistant.ask(
        "config/entity_registry/get", entity_id="sensor.van_pack_unit_2_cell_1_voltage"
    )["options"]["sensor"] == {"suggested_display_precision": 3}
