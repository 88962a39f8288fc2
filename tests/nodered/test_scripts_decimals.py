"""The node that sets in Home Assistant with how many decimals a sensor is shown, run by Node.js."""

import json
from typing import Any

import pytest
from support.function_node import needs_node, run_scripts

from recbms_zmq.nodered import FlowOptions, flow_json
from recbms_zmq.nodered.options import Target

pytestmark = needs_node


def asked(target: Target, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    """Give messages to the node of a flow; return what it asks for."""
    options = FlowOptions(source="exec", target=target, sensors=("soc", "settings/capacity"))
    [node] = [
        each for each in json.loads(flow_json(options)) if each["id"].endswith("-registry-work")
    ]
    done = run_scripts(node["initialize"], node["func"], messages)
    return [request["payload"]["data"] for each in done for request, _ in each["later"]]


def confirmed(key: str) -> dict[str, Any]:
    ha = {"component": "sensor", "suggested_display_precision": 1}
    return {"kind": "reading", "device": "main", "key": key, "ha": ha, "confirm": True}


@pytest.mark.parametrize(
    ("target", "key", "is_set"),
    [
        ("discovery", "soc", True),
        ("discovery", "voltage", True),
        ("entity-nodes", "soc", True),
        ("entity-nodes", "settings/capacity", True),
        ("entity-nodes", "voltage", False),  # it has no node, and so no entity
    ],
)
def test_home_assistant_is_asked_for_the_entities_that_the_flow_makes(
    target: Target, key: str, is_set: bool
) -> None:
    listing = {"type": "config/entity_registry/list"}
    assert asked(target, confirmed(key)) == [listing] * is_set
