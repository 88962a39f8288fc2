"""Real servers that messages are handed on to: NATS and Redis; mosquitto is in `broker`.

Each runs on free ports of loopback, keeps its files in the folder it is given, and can be killed
and started again, as servers are.
"""

import json
import shlex
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from support.pages import ROOT, block
from support.waiting import PATIENCE, eventually

from e2e.installation import nats_server, redis_server
from e2e.program import Program, Restartable
from e2e.waiting import free_port


class Server(Restartable):
    """A server; `command` starts it, and `ready` is in its log when it listens."""

    def __init__(self, folder: Path, command: Sequence[str], ready: str) -> None:
        self._log = folder / f"{Path(command[0]).name}.log"
        self._command = command
        self._ready = ready

    def start(self) -> None:
        """Start it, or start it again; return when it listens."""
        self._log.unlink(missing_ok=True)
        self._program = Program(self._command, self._log)
        eventually(lambda: self._ready in self.program.log(), f"{self._command[0]} listens")


class Nats(Server):
    """A NATS server that takes MQTT too, configured by flows/pipes/nats.conf."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._own_port = free_port()
        places = {
            "4222": str(self._own_port),
            "1883": str(self.port),
            "/var/lib/nats": str(folder / "nats"),
        }
        configuration = folder / "nats.conf"
        text = (ROOT / "flows" / "pipes" / "nats.conf").read_text()
        for old, new in places.items():
            assert old in text
            text = text.replace(old, new)
        configuration.write_text(text)
        _, *options, file = shlex.split(block("nats command"))
        assert (ROOT / file).name == configuration.name
        super().__init__(folder, [nats_server(), *options, str(configuration)], "Server is ready")

    @contextmanager
    def subscribed(self, subject: str) -> Iterator[BufferedIOBase]:
        """Give what a subscriber with NATS's own protocol reads."""
        address = ("127.0.0.1", self._own_port)
        with socket.create_connection(address, PATIENCE) as client, client.makefile("rwb") as file:
            file.write(f'CONNECT {{"verbose":false}}\r\nSUB {subject} 1\r\nPING\r\n'.encode())
            file.flush()
            while not file.readline().startswith(b"PONG"):
                pass
            yield file


class Redis(Server):
    """A Redis that keeps what it gets on disk; `options` of its configuration come on top."""

    def __init__(self, folder: Path, **options: str) -> None:
        self.port = free_port()
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(folder),
            "save": "",
            "appendonly": "yes",
            **options,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        super().__init__(folder, [redis_server(), *words], "Ready to accept connections")

    def entries(self, stream: str) -> list[bytes]:
        """Return the field `message` of every entry of a stream, oldest first."""
        found = self.ask("XRANGE", stream, "-", "+")
        return [dict([fields])["message"].encode() for _, fields in found]

    def keys(self) -> list[str]:
        """Return the names of everything that is there."""
        return sorted(self._ask("KEYS", "*").split())

    def ask(self, *words: str) -> Any:
        """Return what the server answers to a command, as JSON has it."""
        return json.loads(self._ask("--json", *words))

    def _ask(self, *words: str) -> Any:
        done = subprocess.run(
            ["redis-cli", "-p", str(self.port), *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout
