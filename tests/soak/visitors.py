"""Those who do not stay: subscribers that vanish in every way there is, and callers that are none.

Most are processes of their own, `python -m tests.soak.visitors ENDPOINT`, because only a process
can be killed or stopped.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Final

import zmq

from .verdict import Verdict

_MOST: Final = 3
WAYS: Final = ("close", "kill", "stop and kill", "send garbage", "send nothing", "reset")


class Visitors:
    """Lets them come and go.

    Args:
        endpoints: of the service; the first one is tcp.

    """

    def __init__(self, endpoints: list[str], chance: random.Random, verdict: Verdict) -> None:
        self._endpoints = endpoints
        self._chance = chance
        self._verdict = verdict
        self._next = 0.0
        self._here: list[tuple[float, Callable[[], None]]] = []

    def look(self, now: float, *, come: bool = True) -> None:
        """Let those go whose time is over, and another one come."""
        for visit in [visit for visit in self._here if now >= visit[0]]:
            self._here.remove(visit)
            visit[1]()
        if come and now >= self._next and len(self._here) < _MOST:
            self._next = now + self._chance.uniform(0.2, 2)
            way = self._chance.choice(WAYS)
            self._verdict.counts[f"visitors: {way}"] += 1
            for seconds, leave in self._visit(way):
                self._here.append((now + seconds, leave))

    def close(self) -> None:
        """Let all go now."""
        while self._here:
            self.look(self._here[0][0], come=False)

    def _visit(self, way: str) -> list[tuple[float, Callable[[], None]]]:
        seconds = self._chance.uniform(0.5, 6)
        if way in ("send garbage", "send nothing", "reset"):
            host, port = self._endpoints[0].removeprefix("tcp://").split(":")
            caller = socket.create_connection((host, int(port)), timeout=10)
            if way == "send garbage":
                with contextlib.suppress(OSError):
                    caller.sendall(self._chance.randbytes(self._chance.randrange(1, 5000)))
            if way == "reset":  # what comes is never read, and the end is no goodbye
                caller.sendall(b"\xff\0\0\0\0\0\0\0\1\x7f")
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return [(seconds, caller.close)]
        program = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.visitors", self._chance.choice(self._endpoints)]
        )
        leave = signal.SIGTERM if way == "close" else signal.SIGKILL
        visit = [(seconds, lambda: _end(program, leave))]
        if way == "stop and kill":
            visit.insert(0, (seconds / 3, lambda: os.kill(program.pid, signal.SIGSTOP)))
        return visit


def _end(program: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    program.send_signal(number)
    program.wait(30)


def main(endpoint: str) -> None:
    """Subscribe and read until the end, which SIGTERM makes a clean one."""
    ended: list[int] = []
    # No exception: between making and entering a socket it would leave one open, and then the
    # context would wait for it for ever.
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    with zmq.Context() as context, context.socket(zmq.SUB) as sub:
        sub.set(zmq.LINGER, 0)
        sub.connect(endpoint)
        sub.subscribe("")
        while not ended:
            if sub.poll(100):
                sub.recv_multipart()


if __name__ == "__main__":
    main(sys.argv[1])
