"""What goes wrong at the beginning reads as a sentence with what to do, once."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.waiting import eventually

from e2e import installation
from e2e.home_assistant import HomeAssistant
from e2e.node_red import NodeRed, flow_file
from e2e.scripted_bms import ScriptedBms
from e2e.service import command_folder
from e2e.waiting import PATIENCE, free_port


def soon(flow: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a flow that misses something after 2 s instead of 30."""
    for node in flow:
        if "initialize" in node:
            node["initialize"] = node["initialize"].replace('"seconds": 30', '"seconds": 2')
    return flow


def wait_for(node_red: NodeRed, before: int, sentence: str) -> None:
    """Wait until the log has a sentence, and check that it stays with one."""

    def new() -> str:
        return node_red.log()[before:]

    eventually(lambda: sentence in new(), sentence, PATIENCE)
    assert new().count(sentence) == 1, new()


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("recbms-zmq-is-not-here", "recbms-zmq-is-not-here was not found: set PROGRAM"),
        ("/my folder/recbms-zmq", "its path has a space, so put PROGRAM in double quotes"),
    ],
)
def test_a_wrong_program(program: str, sentence: str, node_red: NodeRed) -> None:
    before = len(node_red.log())
    node_red.deploy(flow_file("dashboard.json", PROGRAM=program))
    wait_for(node_red, before, sentence)


def test_a_path_with_a_space_works_in_quotes(
    node_red: NodeRed, bms: ScriptedBms, tmp_path: Path
) -> None:
    before = len(node_red.log())
    folder = tmp_path / "my folder"
    folder.mkdir()
    program = folder / "recbms-zmq"
    program.write_text('#!/bin/sh\nexec recbms-zmq "$@"\n')
    program.chmod(0o755)
    node_red.deploy(flow_file("dashboard.json", PROGRAM=f'"{program}"', BMS_URL=f"space={bms.url}"))
    eventually(lambda: bms.connections > 0, "the program has connected", 30)
    assert "was not found" not in node_red.log()[before:]


def test_a_wrong_option(node_red: NodeRed) -> None:
    before = len(node_red.log())
    node_red.deploy(flow_file("dashboard.json", BMS_URL="nonsense"))
    wait_for(node_red, before, "an option is wrong: see the log in the debug sidebar")


def test_no_service_to_subscribe_to(node_red: NodeRed) -> None:
    before = len(node_red.log())
    address = f"tcp://127.0.0.1:{free_port()}"
    node_red.deploy(soon(flow_file("zmq-to-home-assistant.json", ZMQ_ADDRESS=address)))
    wait_for(node_red, before, f"nothing was received from {address}: start recbms-zmq run there")


def test_a_wrong_broker(node_red: NodeRed) -> None:
    before = len(node_red.log())
    port = str(free_port())
    node_red.deploy(soon(flow_file("zmq-to-mqtt-discovery.json", MQTT_PORT=port)))
    wait_for(node_red, before, f"no connection to the MQTT broker at 127.0.0.1:{port}")


@pytest.fixture
def without_token(
    installed: Callable[[Callable[[], object]], None], tmp_path: Path
) -> Iterator[NodeRed]:
    installed(installation.node_modules)
    program = NodeRed(tmp_path / "node-red", {})
    program.start()
    yield program
    program.stop()


@pytest.mark.parametrize("name", ["exec-to-entity-nodes.json", "exec-to-home-assistant.json"])
def test_no_token_and_no_home_assistant(name: str, without_token: NodeRed) -> None:
    flow = flow_file(name, BMS_URL="sim:", HA_URL=f"http://127.0.0.1:{free_port()}")
    without_token.deploy(soon(flow))
    wait_for(without_token, 0, "no connection to Home Assistant at http://127.0.0.1:")
    assert "Circular" not in without_token.log()


def test_no_companion(
    installed: Callable[[Callable[[], object]], None], bms: ScriptedBms, tmp_path: Path
) -> None:
    installed(installation.home_assistant)
    installed(installation.node_modules)
    home_assistant = HomeAssistant(tmp_path / "home-assistant", has_companion=False)
    command = f"{command_folder(tmp_path)}:{os.environ['PATH']}"
    try:
        home_assistant.start()
        env = {"HA_URL": home_assistant.url, "HA_TOKEN": home_assistant.token, "PATH": command}
        node_red = NodeRed(tmp_path / "node-red", env)
        try:
            node_red.start()
            node_red.deploy(flow_file("exec-to-home-assistant.json", BMS_URL=bms.url))
            wait_for(node_red, 0, "Node-RED Companion is missing in Home Assistant: install it")
        finally:
            node_red.stop()
    finally:
        home_assistant.stop()
