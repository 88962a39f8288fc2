"""Targets: the third part of a flow. Each takes the messages and makes entities of them.

`discovery`, `states` and `mqtt` are one function node each, good for any pack; `entity-nodes` has
a node per sensor, and `dashboard` makes a page instead: see the modules of these names.
"""

from typing import Final

from recbms_zmq.nodered import core_nodes, dashboard, entity_nodes, resend
from recbms_zmq.nodered.layout import Canvas, Group, Properties
from recbms_zmq.nodered.options import FlowOptions

COLOUR: Final = "#5b9a4c"
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
        entries = dashboard.env()
    elif options.target != "entity-nodes":
        entries.append(core_nodes.env("ALL_SENSORS", str(options.all_sensors).lower(), "bool"))
    return entries


def add(canvas: Canvas, options: FlowOptions, messages: str, at: tuple[int, int]) -> None:
    """Put the second and the third part on the tab.

    Args:
        canvas: of the tab.
        options: of the flow.
        messages: id of the link node that gives the messages.
        at: upper left corner.

    """
    if options.target == "dashboard":
        dashboard.add(canvas, options, messages, at)
        return
    changes = canvas.id("changes")
    events = resend.silence(canvas, messages, [changes], at)
    if options.target == "mqtt":
        _when_broker_is_there(canvas, events, changes)
    else:
        _server(canvas)
        _when_home_assistant_is_there(canvas, events, changes)
        if options.target == "entity-nodes":
            failing = entity_nodes.ids(canvas, options)
        else:
            failing = [canvas.id("api")]
        resend.what_fails(events, changes, failing)
    announced = None
    if options.target in ("discovery", "entity-nodes"):
        announced = resend.what_is_new(events, changes)

    group = canvas.group("target", TITLES[options.target], COLOUR, (events.right + 40, at[1]))
    # A node with many outputs is high: it stands in the middle of those that it leads to.
    middle = (len(options.sensors) - 1) // 2 if options.target == "entity-nodes" else 0
    group.line(middle)
    heard = group.add("link in", "taken", "Messages", "From the first group.", links=[], l=True)
    canvas.link(messages, heard)
    all_sensors = (
        "By default these are the sensors that are of use every day; with `ALL_SENSORS` in the "
        "tab's environment all of them, also settings, cell resistances and balancing."
    )
    group.add(
        "function",
        "changes",
        "Only what changed",
        "Remembers the last message of every sensor and lets through what differs from what Home "
        "Assistant was told. " + (all_sensors if options.target != "entity-nodes" else ""),
        **core_nodes.function(
            "changes", start="changes_start", outputs=1 if announced is None else 2
        ),
    )
    canvas.chain(heard, changes)
    if options.target == "entity-nodes":
        entity_nodes.add(canvas, group, options, changes)
    elif options.target == "mqtt":
        _mqtt(canvas, group, changes)
    else:
        _api(canvas, group, options, changes)
    if announced is not None:
        group.line(middle + 1, after=changes)
        new = group.add(
            "link out",
            "new",
            "New sensors",
            "To the second group.",
            mode="link",
            links=[],
            l=True,
        )
        canvas.wire(changes, new, 1)
        canvas.link(new, announced)


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


def _when_home_assistant_is_there(canvas: Canvas, group: Group, changes: str) -> None:
    group.line()
    events = group.add(
        "server-events",
        "ha-events",
        "Home Assistant",
        "Tells how the connection to Home Assistant is.",
        server=canvas.id("server"),
        version=3,
        eventType="home_assistant_client",
        exposeAsEntityConfig="",
        eventData="",
        waitForRunning=False,
        outputProperties=[],
        outputs=1,
    )
    ready = group.add(
        "switch",
        "ha-ready",
        "Has started",
        "It has started, also anew, and has forgotten what it was told before. It says `running` "
        "and then `ready`, the latter not if one of its integrations is broken.",
        **core_nodes.either("payload", ["running", "ready"]),
    )
    canvas.chain(events, ready)
    resend.when_ready(group, changes, ready)


def _when_broker_is_there(canvas: Canvas, group: Group, changes: str) -> None:
    group.line()
    status = group.add(
        "status",
        "broker-status",
        "MQTT broker",
        "Tells how the connection to the broker is.",
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
    resend.when_ready(group, changes, connected)


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
            "device, and are gone after a restart of Home Assistant until they are said again.",
            **core_nodes.function("states"),
        )
    api = group.add(
        "ha-api",
        "api",
        "Home Assistant",
        "Sends what the node before it has made. Choose your own server here, and in the group "
        "before, if you have one already.",
        server=canvas.id("server"),
        version=1,
        debugenabled=False,
        protocol="websocket",
        method="post",
        path="",
        data="",
        dataType="json",
        responseType="json",
        outputProperties=[],
        outputs=1,
    )
    canvas.chain(changes, make, api)


def _mqtt(canvas: Canvas, group: Group, changes: str) -> None:
    # Node-RED says on connecting that the flow is alive, and on leaving, however it leaves, that
    # it is not.
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
        topic="",
        qos="",
        retain="",
        respTopic="",
        contentType="",
        userProps="",
        correl="",
        expiry="",
        broker=broker,
    )
    canvas.chain(changes, make, out)
