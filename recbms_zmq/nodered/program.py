"""recbms-zmq as a program that Node-RED starts: its lines, its log, its end, the next start."""

from recbms_zmq.nodered import core_nodes
from recbms_zmq.nodered.layout import Group


def exec_node(group: Group) -> str:
    """Add the node that runs it once, and what starts that; return what sends its lines."""
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
        # Without spawn mode the node collects all output until the program ends. It also means
        # that no shell reads ARGUMENTS: a `*` stays one, and only double quotes group words.
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
        splt="\\n",  # the two characters, as the editor writes them
        spltType="str",
        arraySplt=1,
        arraySpltType="len",
        # The exec node sends what it has read: several lines, or a part of one. Streaming joins
        # the parts across messages.
        stream=True,
        addname="",
        property="payload",
    )
    group.canvas.chain(start, program, lines)
    return lines


def daemon_node(group: Group) -> str:
    """Add the node that keeps it running; return it."""
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
        # Node-RED never sends SIGKILL, and does not wait: at a deploy the next program starts
        # while this one ends. That is why the service tries an address in use again.
        closer="SIGTERM",
        outputs=3,
    )


def log_and_end(group: Group, program: str, messages: str, *, as_bytes: bool) -> None:
    """Add the nodes behind the program's other outputs, in the lines below it."""
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
        "The log of the program, in the debug sidebar.",
        **core_nodes.debug(),
    )
    group.line(2, after=program)
    code = group.add(
        "function",
        "exit",
        "Why it ended",
        "Shows why the program has ended, and what to do: below this node, and once in the debug "
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
    # Output 3 has the code and the signal, in an object: -2 is a program that was not found.
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


def start_again(group: Group, program: str) -> None:
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
