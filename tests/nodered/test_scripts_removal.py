"""The nodes behind the button *Remove from Home Assistant*, run by Node.js."""

import json
from typing import Any

import pytest
from support.function_node import needs_node, run_scripts

from recbms_zmq.nodered import FlowOptions, flow_json
from recbms_zmq.nodered.options import Target

PRESSED = {"control": "remove", "payload": ""}
AWAY = {"message": "NoConnectionError: No connection to Home Assistant"}
DEVICES = [{"identifiers": [["nodered", "recbms_main"]]}, {"identifiers": [["hue", "1"]]}]
ENTITIES = [
    {"platform": "nodered", "unique_id": "nodered-recbms-main_soc", "entity_id": "sensor.soc"},
    {"platform": "hue", "unique_id": "1", "entity_id": "light.lamp"},
]
ANSWERS: dict[str, Any] = {
    "config/device_registry/list": DEVICES,
    "config/entity_registry/list": ENTITIES,
    "config_entries/get": [{"entry_id": "e1"}],
}
REMOVAL = [
    "config/device_registry/list",
    "config/entity_registry/list",
    "nodered/device/remove recbms_main",
    "config/entity_registry/remove sensor.soc",
    "config_entries/get",
    "call_service",
]

pytestmark = needs_node


class Node:
    """The function node of a flow, with an answer to each of its requests."""

    def __init__(self, target: Target) -> None:
        nodes = json.loads(flow_json(FlowOptions(source="exec", target=target)))
        [self._node] = [each for each in nodes if each["id"].endswith("-registry-work")]
        self._messages: list[dict[str, Any]] = []
        self.done: list[dict[str, Any]] = []

    def gets(self, *messages: dict[str, Any]) -> None:
        self._messages += messages
        node = self._node
        self.done = run_scripts(node["initialize"], node["func"], self._messages)

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests that it has sent."""
        outputs = [
            output
            for each in self.done
            for output in (*each["later"], *([each["sent"]] if each["sent"] else []))
        ]
        found: list[dict[str, Any]] = []
        for request, _ in outputs:
            found += request if isinstance(request, list) else [request] if request else []
        return found

    def is_answered(self, answers: dict[str, Any] = ANSWERS) -> None:
        """Answer requests until there are no more."""
        answered = len(self.requests()) - 1
        while (answered := answered + 1) <= len(self.requests()):
            request = self.requests()[answered - 1]
            payload = answers.get(request["payload"]["data"]["type"])
            self.gets({"request": request["request"], "payload": payload})

    def refuses(self, error: dict[str, str]) -> None:
        """Let the last request fail."""
        self.gets({**self.requests()[-1], "error": error})

    def statuses(self) -> list[str]:
        return [text for each in self.done for text in each["statuses"]]


def words(requests: list[dict[str, Any]]) -> list[str]:
    """Return what is asked for, and of what."""
    found = []
    for request in requests:
        data = request["payload"]["data"]
        what = data.get("node_id") or data.get("entity_id") or ""
        found.append(f"{data['type']} {what}".strip())
    return found


def test_the_button_removes_devices_and_entities_and_reloads_the_companion() -> None:
    node = Node("discovery")
    node.gets(PRESSED)
    node.is_answered()
    assert words(node.requests()) == REMOVAL
    assert node.statuses() == ["removing", "removed: 1 entities"]


def test_a_button_that_is_pressed_before_there_is_a_connection_waits_for_it() -> None:
    node = Node("discovery")
    node.gets(PRESSED)
    for _ in range(3):
        node.refuses(AWAY)
        node.gets({"wait": 4900}, PRESSED, {"wait": 200})
    node.is_answered()
    assert words(node.requests()) == REMOVAL[:1] * 3 + REMOVAL
    waiting = ["waiting for Home Assistant"] * 3
    assert node.statuses() == ["removing", *waiting, "removed: 1 entities"]


def test_a_removal_goes_on_after_the_connection_was_lost() -> None:
    node = Node("discovery")
    node.gets(PRESSED)
    for kind in REMOVAL[:3]:
        assert words(node.requests())[-1] == kind
        node.gets({**node.requests()[-1], "payload": ANSWERS.get(kind)})
    node.refuses({"message": "Connection lost"})
    node.gets({"wait": 5000})
    node.is_answered()
    assert words(node.requests()) == REMOVAL[:4] + REMOVAL[3:]
    assert node.statuses()[-1] == "removed: 1 entities"


def test_a_removal_that_is_refused_ends_with_the_reason_and_can_be_tried_again() -> None:
    node = Node("discovery")
    node.gets(PRESSED)
    node.refuses({"message": "Unauthorized"})
    assert node.statuses() == ["removing", "Unauthorized"]
    node.gets(PRESSED)
    node.is_answered()
    assert node.statuses()[-1] == "removed: 1 entities"


@pytest.mark.parametrize(
    ("error", "status"),
    [(AWAY, "waiting for Home Assistant"), ({"message": "Unauthorized"}, "Unauthorized")],
)
def test_states_are_listed_again_when_home_assistant_was_away(
    error: dict[str, str], status: str
) -> None:
    node = Node("states")
    node.gets(PRESSED)
    node.refuses(error)
    node.gets({"wait": 5000})
    listing = node.requests()[0]
    assert node.requests() == [listing] * (2 if error == AWAY else 1)
    assert node.statuses() == ["removing", status]
