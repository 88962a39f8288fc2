"""The second part of a flow: what makes values unknown, and when everything is sent again.

After a long silence nothing is known any more; when Home Assistant or its companion has started,
everything is announced again; what was refused is sent later. Each line ends with a message that
has `msg.control`, and a link node to the nodes that act on it.
"""

from typing import Final

from recbms_zmq.nodered import core_nodes
from recbms_zmq.nodered.layout import Canvas, Group

COLOUR: Final = "#b0793b"
SILENT_AFTER_S: Final = 180
"""Every topic is refreshed once a minute: after such a silence the service is gone."""
RETRY_AFTER_S: Final = 30
CONFIRM_AFTER_S: Final = 10
"""Home Assistant has made an entity by then, also just after its start on a small computer."""
CONNECTED_AFTER_S: Final = 30
SETTLE_S: Final = 2
"""Home Assistant is ready a moment before its integrations take everything."""


def silence(
    canvas: Canvas, messages: str, at: tuple[int, int], name: str = "2. When to send it again"
) -> tuple[Group, str]:
    """Begin the part, with what every flow has; return its group and the link node behind it.

    Args:
        canvas: of the tab.
        messages: id of the `link out` node that sends the messages.
        at: upper left corner.
        name: of the group.

    """
    group = canvas.group("again", name, COLOUR, at)
    group.line()
    link_in = group.add("link in", "silent-in", "Messages", "From group 1.", links=[], l=True)
    silent = group.add(
        "trigger",
        "silent",
        f"Silent for {SILENT_AFTER_S // 60} min",
        "Sends a message when none has arrived for this long. The program refreshes everything "
        "once a minute, so it has ended, or its computer has, or the network.",
        **core_nodes.trigger(SILENT_AFTER_S, extend=True),
    )
    unknown = group.add(
        "change",
        "unknown",
        "All unknown",
        "Nothing is known any more.",
        **core_nodes.change("control", "offline"),
    )
    canvas.link(messages, link_in)
    out = control_out(group, "unknown-out")
    canvas.chain(link_in, silent, unknown, out)
    return group, out


def control_out(group: Group, key: str) -> str:
    """End a line with a link node for `msg.control`; return it."""
    about = "To the nodes that act on `msg.control`."
    return group.add("link out", key, "Control", about, mode="link", links=[], l=True)


def announce(group: Group, key: str, event: str) -> str:
    """End a line that begins with a start: everything is sent again; return the link node."""
    # `extend`: of two events in a row (`running`, `ready`) only the last one counts.
    wait = group.add(
        "trigger",
        f"{key}-settle",
        f"{SETTLE_S} s later",
        "Not all integrations take messages before.",
        **core_nodes.trigger(SETTLE_S, extend=True),
    )
    control = group.add(
        "change",
        f"{key}-announce",
        "Send all again",
        "*Only what changed* announces and sends everything once.",
        **core_nodes.change("control", "announce"),
    )
    out = control_out(group, f"{key}-out")
    group.canvas.chain(event, wait, control, out)
    return out


def confirm(group: Group, new: str) -> str:
    """Add a line that sends again what was announced; return the link node behind it."""
    group.line()
    announced = group.add("link in", "new-in", "New sensors", "From group 3.", links=[], l=True)
    group.canvas.link(new, announced)
    wait = group.add(
        "trigger",
        "made",
        f"{CONFIRM_AFTER_S} s later",
        "Home Assistant makes a new entity some time after it was announced, and ignores the "
        "values that arrive before.",
        **core_nodes.trigger(CONFIRM_AFTER_S, extend=False),
    )
    control = group.add(
        "change",
        "confirm",
        "Confirm",
        "*Only what changed* sends the new sensors' values again.",
        **core_nodes.change("control", "confirm"),
    )
    out = control_out(group, "confirm-out")
    group.canvas.chain(announced, wait, control, out)
    return out


def retry(group: Group, ids: list[str]) -> list[str]:
    """Add lines for what some nodes could not send; return their link nodes."""
    group.line()
    caught = group.add(
        "catch",
        "failed",
        "Refused",
        "Home Assistant is away, or refuses a value. The log has it once, not each time, and "
        "nothing piles up: what is sent later is the state at that time.",
        **core_nodes.catch(*ids),
    )
    wait = group.add(
        "trigger",
        "later",
        f"{RETRY_AFTER_S} s later",
        "Once, however much was refused in this time.",
        **core_nodes.trigger(RETRY_AFTER_S, extend=False),
    )
    control = group.add(
        "change",
        "retry",
        "Try again",
        "*Only what changed* sends again what was refused.",
        **core_nodes.change("control", "retry"),
    )
    out = control_out(group, "retry-out")
    group.canvas.chain(caught, wait, control, out)
    group.line()
    group.skip(caught)
    refused = control_out(group, "refused-out")
    group.canvas.wire(caught, refused)
    return [out, refused]


def survive(group: Group) -> None:
    """Add the node that keeps Node-RED alive when the Home Assistant nodes fail."""
    # A flow cannot set Node-RED's settings.js, where such a handler belongs. The script passes on
    # every rejection that is not this one, as Node-RED would have handled it.
    group.line()
    group.add(
        "function",
        "survive",
        "Keep Node-RED alive",
        "The Home Assistant nodes (0.80.3) end Node-RED, with all flows, if Home Assistant ends at "
        "certain moments: they leave a rejected promise unhandled. This node handles that one, and "
        "no other. Nothing is wired to it.",
        **core_nodes.function(
            "survive",
            start="survive_start",
            stop="survive_stop",
            process="process",
            timers="timers",
        ),
    )


def watch(group: Group, connected: str, missing: str) -> str:
    """Add to the line of `connected` a text for the case that it never comes: `missing`.

    Return the node: what else shows the connection can be wired to it.
    """
    group.line()
    group.skip(connected)
    node = group.add(
        "function",
        "connection",
        "Is it connected?",
        f"Shows what to do when there is no connection {CONNECTED_AFTER_S} s after a deploy.",
        **core_nodes.watch(CONNECTED_AFTER_S, "connected", missing),
    )
    group.canvas.wire(connected, node)
    return node
