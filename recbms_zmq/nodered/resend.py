"""The second part of a flow: when to say things that the messages alone do not say.

After a long silence nothing is known any more; when Home Assistant has restarted, everything has
to be said again; what it refused is tried later. All three speak to the node `Only what changed`,
which `targets` puts into the third part.
"""

from collections.abc import Sequence
from typing import Final

from recbms_zmq.nodered import core_nodes
from recbms_zmq.nodered.layout import Canvas, Group

COLOUR: Final = "#b0793b"
SILENT_AFTER_S: Final = 180
"""Every topic is said again once a minute: after such a silence nobody is there."""
RETRY_AFTER_S: Final = 30
CONFIRM_AFTER_S: Final = 10
"""Home Assistant has made an entity by then, also just after its start on a small computer."""
SETTLE_S: Final = 2
"""Home Assistant is ready a moment before its integrations take everything."""


def silence(
    canvas: Canvas,
    messages: str,
    knowing: Sequence[str],
    at: tuple[int, int],
    name: str = "2. When to say it anew",
) -> Group:
    """Put the part on the tab, without what only some targets need; return its group.

    Args:
        canvas: of the tab.
        messages: id of the link node that gives the messages.
        knowing: ids of the nodes that have to be told when nothing is known any more.
        at: upper left corner.
        name: of the group.

    """
    group = canvas.group("again", name, COLOUR, at)
    group.line()
    heard = group.add("link in", "heard", "Messages", "From the first group.", links=[], l=True)
    silent = group.add(
        "trigger",
        "silent",
        f"Silent for {SILENT_AFTER_S // 60} min",
        "Speaks when no message came for this long. The program says everything again once a "
        "minute, so it has ended, or its computer has, or the network.",
        **core_nodes.trigger(SILENT_AFTER_S, extend=True),
    )
    unknown = group.add(
        "change",
        "unknown",
        "All unknown",
        "Says that nothing is known any more.",
        **core_nodes.change("control", "offline"),
    )
    canvas.link(messages, heard)
    canvas.chain(heard, silent, unknown)
    for node in knowing:
        canvas.wire(unknown, node)
    return group


def when_ready(group: Group, changes: str, event: str) -> None:
    """Have everything said again, a moment after a node of the group's last line has spoken."""
    wait = group.add(
        "trigger",
        "settle",
        f"{SETTLE_S} s later",
        "A moment before, not all of its integrations would listen.",
        **core_nodes.trigger(SETTLE_S, extend=True),
    )
    announce = group.add(
        "change",
        "announce",
        "Say all again",
        "Tells *Only what changed* to let everything through once.",
        **core_nodes.change("control", "announce"),
    )
    group.canvas.chain(event, wait, announce, changes)


def what_is_new(group: Group, changes: str) -> str:
    """Have what was announced said again, and return the link node that has to be told of it."""
    group.line()
    announced = group.add(
        "link in", "announced", "New sensors", "From the third group.", links=[], l=True
    )
    wait = group.add(
        "trigger",
        "made",
        f"{CONFIRM_AFTER_S} s later",
        "Home Assistant makes a new entity a moment after it was announced, and does not hear "
        "the values that come meanwhile.",
        **core_nodes.trigger(CONFIRM_AFTER_S, extend=False),
    )
    again = group.add(
        "change",
        "confirm",
        "Confirm",
        "Tells *Only what changed* to say the new sensors' values again.",
        **core_nodes.change("control", "confirm"),
    )
    group.canvas.chain(announced, wait, again, changes)
    return announced


def what_fails(group: Group, changes: str, ids: list[str]) -> None:
    """Have what some nodes could not send said again after a while."""
    group.line()
    caught = group.add(
        "catch",
        "failed",
        "Not taken",
        "Home Assistant is away, or refuses a value. It is said in the log once, not each time, "
        "and nothing piles up: what is sent later is the state at that time.",
        **core_nodes.catch(*ids),
    )
    wait = group.add(
        "trigger",
        "later",
        f"{RETRY_AFTER_S} s later",
        "Once, however much was refused meanwhile.",
        **core_nodes.trigger(RETRY_AFTER_S, extend=False),
    )
    retry = group.add(
        "change",
        "retry",
        "Try again",
        "Tells *Only what changed* to say again what was refused.",
        **core_nodes.change("control", "retry"),
    )
    group.canvas.chain(caught, wait, retry, changes)
    group.canvas.wire(caught, changes)
