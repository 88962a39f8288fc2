"""Waiting for what other programs do, beyond `support.waiting`."""

import contextlib
import random
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


_PORTS = range(20_000, 32_000)
"""Below those that the system gives to clients and to servers that ask for any."""
_taken: set[int] = set()


def free_port() -> int:
    """Return a port of loopback that is not in use, and stays free while its program is away."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            if port not in _taken:
                _taken.add(port)
                return port
