"""Waiting for what other programs do, beyond `support.waiting`."""

import contextlib
import socket
from collections.abc import Callable

from support.waiting import eventually

PATIENCE = 100.0
"""Home Assistant alone takes half a minute for some things, and the machine may be busy."""


def wait_until_equal(
    look: Callable[[], object], expected: object, seconds: float = PATIENCE
) -> None:
    """Wait until `look` gives what is expected; fail with pytest's comparison of the two."""
    with contextlib.suppress(AssertionError):
        eventually(lambda: look() == expected, "equal", seconds)
    assert look() == expected


def free_port() -> int:
    """Return a port of loopback that is not in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
