"""Targets: the third part of a flow. Each takes the messages and makes entities of them.

`discovery`, `states` and `mqtt` are one function node each, good for any pack; `entity-nodes` has
a node per sensor, `dashboard` makes a page instead, and `signal-k` deltas for a boat's server: see
the modules of these names.
"""

from typing import Final

from recbms_zmq.nodered import (
    alarms,
    core_nodes,
    dashboard,
    entity_nodes,
    registry,
    requests,
    resend,
    signal_k,
)
from recbms_zmq.nodered.layout import Canvas, Group, Properties
from recbms_zmq.nodered.options import FlowOptions

COLOUR: Final = "#5b9a4c"
CONNECTED_AFTER_S: Final = 30
MIN_INTERVAL_S: Final = 10
"""Home Assistant's recorder grows by 29 MB a day for 4 cells; with every change by 110 MB."""
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
    if options.target != "entity-nodes":
        entries.append(core_nodes.env("ALL_SENSORS", str(options.all_sensors).lower(), "bool"))
    return entries


def add(canvas: Canvas, options: FlowOptions, messages: str, at: tuple[int, int]) -> None:
    """Put the parts behind the first on the tab.

    Args:
        canvas: of the tab.
        options: of the flow.
        messages: id of the link node that gives the messages.
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
        controls.append(_when_broker_is_there(canvas, events))
    else:
        _server(canvas)
        started = _when_home_assistant_is_there(events, options)
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
    # A node with many outputs is high: it stands in the middle of those that it leads to.
    middle = (len(options.sensors) - 1) // 2 if options.target == "entity-nodes" else 0
    group.line(middle)
    heard = group.add("link in", "taken", "Messages", "From group 1.", links=[], l=True)
    canvas.link(messages, heard)
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
    canvas.chain(heard, changes)
    if options.target == "entity-nodes":
        entity_nodes.add(canvas, group, options, changes)
    elif options.target == "mqtt":
        _mqtt(canvas, group, changes)
    else:
        _api(canvas, group, options, changes)
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


def _server(canvas: Canvas) -> None:
    canvas.config(
        "server",
        "server",
        "Home Assistant",
        version=6,
        addon=False,
        rejectUnauthorizedCerts=True,
        ha_boolean=["y", "yes", "true", "on", "home", "open"],
        connectionDelay=True,
        cacheJson=True,
        heartbeat=True,
        heartbeatInterval=30,
        areaSelector="friendlyName",
        deviceSelector="friendlyName",
        entitySelector="friendlyName",
        statusSeparator="at: ",
        statusYear="hidden",
        statusMonth="short",
        statusDay="numeric",
        statusHourCycle="h23",
        statusTimeFormat="h:m",
        enableGlobalContextStore=False,
        credentials={"host": "${HA_URL}", "access_token": "${HA_TOKEN}"},
    )


def _when_home_assistant_is_there(group: Group, options: FlowOptions) -> list[str]:
    """Add a line for each start after which Home Assistant has forgotten; return their ends."""
    ready = _server_event(
        group,
        "ha",
        "HA connection",
        "home_assistant_client",
        "payload",
        ["running", "ready"],
        "Has started",
        "Home Assistant has started, and has forgotten what was announced. It sends `running` and "
        "then `ready`, the latter not if one of its integrations is broken.",
    )
    if options.target == "states":
        return [ready]
    loaded = _server_event(
        group,
        "companion",
        "Companion",
        "nodered",
        "payload.event.type",
        ["loaded"],
        "Is loaded",
        "The companion integration was loaded again: by *Reload* in its menu, or because an entity "
        "was enabled. Its entities are unavailable until they are announced again.",
    )
    return [ready, loaded]


def _server_event(
    group: Group,
    key: str,
    name: str,
    event: str,
    where: str,
    values: list[str],
    condition: str,
    about: str,
) -> str:
    canvas = group.canvas
    group.line()
    events = group.add(
        "server-events",
        f"{key}-events",
        name,
        f"Events `{event}`.",
        server=canvas.id("server"),
        version=3,
        eventType=event,
        exposeAsEntityConfig="",
        eventData="",
        waitForRunning=False,
        outputProperties=[
            {"property": "payload", "propertyType": "msg", "value": "", "valueType": "eventData"}
        ],
        outputs=1,
    )
    wanted = group.add(
        "switch", f"{key}-ready", condition, about, **core_nodes.either(where, values)
    )
    canvas.chain(events, wanted)
    out = resend.announce(group, key, wanted)
    if key == "ha":
        _watch(
            group,
            wanted,
            "no connection to Home Assistant at ${HA_URL}: correct HA_URL in the tab's "
            "environment; open the node Home Assistant, press the pencil and enter the token of an "
            "administrator",
        )
    return out


def _watch(group: Group, connected: str, missing: str) -> None:
    group.line()
    group.skip(connected)
    watch = group.add(
        "function",
        "connection",
        "Is it connected?",
        f"Says what to do when there is no connection {CONNECTED_AFTER_S} s after a deploy.",
        **core_nodes.watch(CONNECTED_AFTER_S, "connected", missing),
    )
    group.canvas.wire(connected, watch)


def _when_broker_is_there(canvas: Canvas, group: Group) -> str:
    group.line()
    status = group.add(
        "status",
        "broker-status",
        "Broker status",
        "The connection to the broker.",
        scope=[canvas.id("mqtt")],
    )
    connected = group.add(
        "switch",
        "broker-connected",
        "Is connected",
        "A broker that was restarted may have forgotten everything.",
        **core_nodes.switch("status.fill", ["green"]),
    )
    canvas.chain(status, connected)
    out = resend.announce(group, "broker", connected)
    _watch(
        group,
        connected,
        "no connection to the MQTT broker at ${MQTT_HOST}:${MQTT_PORT}: correct these two in the "
        "tab's environment; user name and password are behind the pencil of the node MQTT broker",
    )
    return out


def _api(canvas: Canvas, group: Group, options: FlowOptions, changes: str) -> None:
    if options.target == "discovery":
        make = group.add(
            "function",
            "entities",
            "Announce and update",
            "Makes of every reading an entity of the device, and its state. It asks the companion "
            "integration in Home Assistant, *Node-RED Companion*, to do so.",
            **core_nodes.function("discovery"),
        )
    else:
        make = group.add(
            "function",
            "entities",
            "Entity id and state",
            "Makes of every reading a `POST /api/states/…`. The entities have no unique id and no "
            "device, and are gone after a restart of Home Assistant until the next value is sent.",
            **core_nodes.function("states"),
        )
    api = group.add(
        "ha-api",
        "api",
        "Home Assistant",
        "Sends what the node before it has made. Choose your own server here, and in the group "
        "before, if you have one already.",
        **requests.api(canvas),
    )
    canvas.chain(changes, make, api)


def _mqtt(canvas: Canvas, group: Group, changes: str) -> None:
    # Birth, close and will messages: the flow is online while Node-RED is connected, and offline
    # however the connection ends.
    status: Properties = {}
    for moment, payload in (("birth", "online"), ("close", "offline"), ("will", "offline")):
        status |= {
            f"{moment}Topic": "${MQTT_STATUS_TOPIC}",
            f"{moment}Qos": "1",
            f"{moment}Retain": "true",
            f"{moment}Payload": payload,
            f"{moment}Msg": {},
        }
    broker = canvas.config(
        "mqtt-broker",
        "broker",
        "Home Assistant's broker",
        broker="${MQTT_HOST}",
        port="${MQTT_PORT}",
        clientid="",
        autoConnect=True,
        usetls=False,
        protocolVersion="4",
        keepalive="60",
        cleansession=True,
        autoUnsubscribe=True,
        **status,
        userProps="",
        sessionExpiry="",
    )
    make = group.add(
        "function",
        "entities",
        "Announce and update",
        "Makes of every reading Home Assistant's MQTT discovery and a state.",
        **core_nodes.function("mqtt"),
    )
    out = group.add(
        "mqtt out",
        "mqtt",
        "MQTT broker",
        "Publishes what the node before it has made. User name and password, if the broker wants "
        "them, are set in the broker's settings, behind the pencil.",
        **core_nodes.mqtt_out(broker),
    )
    canvas.chain(changes, make, out)
