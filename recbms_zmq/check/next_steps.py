"""What the owner can do about a failed connection, for `recbms-zmq check`. Pure."""

import re
from typing import Final

_STEPS: Final = (
    (
        r"connection refused",
        "A device is at this address, but it serves no web page there: is it the module's address?",
    ),
    (
        r"no answer within|timed out|no route to host|unreachable|host is down",
        "Is the module on, and this machine in its network? Try to open its web page in a browser.",
    ),
    (
        (
            r"name or service not known|nodename|no address|temporary failure in name resolution"
            r"|name resolution"
        ),
        "The name cannot be resolved: check its spelling, or give the IP address instead.",
    ),
    (
        r"HTTP status (200|404|400|426)|does not speak websocket|no valid answer",
        (
            "Module firmware before SW164_2 (January 2025) has no websocket: try http://HOST/cell. "
            "If that fails as well, this is not the module, or the path is wrong."
        ),
    ),
    (
        r"HTTP status (401|403)",
        "The module asks for a password: add it to the address, ws://USER:PASSWORD@HOST/ws.",
    ),
    (r"HTTP status 30", "The server redirects to another address: use that one."),
    (r"TLS failed", "REC's module has no TLS of its own: is it ws:// rather than wss://?"),
    (r"too many|--max-frame", "The answer is far larger than a BMS's: this is not a REC module."),
    (
        r"connection lost|closed",
        "The module closed the connection: how many other clients does it have?",
    ),
)


def next_step(failure: str) -> str | None:
    """Return what to do about the reason of a failed connection, None if that is not known."""
    for pattern, step in _STEPS:
        if re.search(pattern, failure, re.IGNORECASE):
            return step
    return None
