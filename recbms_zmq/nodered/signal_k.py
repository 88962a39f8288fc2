"""The target `signal-k`: deltas for a boat's Signal K server, by UDP.

Node-RED runs beside the server, or inside it. The server needs a UDP data connection for the data
type Signal K, at the port of the tab's environment.
"""

from typing import Final

from recbms_zmq.nodered import core_nodes
from recbms_zmq.nodered.layout import Canvas, Properties

COLOUR: Final = "#5b9a4c"


def env() -> list[Properties]:
    """Return what the target adds to the tab's environment."""
    return [core_nodes.env("SIGNALK_HOST", "127.0.0.1"), core_nodes.env("SIGNALK_PORT", "4123")]


def add(canvas: Canvas, messages: str, at: tuple[int, int]) -> None:
    """Put the second part on the tab.

    Args:
        canvas: of the tab.
        messages: id of the `link out` node that sends the messages.
        at: upper left corner.

    """
    group = canvas.group("target", "2. Send them to Signal K", COLOUR, at)
    group.line()
    link_in = group.add("link in", "deltas-in", "Messages", "From group 1.", links=[], l=True)
    canvas.link(messages, link_in)
    group.line()
    tick = group.add(
        "inject",
        "tick",
        "Every second",
        "What has changed is sent this often, in few datagrams: the server loses most of a burst.",
        **core_nodes.inject(
            [{"p": "control", "v": "tick", "vt": "str"}, {"p": "payload", "v": "", "vt": "date"}],
            every=1,
        ),
    )
    group.line(0, after=tick)
    deltas = group.add(
        "function",
        "deltas",
        "Signal K deltas",
        "Makes of the messages what the server takes: paths below `electrical.batteries`, in the "
        "units of its specification, null for what is unknown, and notifications for errors. "
        "Everything is sent again every 30 s.",
        **core_nodes.function("signal_k", start="signal_k_start"),
    )
    udp = group.add(
        "udp out",
        "udp",
        "Signal K server",
        "Sends each delta to `SIGNALK_HOST` and `SIGNALK_PORT`, both from the tab's environment.",
        **core_nodes.udp_out("${SIGNALK_HOST}", "${SIGNALK_PORT}"),
    )
    canvas.chain(link_in, deltas, udp)
    canvas.wire(tick, deltas)
