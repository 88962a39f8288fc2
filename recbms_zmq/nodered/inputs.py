"""The first part of a flow: it ends with the program's messages as Node-RED messages.

`exec` and `daemon` start the program (`program`), `zmq` and `zeromq-node` subscribe to one that
runs (`subscription`). All end with the same two nodes, which parse a line and make it the message.
"""

from typing import Final, NamedTuple

from recbms_zmq.nodered import core_nodes, program, subscription
from recbms_zmq.nodered.layout import Canvas, Group, Properties
from recbms_zmq.nodered.options import FlowOptions

DEFAULT_PUBLISH: Final = "tcp://127.0.0.1:5556"
COLOUR: Final = "#3f93cf"


class Input(NamedTuple):
    """The first part, as the next part needs it.

    Attributes:
        messages: id of the `link out` node that sends the messages.
        group: of its nodes.

    """

    messages: str
    group: Group


def env(options: FlowOptions) -> list[Properties]:
    """Return the addresses and names that the user may edit, as the tab's environment."""
    if not options.starts_program:
        # Entity nodes belong to one BMS, all else takes whatever the service reads.
        topic = f"recbms/{options.name}/" if options.target == "entity-nodes" else "recbms/"
        address = options.publish or DEFAULT_PUBLISH
        return [core_nodes.env("ZMQ_ADDRESS", address), core_nodes.env("ZMQ_TOPIC", topic)]
    publish = ["--publish", options.publish] if options.publish else ["--no-publish"]
    # If Node-RED is killed, its child sees the end of stdin at once, and the closed stdout only at
    # the next line: without the option an old program would hold the ZeroMQ address.
    words = ["run", "--exit-on-stdin-close", *publish, "--device-name"]
    if options.source == "exec":
        urls = {"BMS_URL": " ".join(options.sources)}
        arguments = " ".join([*words, '"${DEVICE_NAME}"', "${BMS_URL}"])
    else:
        # Each argument is an item of a list, and so a variable of its own.
        names = ["BMS_URL", *(f"BMS_URL_{number}" for number in range(2, 2 + len(options.others)))]
        urls = dict(zip(names, options.sources, strict=True))
        variables = [f"${{{name}}}" for name in ("DEVICE_NAME", *urls)]
        quoted = ", ".join(f'"{word}"' for word in [*words, *variables])
        arguments = f"[{quoted}]"
    return [
        *(core_nodes.env(name, url) for name, url in urls.items()),
        core_nodes.env("DEVICE_NAME", options.device_name),
        core_nodes.env("PROGRAM", options.program),
        core_nodes.env("ARGUMENTS", arguments, "env"),
    ]


def add(canvas: Canvas, options: FlowOptions, at: tuple[int, int]) -> Input:
    """Put the first part on the tab, with its upper left corner at `at`."""
    if options.starts_program:
        group = canvas.group("source", "1. Run recbms-zmq and read its lines", COLOUR, at)
    else:
        group = canvas.group("source", "1. Subscribe to a running recbms-zmq", COLOUR, at)
    group.line()
    begin = {
        "exec": program.exec_node,
        "daemon": program.daemon_node,
        "zmq": subscription.function_node,
        "zeromq-node": subscription.zeromq_node,
    }
    lines = begin[options.source](group)
    parse = group.add(
        "json",
        "json",
        "Parse JSON",
        "One line of text becomes one object.",
        property="payload",
        action="obj",
        pretty=False,
    )
    messages = group.add(
        "function",
        "message",
        "Message",
        "Each line is a Node-RED message already: from here on `msg.topic` is for example "
        "`recbms/main/soc` and `msg.payload` the value, beside `msg.kind`, `msg.key`, `msg.unit` "
        "and more. Wire whatever else needs them to this node.",
        **core_nodes.function("message"),
    )
    out = group.add(
        "link out",
        "messages-out",
        "Messages",
        "To the groups 2 and 3.",
        mode="link",
        links=[],
        l=True,
    )
    canvas.chain(lines, parse, messages, out)
    if options.starts_program:
        program.log_and_end(group, canvas.id("run"), out, as_bytes=options.source == "daemon")
    if options.source == "exec":
        program.start_again(group, canvas.id("run"))
    elif not options.starts_program:
        subscription.nothing_received(canvas, group, out)
    _bad_lines(canvas, group)
    return Input(out, group)


def _bad_lines(canvas: Canvas, group: Group) -> None:
    group.line()
    caught = group.add(
        "catch",
        "bad",
        "Not a message",
        "A line that is cut or foreign is skipped. There can be one when the program is killed.",
        **core_nodes.catch(canvas.id("json"), canvas.id("message")),
    )
    shown = group.add(
        "debug",
        "skipped",
        "Skipped lines",
        "Shows them in the debug sidebar.",
        **core_nodes.debug("error.message"),
    )
    canvas.chain(caught, shown)
