"""What the owner can do about a failed connection, for `recbms-zmq check`. Pure."""

import re
from typing import Final

IS_IT_ON: Final = (
    "Is the module on, and this machine in its network? Try to open its web page in a browser. If "
    "it may have another address: `find` in place of `check` looks for it."
)
_REFUSED: Final = (
    "A device is at this address, but it serves no web page at this port: is it the module's "
    "address? `find` in place of `check` looks for it."
)
NO_FRAME: Final = (
    "The answer is not a frame of a BMS: is this the address of the module's websocket, "
    "ws://HOST/ws?"
)
WEB_PAGE: Final = (
    "A web page came instead of a frame: a login page, or another device at this address. Open it "
    "in a browser. If it asks for a password: http://USER:PASSWORD@HOST/cell."
)
_THE_BMS: Final = "is the BMS behind it on, and is the cable between them (RS-485) connected?"
NO_DATA: Final = f"The module answers, but knows nothing of the BMS: {_THE_BMS}"
SILENT: Final = (
    f"The module answers, but sends nothing: {_THE_BMS} If another program or a browser reads the "
    "module, it may have no room for this one: end the other."
)
NOT_A_MODULE: Final = (
    "A web server answers, but it has neither /ws nor /cell of a REC module: another device may "
    "have this address now. Look up the module's address in the router, or open its web page; "
    "`find` in place of `check` looks for it."
)
_FEWER_CLIENTS: Final = (
    "How many it serves is not documented: it is a small device. Close its web page in all "
    "browsers, stop other programs that read it, and let them read this program's output instead. "
    "Then wait a minute."
)
_TOO_MANY: Final = f"The module has too many clients, or is starting. {_FEWER_CLIENTS}"
_CLOSED: Final = f"The module closed the connection: it may have too many clients. {_FEWER_CLIENTS}"
_STEPS: Final = (
    (
        r"no thread can be started|no file descriptor",
        "This machine allows the program too little; the module was not asked.",
    ),
    (r"connection refused", _REFUSED),
    (r"no answer within|timed out|no route to host|unreachable|host is down", IS_IT_ON),
    (
        r"name or service not known|nodename|no address|name resolution|look(ed)?[- ]up",
        "The name cannot be resolved: check its spelling, or give the IP address instead.",
    ),
    (
        r"HTTP status (401|403)|HTTP status 407",
        "The module asks for a password: add it to the address, ws://USER:PASSWORD@HOST/ws.",
    ),
    (r"HTTP status (429|503)", _TOO_MANY),
    (r"redirect|HTTP status 30", "The server redirects to another address: use that one."),
    (
        r"HTTP status 5",
        "The module has an error of its own: switch it off and on, or wait a minute.",
    ),
    (
        r"HTTP status|does not speak websocket|no valid answer",
        (
            "Module firmware before SW164_2 (January 2025) has no websocket, only "
            "http://HOST/cell; newer firmware has ws://HOST/ws. `recbms-zmq check HOST` tries both."
        ),
    ),
    (r"TLS failed", "REC's module has no TLS of its own: is it ws:// rather than wss://?"),
    (r"too many|--max-frame", "The answer is far larger than a BMS's: this is not a REC module."),
    (r"connection lost|closed", _CLOSED),
)
_WITHOUT_NETWORK: Final = {
    "-": "Standard input needs status frames, one a line: look at what comes before the pipe.",
    "replay:": (
        "No status frame is in the first seconds of this recording: try replay:FILE?speed=0, or "
        "record for longer."
    ),
    "sim:": "The simulated BMS has sent no frame: look at its faults=, or give it more --timeout.",
}
_ANSWERED: Final = re.compile(
    r"HTTP status (?!401|403|407|429|503|30)|does not speak websocket|no valid answer"
    r"|not a frame of a BMS",
    re.IGNORECASE,
)

# An open websocket without any message, also one that is closed again, and the answer of a module
# whose BMS is away, are a module's; a password and an overload can be.
_POSSIBLE: Final = re.compile(
    r"nothing received|connection lost|closed by the BMS|the module answers"
    r"|HTTP status (401|403|429|503)",
    re.IGNORECASE,
)


def next_step(failure: str) -> str | None:
    """Return what to do about the reason of a failed connection, None if that is not known."""
    # The reasons are sentences of `sources` and of the system: not all of them have a number.
    for pattern, step in _STEPS:
        if re.search(pattern, failure, re.IGNORECASE):
            return step
    return None


def step_without_network(url: str) -> str | None:
    """Return what to do if no frame comes from this source; None for one in the network."""
    for scheme, step in _WITHOUT_NETWORK.items():
        if url.startswith(scheme):
            return step
    return None


def may_be_elsewhere(failure: str) -> bool:
    """Return whether a web server answered in a way that makes another path worth a try."""
    return bool(_ANSWERED.search(failure))


def may_be_a_module(failure: str) -> bool:
    """Return whether a REC module, of which nothing else is known, may have answered like this."""
    return bool(_POSSIBLE.search(failure))


def is_refused(failure: str) -> bool:
    """Return whether there is a device at the address, but nothing that listens at the port."""
    return "connection refused" in failure
