"""MQTT as a target: Home Assistant's discovery and states, on a broker."""

from recbms_zmq.nodered import core_nodes, resend
from recbms_zmq.nodered.layout import Canvas, Group, Properties


def when_connected(canvas: Canvas, group: Group) -> str:
    """Add a line for each connection to the broker; return its end."""
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
    resend.watch(
        group,
        connected,
        "no connection to the MQTT broker at ${MQTT_HOST}:${MQTT_PORT}: correct these two in the "
        "tab's environment; user name and password are behind the pencil of the node MQTT broker",
    )
    return out


def publish(canvas: Canvas, group: Group, changes: str) -> None:
    """Add what makes MQTT messages, and the node that publishes them, behind `changes`."""
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
