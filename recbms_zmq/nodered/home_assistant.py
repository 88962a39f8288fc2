"""Home Assistant as a target, by its own API: the server, its starts, and what makes entities."""

from typing import Final

from recbms_zmq.nodered import core_nodes, requests, resend
from recbms_zmq.nodered.layout import Canvas, Group
from recbms_zmq.nodered.options import FlowOptions

ANSWERED: Final = "answered"
"""Key of the link node that takes Home Assistant's answers."""


def server(canvas: Canvas) -> None:
    """Add the node with the address and the token, which all others use."""
    # Properties and versions, here and in all nodes of this package, are those that 0.80.3 writes:
    # the package migrates nodes by their version.
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
        # A machine that lost power closes no connection.
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
        # Node-RED takes these from an imported flow only: beside a flows.json it wants a second
        # file. Names of the environment are replaced in them.
        credentials={"host": "${HA_URL}", "access_token": "${HA_TOKEN}"},
    )


def when_started(group: Group, options: FlowOptions) -> list[str]:
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
    if options.target == "states":  # which does not use the companion
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
        watch = resend.watch(
            group,
            wanted,
            "no connection to Home Assistant at ${HA_URL}: correct HA_URL in the tab's "
            "environment; open the node Home Assistant, press the pencil and enter the token of an "
            "administrator",
        )
        # A server that other tabs use too stays connected when only modified flows are deployed:
        # then there is no event.
        group.line()
        group.end_with(wanted)
        answered = group.add(
            "link in",
            ANSWERED,
            "Answers",
            "From group 4: what Home Assistant answers shows that it is connected.",
            links=[],
            l=True,
        )
        canvas.wire(answered, watch)
    return out


def api(canvas: Canvas, group: Group, options: FlowOptions, changes: str) -> None:
    """Add what makes entities, and the node that sends them, behind `changes`."""
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
    send = group.add(
        "ha-api",
        "api",
        "Home Assistant",
        "Sends what the node before it has made. Choose your own server here, and in the group "
        "before, if you have one already.",
        **requests.api(canvas),
    )
    canvas.chain(changes, make, send)
