"""What happens over the years: silence, restarts and crashes of every program on the way."""

import os
import re
import signal
import time
from pathlib import Path
from typing import Any

from support.waiting import eventually

from e2e.broker import Broker
from e2e.expected import BY_KEY, Shown, seen, shown
from e2e.home_assistant import HomeAssistant
from e2e.node_red import (
    NodeRed,
    as_edited,
    flow_file,
    with_shared_server,
    with_status_log,
    with_trigger,
)
from e2e.scripted_bms import ScriptedBms
from e2e.service import Service, children, running
from e2e.waiting import PATIENCE, wait_until_equal

RUN = "run --exit-on-stdin-close --no-publish"
WATCHED = ("soc", "voltage", "charging", "charge_state")


def watched(device_name: str, *states: str) -> dict[str, str]:
    """Return entity id → state for the sensors that these tests watch."""
    return {BY_KEY[key].id(device_name): state for key, state in zip(WATCHED, states, strict=True)}


def look_at(home_assistant: HomeAssistant, device_name: str) -> dict[str, str | None]:
    """Return the same as Home Assistant has it."""
    ids = [BY_KEY[key].id(device_name) for key in WATCHED]
    return dict(zip(ids, home_assistant.states_of(ids), strict=True))


def wait_for_states(home_assistant: HomeAssistant, device_name: str, *states: str) -> None:
    wait_until_equal(lambda: look_at(home_assistant, device_name), watched(device_name, *states))


FULL = ("28.5", "13.24", "on", "charging")
UNKNOWN = ("unknown",) * len(WATCHED)
UNAVAILABLE = ("unavailable",) * len(WATCHED)


def test_a_silent_bms_makes_the_entities_unknown_until_it_is_back(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms
) -> None:
    arguments = f'{RUN} --stale-after 1 --device-name "${{DEVICE_NAME}}" ${{BMS_URL}}'
    node_red.deploy(
        flow_file(
            "exec-to-home-assistant.json",
            BMS_URL=f"silent={bms.url}",
            DEVICE_NAME="Silent",
            ARGUMENTS=arguments,
        )
    )
    wait_for_states(home_assistant, "Silent", *FULL)
    bms.is_silent = True
    wait_for_states(home_assistant, "Silent", *UNKNOWN)
    bms.change(soc=0.3, ibat=-5.0)
    bms.is_silent = False
    wait_for_states(home_assistant, "Silent", "30", "13.24", "off", "discharging")


def test_a_silent_bms_makes_entity_nodes_unknown_and_states_unavailable(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms, service: Service
) -> None:
    # Not the values that the entity nodes of an earlier test have left behind.
    bms.change(soc=0.33, vbat=13.3)
    service.start("--stale-after", "1", "--device-name", "Quiet", f"quiet={bms.url}")
    node_red.deploy(
        flow_file(
            "exec-to-entity-nodes.json",
            BMS_URL=bms.url,
            ARGUMENTS=f"{RUN} --stale-after 1 ${{BMS_URL}}",
        ),
        flow_file("zmq-to-home-assistant-states.json", ZMQ_ADDRESS=service.address),
    )
    nodes = [BY_KEY[key].id("REC BMS") for key in ("soc", "voltage", "charging")]

    def both() -> list[str | None]:
        return [*home_assistant.states_of(nodes), *look_at(home_assistant, "Quiet").values()]

    online = ["33", "13.3", "on", "33", "13.3", "on", "charging"]
    wait_until_equal(both, online)
    bms.is_silent = True
    wait_until_equal(both, ["unknown"] * 3 + ["unavailable"] * 4)
    bms.is_silent = False
    wait_until_equal(both, online)


def test_a_value_that_is_not_known_is_unknown_and_text_can_become_empty_again(
    home_assistant: HomeAssistant,
    node_red: NodeRed,
    bms: ScriptedBms,
    service: Service,
    mqtt: int,
) -> None:
    service.start("--device-name", "Nulls", f"nulls={bms.url}")
    node_red.deploy(
        flow_file("zmq-to-mqtt-discovery.json", ZMQ_ADDRESS=service.address, MQTT_PORT=str(mqtt))
    )
    ids = [BY_KEY[key].id("Nulls") for key in ("time_remaining", "problem", "error_message")]

    def look() -> list[str | None]:
        return home_assistant.states_of(ids)

    wait_until_equal(look, ["31", "off", "none"])
    error = {"present": 1, "addr": 2, "st": 2, "con_st": 3}
    bms.change(time_remaining="", erro=error, error="Cell voltage low")
    wait_until_equal(look, ["unknown", "on", "Cell voltage low"])
    bms.change(erro={**error, "present": 0, "st": 0}, error="")
    wait_until_equal(look, ["unknown", "off", "none"])


def test_only_what_changed_is_sent_to_home_assistant(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms, service: Service
) -> None:
    # Everything is refreshed twice a second; the time of the last update changes each time. At
    # rest, so that nothing is counted.
    bms.change(ibat=0)
    home_assistant.ask("recbms_test_tools/record")
    service.start("--refresh", "0.5", "--device-name", "Thrifty", f"thrifty={bms.url}")
    node_red.deploy(flow_file("zmq-to-home-assistant.json", ZMQ_ADDRESS=service.address))
    wait_for_states(home_assistant, "Thrifty", "28.5", "13.24", "off", "idle")
    received: list[dict[str, Any]] = []

    def wait_for_updates(count: int) -> None:
        def have_come() -> bool:
            heard = home_assistant.ask("recbms_test_tools/recorded")
            received.extend(each for each in heard if "thrifty_" in each.get("node_id", ""))
            return [each["node_id"] for each in received].count("thrifty_last_update") >= count

        eventually(have_come, f"{count} updates", PATIENCE)

    # Past the confirmation of new sensors, ten seconds after they were announced.
    wait_for_updates(1)
    while not any(each["type"] == "nodered/entity/update_config" for each in received):
        received.clear()
        wait_for_updates(1)
    received.clear()
    wait_for_updates(2)
    received.clear()
    bms.change(soc=0.31)
    wait_for_updates(10)
    changed = [each for each in received if each["node_id"] != "thrifty_last_update"]
    assert changed == [
        {
            "type": "nodered/entity",
            "server_id": "recbms",
            "node_id": "thrifty_soc",
            "state": 31,
            "attributes": {},
        }
    ]


def test_one_setting_makes_entities_also_of_settings_and_cell_details(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms
) -> None:
    bms.send_settings()
    node_red.deploy(
        flow_file(
            "exec-to-home-assistant.json",
            BMS_URL=f"all={bms.url}",
            DEVICE_NAME="All",
            ALL_SENSORS="true",
        )
    )
    ids = [
        "sensor.all_setting_capacity",
        "sensor.all_unit_2_cell_1_resistance",
        "binary_sensor.all_unit_2_cell_1_balancing",
        "sensor.all_link_reconnects",
        "sensor.all_remaining_capacity",
    ]
    wait_until_equal(lambda: home_assistant.states_of(ids), ["320", "1.95", "on", "0", "91.2"])


def test_a_program_that_ends_makes_everything_unknown_and_is_started_again(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms
) -> None:
    node_red.deploy(
        flow_file("exec-to-home-assistant.json", BMS_URL=f"dies={bms.url}", DEVICE_NAME="Dies")
    )
    wait_for_states(home_assistant, "Dies", *FULL)
    [before] = children(node_red.program.pid)
    os.kill(before, signal.SIGKILL)
    wait_for_states(home_assistant, "Dies", *UNKNOWN)
    wait_for_states(home_assistant, "Dies", *FULL)
    [after] = children(node_red.program.pid)
    assert after != before


def test_redeploys_leave_one_program_and_node_reds_death_leaves_none(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms, service: Service
) -> None:
    # It publishes too: a program that stayed would hold the address.
    flow = flow_file(
        "exec-to-home-assistant.json",
        BMS_URL=f"once={bms.url}",
        DEVICE_NAME="Once",
        ARGUMENTS=f"run --exit-on-stdin-close --publish {service.address} "
        '--device-name "${DEVICE_NAME}" ${BMS_URL}',
    )
    seen_before: list[int] = []
    for charge in (0.41, 0.42, 0.43):
        node_red.deploy(flow)
        [program] = eventually(lambda: _one_more(node_red, seen_before), "one new program")
        seen_before.append(program)
        bms.change(soc=charge)
        wait_for_states(home_assistant, "Once", f"{charge * 100:.0f}", *FULL[1:])
    assert children(node_red.program.pid) == [program]
    assert "already in use" not in node_red.log()

    node_red.program.kill()
    eventually(lambda: not running(program), "no program is left")
    node_red.start()
    bms.change(soc=0.44)
    wait_for_states(home_assistant, "Once", "44", *FULL[1:])


def _one_more(node_red: NodeRed, before: list[int]) -> list[int]:
    """Return the one program that Node-RED runs, if it is not one of those before."""
    pids = children(node_red.program.pid)
    return pids if len(pids) == 1 and pids[0] not in before else []


def test_a_line_that_is_no_message_is_skipped(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms, tmp_path: Path
) -> None:
    program = tmp_path / "talkative"
    program.write_text("#!/bin/sh\necho 'half a mess'\necho 7\nexec recbms-zmq \"$@\"\n")
    program.chmod(0o755)
    node_red.deploy(
        flow_file(
            "exec-to-home-assistant.json",
            BMS_URL=f"talks={bms.url}",
            DEVICE_NAME="Talks",
            PROGRAM=str(program),
        )
    )
    wait_for_states(home_assistant, "Talks", *FULL)


def test_a_service_that_was_killed_is_noticed_by_its_silence(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms, service: Service
) -> None:
    source = ("--refresh", "1", "--device-name", "Killed", f"killed={bms.url}")
    service.start(*source)
    flow = flow_file("zmq-to-home-assistant.json", ZMQ_ADDRESS=service.address)
    node_red.deploy(with_trigger(flow, "silent", seconds=4))
    wait_for_states(home_assistant, "Killed", *FULL)
    service.kill()
    wait_for_states(home_assistant, "Killed", *UNKNOWN)
    service.start(*source)
    wait_for_states(home_assistant, "Killed", *FULL)


def test_mqtt_shows_when_the_bms_the_broker_or_node_red_is_gone(
    home_assistant: HomeAssistant,
    node_red: NodeRed,
    bms: ScriptedBms,
    service: Service,
    broker: Broker,
    mqtt: int,
) -> None:
    service.start("--stale-after", "1", "--device-name", "Radio", f"radio={bms.url}")
    node_red.deploy(
        flow_file("zmq-to-mqtt-discovery.json", ZMQ_ADDRESS=service.address, MQTT_PORT=str(mqtt))
    )
    wait_for_states(home_assistant, "Radio", *FULL)

    bms.is_silent = True
    wait_for_states(home_assistant, "Radio", *UNAVAILABLE)
    bms.is_silent = False
    wait_for_states(home_assistant, "Radio", *FULL)

    node_red.program.kill()
    wait_for_states(home_assistant, "Radio", *UNAVAILABLE)
    node_red.start()
    wait_for_states(home_assistant, "Radio", *FULL)

    broker.stop()
    wait_for_states(home_assistant, "Radio", *UNAVAILABLE)
    broker.start()  # has forgotten everything
    bms.change(soc=0.29)
    wait_for_states(home_assistant, "Radio", "29", *FULL[1:])


def test_everything_is_back_after_home_assistant_restarts_and_the_log_stays_quiet(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms, service: Service
) -> None:
    service.start("--device-name", "Announced", f"announced={bms.url}")
    states = Service(node_red.folder)
    states.start("--device-name", "Written", f"written={bms.url}")
    try:
        node_red.deploy(
            flow_file("zmq-to-home-assistant.json", ZMQ_ADDRESS=service.address),
            flow_file("zmq-to-home-assistant-states.json", ZMQ_ADDRESS=states.address),
            flow_file("exec-to-entity-nodes.json", BMS_URL=bms.url),
        )
        keys = ("soc", "voltage", "charging")

        def everything() -> Shown:
            nodes = seen(home_assistant, "REC BMS")
            wanted = [BY_KEY[key].id("REC BMS") for key in keys]
            return {
                **seen(home_assistant, "Announced"),
                **seen(home_assistant, "Written"),
                **{entity_id: nodes[entity_id] for entity_id in wanted if entity_id in nodes},
            }

        expected = {**shown("Announced"), **shown("Written"), **shown("REC BMS", keys)}
        wait_until_equal(everything, expected)

        home_assistant.stop()
        before = len(node_red.log().splitlines())
        # Away for some seconds, in which everything changes ten times a second.
        for step in range(50):
            bms.change(soc=0.4 + step / 1000, vbat=13 + step / 100, ibat=step / 10)
            time.sleep(0.1)
        noise = node_red.log().splitlines()[before:]
        assert len([line for line in noise if "Not taken" in line]) <= 3, noise
        assert len(noise) < 60, noise

        bms.change(soc=0.285054, vbat=13.2439, ibat=7.456289)
        home_assistant.start()
        wait_until_equal(everything, expected)
        bms.change(soc=0.6)
        ids = [BY_KEY["soc"].id(name) for name in ("Announced", "Written", "REC BMS")]
        wait_until_equal(lambda: [home_assistant.state(each) for each in ids], ["60"] * 3)
    finally:
        states.stop()


def test_a_server_that_stays_connected_when_modified_flows_are_deployed_is_not_missed(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms
) -> None:
    flow = flow_file(
        "exec-to-home-assistant.json", BMS_URL=f"shared={bms.url}", DEVICE_NAME="Shared"
    )
    for node in flow:  # it misses the connection after 2 s, not after 30
        if "initialize" in node:
            node["initialize"] = node["initialize"].replace('"seconds": 30', '"seconds": 2')
    flow = with_status_log(with_shared_server(flow), "connection")
    node_red.deploy(flow)
    wait_for_states(home_assistant, "Shared", *FULL)
    before = len(node_red.log())
    node_red.deploy(as_edited(flow, MIN_INTERVAL="1"), kind="flows")

    def texts() -> list[str]:
        return re.findall(r"\[debug:test-log\]\s+(.*)", node_red.log()[before:])

    eventually(texts, "the node has a status", PATIENCE)
    assert texts() == ["connected"]
    assert "Connected to" not in node_red.log()[before:]
