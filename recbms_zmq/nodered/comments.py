"""The texts of a flow: its tab's label and description, and the comments on it."""

from recbms_zmq.nodered.layout import Note
from recbms_zmq.nodered.options import FlowOptions

_FROM = {
    "exec": "exec",
    "daemon": "daemon",
    "zmq": "ZMQ",
    "zeromq-node": "zeromq",
}
_TO = {
    "discovery": "Home Assistant",
    "entity-nodes": "entity nodes",
    "states": "HA states",
    "mqtt": "MQTT",
    "dashboard": "dashboard",
    "signal-k": "Signal K",
}
_SEVERAL = {
    "exec": "set `BMS_URL` to `house=ws://… boat=ws://…`",
    "daemon": 'set `BMS_URL` to `house=ws://…`, and add `"boat=ws://…"` to the list `ARGUMENTS`',
}
_NEEDS_HA = "node-red-contrib-home-assistant-websocket"
_NEEDS_DASHBOARD = "@flowfuse/node-red-dashboard"


def tab_label(options: FlowOptions) -> str:
    """Return the tab's label; the editor shows about 20 characters of it."""
    name = "BMS" if options.id == "main" else options.id
    return f"{name} {_FROM[options.source]} → {_TO[options.target]}"


def _needs(options: FlowOptions) -> list[str]:
    needs = {
        "exec": [f"the command `{options.program}` where Node-RED runs"],
        "daemon": [
            f"the command `{options.program}` where Node-RED runs",
            "the palette entry `node-red-node-daemon`",
        ],
        "zmq": ["a running `recbms-zmq run`, here or on another machine"],
        "zeromq-node": [
            "a running `recbms-zmq run`, here or on another machine",
            "the palette entry `node-red-contrib-zeromq`",
        ],
    }[options.source]
    if options.target == "mqtt":
        return [*needs, "an MQTT broker that Home Assistant uses too"]
    if options.target == "dashboard":
        return [*needs, f"the palette entry `{_NEEDS_DASHBOARD}`"]
    if options.target == "signal-k":
        return [*needs, "a UDP data connection of the Signal K server, data type *Signal K*"]
    needs = [*needs, f"the palette entry `{_NEEDS_HA}`"]
    if options.target != "states":
        needs.append("the integration *Node-RED Companion* in Home Assistant (from HACS)")
    return needs


def tab_about(options: FlowOptions) -> str:
    """Return the tab's description, Markdown."""
    needs = "\n".join(f"- {need}" for need in _needs(options))
    what = {
        "dashboard": "Shows a REC BMS on a page of Node-RED's dashboard",
        "signal-k": "Sends a REC BMS to a Signal K server",
    }.get(options.target, "Brings a REC BMS into Home Assistant")
    return (
        f"{what} with recbms-zmq.\n\n"
        f"It needs\n{needs}\n\n"
        "The addresses are in this tab's environment: double-click the tab's name, then "
        "the list icon (*Environment Variables*). Step by step: `flows/README.md` of recbms-zmq."
    )


def notes(options: FlowOptions) -> list[Note]:
    """Return the comments that a user reads first."""
    places = {"dashboard": "on the page", "signal-k": "in Signal K"}
    where = places.get(options.target, "in Home Assistant")
    edit = "Double-click the tab's name, press the list icon (*Environment Variables*):\n\n"
    if options.starts_program:
        first = Note(
            "1. Double-click this tab's name and set BMS_URL to your BMS. sim: needs no BMS.",
            edit + "- `BMS_URL`: `ws://ADDRESS/ws`, or `http://ADDRESS/cell` for older modules, or "
            "`sim:` for a simulated pack\n"
            f"- `DEVICE_NAME`: what the battery is called {where}\n"
            "- `PROGRAM`: the command, with its path if Node-RED does not find it\n"
            "- `ARGUMENTS`: all else that `recbms-zmq run --help` offers; keep `${BMS_URL}` in it\n"
            f"\nFor several BMS {_SEVERAL[options.source]}: each is a device of its own, called "
            "`DEVICE_NAME` and `house` or `boat`.\n",
        )
    else:
        first = Note(
            "1. Double-click this tab's name and set ZMQ_ADDRESS to your running recbms-zmq.",
            edit + "- `ZMQ_ADDRESS`: where `recbms-zmq run` publishes\n"
            "- `ZMQ_TOPIC`: what to subscribe to: `recbms/` is everything, `recbms/main/` one "
            "BMS\n",
        )
    if options.target == "dashboard":
        second = Note(
            "2. Install @flowfuse/node-red-dashboard: menu, Manage palette.",
            "The page's colours, its groups and its place in the menu are in the sidebar "
            "*Dashboard 2.0*. If you have a dashboard already, the page joins it.\n",
        )
    elif options.target == "signal-k":
        second = Note(
            "2. In the Signal K server: Data Connections, Add, Signal K, UDP, port 4123.",
            "*Server*, *Data Connections*, *Add*: data type *Signal K*, source *UDP*, port 4123. "
            "It needs no token, also with security switched on: everything that reaches the port "
            "can send, so keep it behind a firewall. Another port or machine: `SIGNALK_PORT` and "
            "`SIGNALK_HOST` in the tab's environment.\n",
        )
    elif options.target == "mqtt":
        second = Note(
            "2. There, set MQTT_HOST too; a user and password go into the node MQTT broker.",
            "The broker is the one that Home Assistant's MQTT integration uses. User name and "
            "password are set behind the pencil of the node *MQTT broker*, tab *Security*.\n",
        )
    else:
        second = Note(
            "2. There, set HA_URL too. Then open the node Home Assistant, press the pencil: token.",
            "The token is a long-lived access token, which Home Assistant makes on your profile "
            "page, at the bottom of *Security*; the user has to be an administrator. In the app of "
            "Home Assistant OS, tick *Using the Home Assistant Add-on* instead. Or leave "
            "`${HA_TOKEN}` and set that in the environment in which Node-RED is started.\n\n"
            "In the tab's environment are also `MIN_INTERVAL` (the least number of seconds between "
            "two values of a sensor), `NOTIFY` (an action that gets alarms too) and "
            "`OFFLINE_MINUTES`.\n",
        )
    if options.target == "dashboard":
        third = Note(
            "3. Deploy, and open /dashboard. When nothing comes: open this comment.",
            tab_about(options)
            + "\n\nThe page is at `/dashboard` behind Node-RED's own address, without the path "
            "of the editor. When nothing comes: the debug sidebar shows the log of recbms-zmq, and "
            "lines that could not be read. `HISTORY_HOURS` in the tab's environment is how far "
            "back the charts go; the history is lost when Node-RED restarts.\n",
        )
        return [first, second, third]
    counts = "Signal K deltas" if options.target == "signal-k" else "Only what changed"
    counted = "batteries" if options.target == "signal-k" else "sensors"
    third = Note(
        "3. Deploy. What it needs, and what to do when nothing comes: open this comment.",
        tab_about(options)
        + "\n\nWhen nothing comes, read the sentences below the nodes and in the debug "
        f"sidebar. The dot below *{counts}* counts the {counted}.\n",
    )
    return [first, second, third]
