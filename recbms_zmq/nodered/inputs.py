"""Sources: the first part of a flow. Each ends with the program's messages as Node-RED messages.

`exec` and `daemon` start the program, `zmq` and `zeromq-node` subscribe to one that runs. All end
with the same two nodes, which parse a line and hand it on as the message itself.
"""

from typing import Final, NamedTuple

from recbms_zmq.nodered import core_nodes
from recbms_zmq.nodered.layout import Canvas, Group, Properties
from recbms_zmq.nodered.options import FlowOptions

DEFAULT_PUBLISH: Final = "tcp://127.0.0.1:5556"
COLOUR: Final = "#3f93cf"
RECEIVED_AFTER_S: Final = 30
"""A running service answers a new subscriber at once."""


class Source(NamedTuple):
    """Where a source ends.

    Attributes:
        messages: id of the link node that gives messages.
        group: what the source stands in.

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
    url = options.url if options.name == "main" else f"{options.name}={options.url}"
    publish = ["--publish", options.publish] if options.publish else ["--no-publish"]
    words = ["run", "--exit-on-stdin-close", *publish, "--device-name"]
    if options.source == "exec":
        arguments = " ".join([*words, '"${DEVICE_NAME}"', "${BMS_URL}"])
    else:
        quoted = ", ".join(f'"{word}"' for word in [*words, "${DEVICE_NAME}", "${BMS_URL}"])
        arguments = f"[{quoted}]"
    return [
        core_nodes.env("BMS_URL", url),
        core_nodes.env("DEVICE_NAME", options.device_name),
        core_nodes.env("PROGRAM", options.program),
        core_nodes.env("ARGUMENTS", arguments, "env"),
    ]


def add(canvas: Canvas, options: FlowOptions, at: tuple[int, int]) -> Source:
    """Put the source on the tab, with its upper left corner at `at`."""
    if options.starts_program:
        group = canvas.group("source", "1. Run recbms-zmq and read its lines", COLOUR, at)
    else:
        group = canvas.group("source", "1. Subscribe to a running recbms-zmq", COLOUR, at)
    group.line()
    begin = {"exec": _exec, "daemon": _daemon, "zmq": _zmq, "zeromq-node": _zeromq_node}
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
        _log_and_end(group, canvas.id("run"), out, as_bytes=options.source == "daemon")
    if options.source == "exec":
        _start_again(group, canvas.id("run"))
    else:
        _nothing_received(canvas, group, out)
    _bad_lines(canvas, group)
    return Source(out, group)


def _exec(group: Group) -> str:
    start = group.add(
        "inject",
        "start",
        "Start at deploy",
        "Starts the program once, when the flow is deployed. Pressing the button while it runs "
        "would start a second one: to restart it, press *Restart*.",
        **core_nodes.inject([], once=True),
    )
    program = group.add(
        "exec",
        "run",
        "recbms-zmq run",
        "Runs `PROGRAM` with `ARGUMENTS`, both from the tab's environment. Spawn mode: what the "
        "program writes comes out at once, at output 1, in pieces of any size. Output 2 is its "
        "log, output 3 its exit code.",
        command="${PROGRAM}",
        addpay="",
        append="${ARGUMENTS}",
        useSpawn="true",
        timer="",
        winHide=False,
        oldrc=False,
        outputs=3,
    )
    lines = group.add(
        "split",
        "lines",
        "Whole lines",
        "Puts the pieces together again and gives one message a line.",
        splt="\\n",
        spltType="str",
        arraySplt=1,
        arraySpltType="len",
        stream=True,
        addname="",
        property="payload",
    )
    group.canvas.chain(start, program, lines)
    return lines


def _daemon(group: Group) -> str:
    return group.add(
        "daemon",
        "run",
        "recbms-zmq run",
        "Runs `PROGRAM` with `ARGUMENTS`, both from the tab's environment, and starts it again "
        "when it ends. Output 1 gives its lines, output 2 its log, output 3 its exit code.",
        command="${PROGRAM}",
        args="${ARGUMENTS}",
        autorun=True,
        cr=False,
        redo=True,
        op="lines",
        closer="SIGTERM",
        outputs=3,
    )


def _zmq(group: Group) -> str:
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


def _zeromq_node(group: Group) -> str:
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


def _log_and_end(group: Group, program: str, messages: str, *, as_bytes: bool) -> None:
    """Put what the program's other outputs give into the lines below it."""
    canvas = group.canvas
    group.line(1, after=program)
    log_output = (program, 1)
    if as_bytes:
        text = group.add(
            "function",
            "log-text",
            "As text",
            "The log comes as bytes.",
            **core_nodes.function("text"),
        )
        canvas.wire(program, text, 1)
        log_output = (text, 0)
    log = group.add(
        "debug",
        "log",
        "Log of recbms-zmq",
        "What the program says of itself, in the debug sidebar.",
        **core_nodes.debug(),
    )
    group.line(2, after=program)
    code = group.add(
        "function",
        "exit",
        "Why it ended",
        "Says why the program has ended, and what to do: below this node, and once in the debug "
        "sidebar.",
        **core_nodes.function("exit", outputs=0),
    )
    group.line(3, after=program)
    unknown = group.add(
        "change",
        "ended",
        "Ended: all unknown",
        "Without the program nothing is known of the battery.",
        **core_nodes.change("control", "offline"),
    )
    canvas.wire(log_output[0], log, log_output[1])
    canvas.wire(program, code, 2)
    canvas.wire(program, unknown, 2)
    ended_out = group.add(
        "link out",
        "ended-out",
        "Messages",
        "Where the messages go too.",
        mode="link",
        links=[],
        l=True,
    )
    canvas.chain(unknown, ended_out)
    canvas.join(messages, ended_out)


def _start_again(group: Group, program: str) -> None:
    """Add to the lines below the program what restarts it."""
    canvas = group.canvas
    group.line(1)
    group.end_with(canvas.id("start"))
    back_in = group.add("link in", "again-in", "Again", "From *Start again*.", links=[], l=True)
    group.line(2)
    group.end_with(canvas.id("start"))
    button = group.add(
        "inject",
        "restart",
        "Restart",
        "Ends the program; five seconds later it is started again.",
        **core_nodes.inject([{"p": "kill", "v": "SIGTERM", "vt": "str"}]),
    )
    group.line(4, after=program)
    wait = group.add(
        "delay",
        "wait",
        "Ended: wait 5 s",
        "A program that cannot run is not started in a tight loop.",
        **core_nodes.delay(5),
    )
    back_out = group.add(
        "link out",
        "again-out",
        "Start again",
        "Back to the program.",
        mode="link",
        links=[],
        l=True,
    )
    canvas.chain(button, program)
    canvas.chain(back_in, program)
    canvas.wire(program, wait, 2)
    canvas.chain(wait, back_out)
    canvas.link(back_out, back_in)


def _nothing_received(canvas: Canvas, group: Group, messages: str) -> None:
    group.line()
    heard = group.add("link in", "received", "Messages", "From the line above.", links=[], l=True)
    canvas.link(messages, heard)
    watch = group.add(
        "function",
        "receiving",
        "Is anything received?",
        f"Says what to do when nothing was received {RECEIVED_AFTER_S} s after a deploy.",
        **core_nodes.watch(
            RECEIVED_AFTER_S,
            "receiving",
            "nothing was received from ${ZMQ_ADDRESS}: start recbms-zmq run there, or correct "
            "ZMQ_ADDRESS and ZMQ_TOPIC in the tab's environment. If the node before shows an error "
            "about zeromq, restart Node-RED: it has only just installed that module",
        ),
    )
    canvas.chain(heard, watch)


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
