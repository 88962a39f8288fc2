"""A network of a test's own, which no packet leaves: Linux only, as root."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_CLONE_NEWNET: Final = 0x40000000
# `os.setns` is there from Python 3.12 on.
_libc: Final = ctypes.CDLL(None, use_errno=True)


@contextmanager
def own_network(*interfaces: str, hosts: tuple[str, ...] = ()) -> Iterator[None]:
    """Move this thread, and all threads and processes that it starts, into a network of their own.

    Args:
        interfaces: address and prefix length of each; no other machine is behind them.
        hosts: more addresses of this machine, to stand for other hosts.

    Raises:
        OSError: this user may not.

    """
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _check(_libc.unshare(_CLONE_NEWNET))
        try:
            _ip("link set lo up")
            for number, address in enumerate(interfaces):
                _ip(f"link add here{number} type veth peer name there{number}")
                _ip(f"address add {address} dev here{number}")
                _ip(f"link set here{number} up")
                _ip(f"link set there{number} up")
            for host in hosts:
                _ip(f"address add {host}/32 dev lo")
            yield
        finally:
            _check(_libc.setns(before, _CLONE_NEWNET))
    finally:
        os.close(before)


class Host:
    """Another machine, connected by a cable of its own to the network that this is called in.

    Args:
        number: from 0; it has the address 10.78.NUMBER.2, and this machine is 10.78.NUMBER.1.

    """

    def __init__(self, number: int) -> None:
        self.gateway = f"10.78.{number}.1"
        # The network lives as long as a process in it.
        command = ["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._process.stdout.read(1)
        pid = self._process.pid
        self.enter = ["nsenter", f"--net=/proc/{pid}/ns/net"]
        _ip(f"link add cable{number} type veth peer name end netns {pid}")
        _ip(f"address add {self.gateway}/30 dev cable{number}")
        _ip(f"link set cable{number} up")
        for words in (
            "link set lo up",
            f"address add 10.78.{number}.2/30 dev end",
            "link set end up",
        ):
            subprocess.run([*self.enter, "ip", *words.split()], check=True)

    def close(self) -> None:
        """Remove it; its programs have to be ended before."""
        self._process.kill()
        self._process.communicate()


def can_have_a_network() -> bool:
    """Return whether `own_network` works here."""
    if not Path("/proc/thread-self/ns/net").exists():
        return False
    with suppress(OSError, subprocess.CalledProcessError), own_network("10.0.0.1/24"):
        return True
    return False


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True, capture_output=True)


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
