"""The socket on which systemd hears of a service, made by us."""

import contextlib
import select
import socket
import time
from collections.abc import Callable

from support.waiting import PATIENCE

Changes = dict[str, str]


class Manager:
    """A notify socket as systemd has one, which keeps what it receives."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.received: list[Changes] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.setblocking(False)

    def environment(self, *, seconds: float | None = None, **more: str) -> dict[str, str]:
        """Return what systemd sets for a service; `seconds` are those of the watchdog."""
        watched = {} if seconds is None else {"WATCHDOG_USEC": str(round(seconds * 1e6))}
        return {"NOTIFY_SOCKET": self.address, **watched, **more}

    def until(self, last: Callable[[Changes], bool]) -> Changes:
        """Wait for a notification of which this is true."""
        deadline = time.monotonic() + PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._socket], [], [], left)[0]:
                self.received += self._read()
                if last(self.received[-1]):
                    return self.received[-1]
        raise AssertionError(f"not received; but {self.received}")

    def everything(self) -> list[Changes]:
        """Return all that was received until now."""
        while select.select([self._socket], [], [], 0)[0]:
            self.received += self._read()
        return self.received

    def status(self, text: str) -> None:
        """Wait for a status."""
        self.until(lambda changes: changes.get("STATUS") == text)

    def fill(self) -> None:
        """Fill the socket with notifications of others until there is no room."""
        full = False
        while not full:
            sent = 0
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
                other.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        other.sendto(b"OTHER=1", self._socket.getsockname())
                        sent += 1
            full = sent == 0

    def close(self) -> None:
        self._socket.close()

    def _read(self) -> list[Changes]:
        lines = self._socket.recv(65536).decode().split("\n")
        return [dict(line.split("=", 1) for line in lines)]
