"""Properties of Node-RED's core nodes, as its editor would write them.

Only what the kind of node needs; what a node is for, its name and its place come from elsewhere.
"""

import json
from typing import Any

from recbms_zmq.nodered.layout import Properties, script


def env(name: str, value: str, type_: str = "str") -> Properties:
    """Return an entry of a tab's environment; type `env` may use `${OTHER}` in its value."""
    return {"name": name, "value": value, "type": type_}


def debug(complete: str = "payload") -> Properties:
    """Return a debug node that shows a property in the sidebar."""
    return {
        "active": True,
        "tosidebar": True,
        "console": False,
        "tostatus": False,
        "complete": complete,
        "targetType": "msg",
        "statusVal": "",
        "statusType": "auto",
    }


def change(name: str, value: str) -> Properties:
    """Return a change node that sets `msg.name` to a text."""
    return {
        "rules": [{"t": "set", "p": name, "pt": "msg", "to": value, "tot": "str"}],
        "action": "",
        "property": "",
        "from": "",
        "to": "",
        "reg": False,
    }


def switch(name: str, values: list[str]) -> Properties:
    """Return a switch node with an output for each value of `msg.name`."""
    return {
        "property": name,
        "propertyType": "msg",
        "rules": [{"t": "eq", "v": value, "vt": "str"} for value in values],
        "checkall": "false",  # a text, as the editor writes it
        "repair": False,
        "outputs": len(values),
    }


def either(name: str, values: list[str]) -> Properties:
    """Return a switch node with one output for some values of `msg.name`."""
    # One rule, because a switch has an output for each.
    rule = {"t": "regex", "v": f"^({'|'.join(values)})$", "vt": "str", "case": False}
    return {**switch(name, []), "rules": [rule], "outputs": 1}


def function(
    body: str,
    *,
    start: str = "",
    stop: str = "",
    outputs: int = 1,
    tables: dict[str, Any] | None = None,
    **libs: str,
) -> Properties:
    """Return a function node made of scripts; `libs` are npm modules by their variable.

    `tables` replace the word TABLES in the start script.
    """
    written = json.dumps(tables, indent=4, ensure_ascii=False)
    return {
        "func": script(body),
        "outputs": outputs,
        "timeout": 0,
        "noerr": 0,
        "initialize": script(start).replace("TABLES", written) if start else "",
        "finalize": script(stop) if stop else "",
        "libs": [{"var": variable, "module": module} for variable, module in libs.items()],
    }


def watch(seconds: int, good: str, missing: str) -> Properties:
    """Return a function node that shows a sentence when no message has come after a deploy.

    Args:
        seconds: to wait for the first message.
        good: text of its status once a message has come.
        missing: the sentence; `${NAME}` in it is replaced from the tab's environment.

    """
    tables = {"seconds": seconds, "good": good, "missing": missing}
    return function("watch", start="watch_start", outputs=0, tables=tables)


def inject(
    props: list[dict[str, Any]], *, once: bool = False, every: int | None = None
) -> Properties:
    """Return an inject node, which sends a message when its button is pressed.

    Args:
        props: properties of the message.
        once: whether it also sends one after each deploy.
        every: seconds after which it repeats that; None for never.

    """
    return {
        "props": props,
        "repeat": "" if every is None else str(every),
        "crontab": "",
        "once": once,
        "onceDelay": 0.1,  # the editor's default: all nodes of the flow exist by then
        "topic": "",
    }


def delay(seconds: int) -> Properties:
    """Return a delay node that holds every message for some time."""
    return {
        "pauseType": "delay",
        "timeout": str(seconds),
        "timeoutUnits": "seconds",
        "rate": "1",
        "nbRateUnits": "1",
        "rateUnits": "second",
        "randomFirst": "1",
        "randomLast": "5",
        "randomUnits": "seconds",
        "drop": False,
        "allowrate": False,
        "outputs": 1,
    }


def trigger(seconds: int, *, extend: bool) -> Properties:
    """Return a trigger node: it sends a message some time after the first one it receives.

    With `extend`, after the last one: each message restarts the time. What it sends has all
    properties of the message that started it.
    """
    return {
        "op1": "",
        "op2": "",
        "op1type": "nul",
        "op2type": "date",
        "duration": str(seconds),
        "extend": extend,
        "overrideDelay": False,
        "units": "s",
        "reset": "",
        "bytopic": "all",
        "topic": "topic",
        "outputs": 1,
    }


def catch(*ids: str) -> Properties:
    """Return a catch node for the errors of some nodes."""
    return {"scope": list(ids), "uncaught": False}


def mqtt_out(broker: str) -> Properties:
    """Return a node that publishes; topic, quality of service and retain are in the message."""
    return {
        "topic": "",
        "qos": "",
        "retain": "",
        "respTopic": "",
        "contentType": "",
        "userProps": "",
        "correl": "",
        "expiry": "",
        "broker": broker,
    }


def mqtt_in(broker: str) -> Properties:
    """Return a node that subscribes when a message asks for it."""
    return {
        "topic": "",
        "qos": "1",
        "datatype": "utf8",
        "broker": broker,
        "nl": False,
        "rap": True,
        "rh": 0,
        "inputs": 1,
    }


def udp_out(host: str, port: str) -> Properties:
    """Return a node that sends each message as a datagram."""
    return {
        "addr": host,
        "iface": "",
        "port": port,
        "ipv": "udp4",
        "outport": "",
        "base64": False,
        "multicast": "false",
    }
