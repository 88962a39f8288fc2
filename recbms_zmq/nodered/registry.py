"""Decimals, and *Remove from Home Assistant*: what concerns entities that were made already."""

import re
from typing import Any, Final

from recbms_zmq.nodered import core_nodes, entity_nodes, requests
from recbms_zmq.nodered.layout import Canvas, Group
from recbms_zmq.nodered.options import SOURCES, FlowOptions
from recbms_zmq.sensors.table import SENSORS

COLOUR: Final = "#7f7f7f"
SUBSCRIBED_AFTER_S: Final = 1
"""The node has sent its subscription by then."""
BUTTON: Final = (
    "Press the button to remove from Home Assistant every entity and device that this kind of flow "
    "has made, also under earlier names. Double-click it and enter the id of a BMS (`main`) to "
    "remove that one only. The history stays in Home Assistant: it belongs to the entity ids. "
    "After a deploy the flow makes its entities again: to change to another flow, delete or "
    "disable this tab after you have pressed the button."
)


def add(canvas: Canvas, options: FlowOptions, sent: str, at: tuple[int, int]) -> tuple[Group, str]:
    """Put the group on the tab; return it, and the link node that stops the flow's sending.

    Args:
        canvas: of the tab.
        options: of the flow.
        sent: id of the link node behind *Only what changed*.
        at: upper left corner.

    """
    has_decimals = options.target in ("discovery", "entity-nodes")
    name = "5. Decimals, and removing" if has_decimals else "5. Removing"
    group = canvas.group("registry", name, COLOUR, at)
    group.line()
    button = group.add(
        "inject",
        "remove",
        "Remove from Home Assistant",
        BUTTON,
        **core_nodes.inject(
            [{"p": "control", "v": "remove", "vt": "str"}, {"p": "payload", "v": "", "vt": "str"}]
        ),
    )
    add_rest = {"mqtt": _mqtt, "states": _states}.get(options.target)
    worker = add_rest(canvas, group) if add_rest else _registry(canvas, group, options, sent)
    canvas.wire(button, worker)
    group.line()
    group.skip(worker)
    stop = group.add(
        "link out", "removed", "Stop", "To *Only what changed*.", mode="link", links=[], l=True
    )
    canvas.wire(worker, stop, 1)
    if options.target == "mqtt":
        _list_retained(canvas, group)
    return group, stop


def _registry(canvas: Canvas, group: Group, options: FlowOptions, sent: str) -> str:
    worker = group.add(
        "function",
        "registry-work",
        "Decimals, removal",
        "Sets in Home Assistant with how many decimals a sensor is shown, ten seconds after it was "
        "made: the companion cannot. A choice of your own in the entity's settings stays. When the "
        "button is pressed, it removes the flow's entities and devices.",
        **core_nodes.function(
            "registry", start="registry_start", outputs=2, tables=tables(canvas, options)
        ),
    )
    requests.add(canvas, group, "registry", worker, canvas.id("remove"))
    group.line()
    group.end_with(canvas.id("remove"))
    link_in = group.add(
        "link in", "sent-in", "Sent", "From group 3: what was sent.", links=[], l=True
    )
    canvas.link(sent, link_in)
    canvas.wire(link_in, worker)
    return worker


def _states(canvas: Canvas, group: Group) -> str:
    worker = group.add(
        "function",
        "registry-work",
        "Remove states",
        "Removes the states that have the attribute `recbms_device`.",
        **core_nodes.function("remove_states", outputs=2),
    )
    requests.add(canvas, group, "registry", worker, canvas.id("remove"))
    return worker


def _mqtt(canvas: Canvas, group: Group) -> str:
    worker = group.add(
        "function",
        "registry-work",
        "Remove from broker",
        "Publishes an empty retained message on each topic of an entity that this kind of flow "
        "has made.",
        **core_nodes.function("remove_mqtt", outputs=3),
    )
    out = group.add(
        "mqtt out",
        "remove-out",
        "Publish",
        "Publishes what the node before it has made.",
        **core_nodes.mqtt_out(canvas.id("broker")),
    )
    canvas.chain(worker, out)
    group.line()
    group.end_with(canvas.id("remove"))
    back_in = group.add(
        "link in", "retained-in", "Configurations", "From the lines below.", links=[], l=True
    )
    canvas.wire(back_in, worker)
    group.skip(worker)
    subscribe_line = group.add(
        "link out",
        "subscribe-out",
        "Subscribe",
        "To the lines below.",
        mode="link",
        links=[],
        l=True,
    )
    canvas.wire(worker, subscribe_line, 2)
    return worker


def _list_retained(canvas: Canvas, group: Group) -> None:
    """Add what asks the broker for all configurations and returns them to the worker."""
    subscribe_line, back_in = canvas.id("subscribe-out"), canvas.id("retained-in")
    group.line()
    subscribe_in = group.add(
        "link in", "subscribe-in", "Subscribe", "From the line above.", links=[], l=True
    )
    canvas.link(subscribe_line, subscribe_in)
    retained = group.add(
        "mqtt in",
        "retained",
        "Retained",
        "Home Assistant's MQTT discovery, as the broker keeps it. It subscribes after the button "
        "was pressed.",
        **core_nodes.mqtt_in(canvas.id("broker")),
    )
    back_out = group.add(
        "link out", "retained-out", "Configuration", "Back.", mode="link", links=[], l=True
    )
    canvas.chain(subscribe_in, retained, back_out)
    group.line()
    wait_in = group.add(
        "link in", "wait-in", "Subscribe", "From the lines above.", links=[], l=True
    )
    canvas.link(subscribe_line, wait_in)
    wait = group.add(
        "trigger",
        "subscribed",
        f"{SUBSCRIBED_AFTER_S} s later",
        "The subscription has been sent by then.",
        **core_nodes.trigger(SUBSCRIBED_AFTER_S, extend=False),
    )
    subscribed = group.add(
        "change",
        "subscribed-control",
        "Subscribed",
        "Sets `msg.control`.",
        **core_nodes.change("control", "subscribed"),
    )
    subscribed_out = group.add(
        "link out", "subscribed-out", "Subscribed", "Back.", mode="link", links=[], l=True
    )
    canvas.chain(wait_in, wait, subscribed, subscribed_out)
    canvas.link(back_out, back_in)
    canvas.link(subscribed_out, back_in)


def tables(canvas: Canvas, options: FlowOptions) -> dict[str, Any]:
    """Return how to recognize what this kind of flow has made, in Home Assistant's registries."""
    if options.target == "entity-nodes":
        flow = f"recbms-(?:{'|'.join(SOURCES)})-entity-nodes(?:-(.+?))?"
        own = {
            "id": f"-{canvas.id('entity-')}",
            "slash": "-",
            "underscore": "-",
            "device": f"^{flow}-device$",
            "entity": f"^.*-{flow}-entity-",
            "nodes": True,
            "keys": entity_nodes.keys(options),
        }
    else:
        keys = (re.sub(r"\{\w+\}", r"\\d+", sensor.key) for sensor in SENSORS)
        found = {re.sub(r"^(settings|link)/.+", r"\1_\\w+", key).replace("/", "_") for key in keys}
        own = {
            "id": "nodered-recbms-DEVICE_",
            "slash": "_",
            "underscore": "_",
            "device": "^recbms_(.+)$",
            "entity": f"^nodered-recbms-(.+?)_(?:{'|'.join(sorted(found))})$",
            "nodes": False,
            "keys": None,
        }
    return {"own": own}
