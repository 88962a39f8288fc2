"""recbms-zmq as a service that runs elsewhere: nodes that subscribe to it."""

from typing import Final

from recbms_zmq.nodered import core_nodes
from recbms_zmq.nodered.layout import Canvas, Group

RECEIVED_AFTER_S: Final = 30
"""A running service answers a new subscriber at once."""


def function_node(group: Group) -> str:
    """Add a function node with the npm module `zeromq`; return it."""
    # Node-RED downloads the module at deploy, with its C library: there is nothing to compile, as
    # there is for node-red-contrib-zeromq.
    return group.add(
        "function",
        "subscribe",
        "Subscribe to ZMQ_ADDRESS",
        "Subscribes to `ZMQ_TOPIC` at `ZMQ_ADDRESS`, both from the tab's environment (several "
        "addresses with spaces between them). Uses the npm module `zeromq`, which Node-RED "
        "installs by itself. The program can be started, stopped and moved at any time: ZeroMQ "
        "finds it again, and the whole state comes at once.",
        **core_nodes.function("zmq_message", start="zmq_start", stop="zmq_stop", zmq="zeromq"),
    )


def zeromq_node(group: Group) -> str:
    """Add the node of node-red-contrib-zeromq; return it."""
    return group.add(
        "zeromq in",
        "subscribe",
        "Subscribe to ZMQ_ADDRESS",
        "Subscribes to `ZMQ_TOPIC` at `ZMQ_ADDRESS`, both from the tab's environment. The two "
        "frames of a message become `msg.topic` and `msg.payload`.",
        topic="${ZMQ_TOPIC}",
        fields="topic,payload",
        server="${ZMQ_ADDRESS}",
        # Text, not json: asked for json, some versions try to parse the topic too.
        output="string",
        isserver=False,
        intype="sub",
    )


def nothing_received(canvas: Canvas, group: Group, messages: str) -> None:
    """Add to the lines what to do when no message comes."""
    group.line()
    link_in = group.add("link in", "received", "Messages", "From the line above.", links=[], l=True)
    canvas.link(messages, link_in)
    watch = group.add(
        "function",
        "receiving",
        "Is anything received?",
        f"Shows what to do when nothing was received {RECEIVED_AFTER_S} s after a deploy.",
        **core_nodes.watch(
            RECEIVED_AFTER_S,
            "receiving",
            "nothing was received from ${ZMQ_ADDRESS}: start recbms-zmq run there, or correct "
            "ZMQ_ADDRESS and ZMQ_TOPIC in the tab's environment. On another machine it has to "
            "publish for this one (--publish). If the node before shows an error about zeromq, "
            "restart Node-RED: it has only just installed that module",
        ),
    )
    canvas.chain(link_in, watch)
