"""Requests to Home Assistant whose answers come back to the function node that made them."""

from recbms_zmq.nodered import core_nodes
from recbms_zmq.nodered.layout import Canvas, Group, Properties


def api(canvas: Canvas, *, answers: bool = False) -> Properties:
    """Return the properties of a node that sends the request in `msg.payload`.

    With `answers`, it passes the message on with Home Assistant's answer in `msg.payload`.
    """
    answer = {"property": "payload", "propertyType": "msg", "value": "", "valueType": "results"}
    return {
        "server": canvas.id("server"),
        "version": 1,
        "debugenabled": False,
        "protocol": "websocket",
        "method": "post",
        "path": "",
        "data": "",
        "dataType": "json",
        "responseType": "json",
        "outputProperties": [answer] if answers else [],
        "outputs": 1,
    }


def add(canvas: Canvas, group: Group, key: str, asking: str, before: str) -> str:
    """Put the nodes behind output 1 of `asking` that send its requests and return the answers.

    `before` is the node to the left of it. Return the link node behind the answers.
    """
    send = group.add(
        "ha-api",
        f"{key}-api",
        "Request",
        "Sends what the node before it asks for, and returns the answer.",
        **api(canvas, answers=True),
    )
    out = group.add(
        "link out",
        f"{key}-answer-out",
        "Answer",
        "Back to the node that asked.",
        mode="link",
        links=[],
        l=True,
    )
    canvas.chain(asking, send, out)
    group.line()
    group.end_with(before)
    back = group.add(
        "link in", f"{key}-answer-in", "Answer", "From the line above.", links=[], l=True
    )
    canvas.link(out, back)
    canvas.wire(back, asking)
    group.line()
    group.end_with(before)
    failed = group.add(
        "catch",
        f"{key}-failed",
        "Refused",
        "Home Assistant is away, or refuses the request.",
        **core_nodes.catch(send),
    )
    canvas.wire(failed, asking)
    return out
