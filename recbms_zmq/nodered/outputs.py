"""Targets: the third part of a flow. Each takes the messages and makes entities of them.

`discovery` and `states` (`home_assistant`) and `mqtt` are one function node each, for any pack.
`entity-nodes` has a node per sensor, `dashboard` makes a page instead, and `signal-k` deltas for a
boat's server: see the modules of these names.
"""

from typing import Final

from recbms_zmq.nodered import (
    alarms,
    core_nodes,
    dashboard,
    entity_nodes,
    home_assistant,
    mqtt,
    registry,
    resend,
    signal_k,
)
from recbms_zmq.nodered.layout import Canvas, Group, Properties
from recbms_zmq.nodered.options import FlowOptions

COLOUR: Final = "#5b9a4c"
MIN_INTERVAL_S: Final = 10
"""Home Assistant's recorder grows by 30 MB a day for 4 cells; with every change by 160 MB."""
TITLES: Final = {
    "discovery": "3. Make entities in Home Assistant",
    "entity-nodes": "3. One entity, one node",
    "states": "3. Write states into Home Assistant",
    "mqtt": "3. Publish for Home Assistant on MQTT",
}


def env(options: FlowOptions) -> list[Properties]:
    """Return what the target adds to the tab's environment."""
    entries = []
    if options.target == "mqtt":
        entries = [
            core_nodes.env("MQTT_HOST", "127.0.0.1"),
            core_nodes.env("MQTT_PORT", "1883"),
            core_nodes.env("MQTT_DISCOVERY_PREFIX", "homeassistant"),
            core_nodes.env("MQTT_STATUS_TOPIC", f"recbms/{options.prefix}"),
        ]
    if options.target == "dashboard":
        return dashboard.env()
    if options.target == "signal-k":
        return signal_k.env()
    entries.append(core_nodes.env("MIN_INTERVAL", str(MIN_INTERVAL_S), "num"))
    if options.target != "mqtt":
        entries.insert(0, core_nodes.env("HA_URL", "http://homeassistant.local:8123"))
        entries += alarms.env()
    needs_all = options.target == "entity-nodes" and entity_nodes.need_all_sensors(options)
    if options.target != "entity-nodes" or needs_all:
        is_on = options.all_sensors or needs_all
        entries.append(core_nodes.env("ALL_SENSORS", str(is_on).lower(), "bool"))
    return entries


def add(canvas: Canvas, options: FlowOptions, messages: str, at: tuple[int, int]) -> None:
    """Put the parts behind the first on the tab.

    Args:
        canvas: of the tab.
        options: of the flow.
        messages: id of the `link out` node that sends the messages.
        at: upper left corner.

    """
    if options.target == "dashboard":
        dashboard.add(canvas, options, messages, at)
        return
    if options.target == "signal-k":
        signal_k.add(canvas, messages, at)
        return
    events, offline = resend.silence(canvas, messages, at)
    controls = [offline]
    started: list[str] = []
    if options.target == "mqtt":
        controls.append(mqtt.when_connected(canvas, events))
    else:
        home_assistant.server(canvas)
        started = home_assistant.when_started(events, options)
        controls += started
        is_many = options.target == "entity-nodes"
        failing = entity_nodes.ids(canvas, options) if is_many else [canvas.id("api")]
        controls += resend.retry(events, failing)
        resend.survive(events)
    has_entities = options.target in ("discovery", "entity-nodes")
    side = (events.right + 40, at[1])
    group, new, sent = _changes(canvas, options, messages, side, has_entities=has_entities)
    if new is not None:
        controls.append(resend.confirm(events, new))

    below = at[1] + max(events.height, group.height) + 20
    if options.target == "mqtt":
        warning, alarms_in = alarms.add_mqtt(canvas, messages, controls, (at[0], below))
    else:
        warning = alarms.add(canvas, messages, [offline, *started], (at[0], below))
    left = warning.right + 120  # the editor draws its nodes wider than they are counted
    _, stop = registry.add(canvas, options, sent, (left, below))
    for control in (*controls, stop):
        canvas.link(control, canvas.id("control"))
    if options.target == "mqtt":
        canvas.link(stop, alarms_in)


def _changes(
    canvas: Canvas,
    options: FlowOptions,
    messages: str,
    at: tuple[int, int],
    *,
    has_entities: bool,
) -> tuple[Group, str | None, str]:
    """Add the third part; return its group, the link nodes for new sensors and for what is sent."""
    group = canvas.group("target", TITLES[options.target], COLOUR, at)
    # A node with many outputs is high: its place is in the middle of those that it leads to.
    middle = (len(options.sensors) - 1) // 2 if options.target == "entity-nodes" else 0
    group.line(middle)
    link_in = group.add("link in", "changes-in", "Messages", "From group 1.", links=[], l=True)
    canvas.link(messages, link_in)
    about = (
        "Keeps the last message of every sensor, and passes on what differs from the last one "
        "sent. `MIN_INTERVAL` in the tab's environment is the least number of seconds between two "
        "values of a sensor; alarms and availability are sent at once."
    )
    if options.target != "entity-nodes":
        about += (
            " By default the sensors are those of use every day; with `ALL_SENSORS` also settings, "
            "cell resistances and balancing."
        )
    changes = group.add(
        "function",
        "changes",
        "Only what changed",
        about,
        **core_nodes.function("changes", start="changes_start", outputs=2 if has_entities else 1),
    )
    canvas.chain(link_in, changes)
    if options.target == "entity-nodes":
        entity_nodes.add(canvas, group, options, changes)
    elif options.target == "mqtt":
        mqtt.publish(canvas, group, changes)
    else:
        home_assistant.api(canvas, group, options, changes)
    group.line(middle + 1)
    control = group.add("link in", "control", "Control", "From group 2.", links=[], l=True)
    canvas.wire(control, changes)
    new = sent = None
    if has_entities:
        # Below the high node, if there is one.
        under = middle + (2 if options.target == "entity-nodes" else 1)
        group.line(under, after=changes)
        new = group.add(
            "link out", "new", "New sensors", "To group 2.", mode="link", links=[], l=True
        )
        canvas.wire(changes, new, 1)
        group.line(under + 1, after=changes)
        sent = group.add("link out", "sent", "Sent", "To group 5.", mode="link", links=[], l=True)
        canvas.wire(changes, sent)
    return group, new, sent or ""
