"""Waiting for what other processes do: never a fixed time, always a condition and a limit."""

import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T], seconds: float = 60.0) -> T:
    """Return the first value of `look` that is true.

    Raises:
        AssertionError: it did not become true in time; tells what it was last.

    """
    end = time.monotonic() + seconds
    while True:
        value = look()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds:g} s, last {value!r}")
        time.sleep(0.1)


def wait_until_equal(look: Callable[[], T], expected: T, seconds: float = 60.0) -> None:
    """Wait until `look` gives what is expected; fail with pytest's comparison of the two."""
    end = time.monotonic() + seconds
    while look() != expected and time.monotonic() < end:
        time.sleep(0.2)
    assert look() == expected


def free_port() -> int:
    """Return a port on which nobody listens on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
