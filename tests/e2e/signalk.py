"""A real Signal K server for a test: started in a folder of its own, read by its REST API."""

import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any

from support.pages import block
from support.waiting import eventually

from e2e.installation import node, signalk_modules
from e2e.program import Program, Restartable
from e2e.service import REPOSITORY
from e2e.waiting import free_port

HERE = {
    "~/recbms/bin/recbms-zmq": f"PYTHONPATH={REPOSITORY} {sys.executable} -m recbms_zmq",
    "~/recbms/bin/python": sys.executable,
    "~/pipes": str(REPOSITORY / "flows" / "pipes"),
}
"""Where the programs and files of the page are in a checkout."""
API = "/signalk/v1/api/vessels/self"


class SignalK(Restartable):
    """A Signal K server without plugins, with an Execute and a UDP connection.

    Args:
        folder: of its configuration.
        options: of `recbms-zmq run` in the Execute connection, with the sources.

    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.udp_port = free_port()
        self._folder = folder
        self._port = free_port()
        self.command = block("signal k execute", {**HERE, "ws://192.168.8.2/ws": " ".join(options)})
        folder.mkdir()
        settings = {
            "port": self._port,
            "ssl": False,
            "mdns": False,
            "interfaces": {"nmea-tcp": False, "tcp": False, "appstore": False},
            "pipedProviders": [
                _connection("recbms", "Execute", dataType="SignalK", command=self.command),
                _connection("udp", "SignalK", type="udp", port=str(self.udp_port)),
            ],
        }
        (folder / "settings.json").write_text(json.dumps(settings))

    def start(self) -> None:
        """Start it; return when it answers."""
        server = signalk_modules() / "signalk-server" / "bin" / "signalk-server"
        environment = {**os.environ, "SIGNALK_NODE_CONFIG_DIR": str(self._folder)}
        environment.pop("PYTHONUNBUFFERED", None)
        self._program = Program(
            [node(), str(server), "-c", str(self._folder)],
            self._folder / "output.log",
            environment,
        )
        eventually(lambda: self.get("/signalk") is not None, "Signal K answers", 120)

    def values(self, path: str) -> dict[str, tuple[Any, str | None]]:
        """Return every value below a path of the own vessel, with its unit."""
        found: dict[str, tuple[Any, str | None]] = {}

        def walk(name: str, node: Any) -> None:
            if not isinstance(node, dict):
                return
            if "value" in node:
                found[name] = (node["value"], node.get("meta", {}).get("units"))
                return
            for key, child in node.items():
                walk(f"{name}.{key}" if name else key, child)

        walk("", self.get(f"{API}/{path.replace('.', '/')}") or {})
        return found

    def get(self, path: str) -> Any:
        """Return what a path of the server answers, None if nothing."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self._port}{path}", timeout=10
            ) as answer:
                return json.loads(answer.read())
        except (OSError, ValueError):
            return None

    def send(self, method: str, path: str, body: dict[str, Any]) -> None:
        """Send a request to the server's own interface."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        urllib.request.urlopen(request, timeout=10).close()

    def secure(self) -> None:
        """Switch security on: from its next start on, the server has an owner with a password."""
        settings = json.loads((self._folder / "settings.json").read_text())
        settings["security"] = {"strategy": "./tokensecurity"}
        (self._folder / "settings.json").write_text(json.dumps(settings))
        owner = {"username": "owner", "password": "no hash, so that it fits nothing"}
        security = {"users": [{**owner, "type": "admin"}], "secretKey": "0" * 64}
        (self._folder / "security.json").write_text(json.dumps(security))
        (self._folder / "security.json").chmod(0o600)

    def enable(self, *, enabled: bool) -> None:
        """Switch the Execute connection on or off, as the page of the connections does it."""
        self.send(
            "PUT",
            "/skServer/providers/recbms",
            {
                "id": "recbms",
                "enabled": enabled,
                "logging": False,
                "type": "Execute",
                "options": {"dataType": "SignalK", "command": self.command},
            },
        )


def _connection(name: str, kind: str, **options: str) -> dict[str, Any]:
    element = {"logging": False, "type": kind, "subOptions": options}
    pipe = [{"type": "providers/simple", "options": element}]
    return {"id": name, "enabled": True, "pipeElements": pipe}
