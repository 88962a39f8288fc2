"""Real Node-RED for a test: started in a folder of its own, given flows by its admin API."""

import copy
import json
import os
import shutil
import urllib.request
from pathlib import Path
from typing import Any

from support.waiting import eventually

from e2e.installation import node, node_modules
from e2e.program import Program, Restartable
from e2e.waiting import PATIENCE, free_port

STAND_INS = Path(__file__).parent / "node_stand_ins"
FLOWS = Path(__file__).parent.parent.parent / "flows"
SETTINGS = """\
module.exports = {{
    uiHost: '127.0.0.1',
    uiPort: {port},
    functionExternalModules: true,
    credentialSecret: false,
    telemetry: {{ enabled: false, updateNotification: false }},
    externalModules: {{ palette: {{ allowInstall: false }} }},
    editorTheme: {{ palette: {{ editable: false }}, tours: false }},
    logging: {{ console: {{ level: 'info', metrics: false, audit: false }} }},
}};
"""


class NodeRed(Restartable):
    """A Node-RED of our own."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        """Prepare its user folder; `env` is added to its environment."""
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = env
        modules = node_modules()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "settings.js").write_text(SETTINGS.format(port=self.port))
        # As if they had been installed by Manage palette, and the module by a function node.
        wanted = json.loads((modules.parent / "package.json").read_text())["dependencies"]
        wanted = {name: wanted[name] for name in wanted if name != "node-red"}
        (folder / "package.json").write_text(json.dumps({"name": "e2e", "dependencies": wanted}))
        (folder / "node_modules").symlink_to(modules)
        # Node-RED also finds nodes in this folder; these two kinds are on no registry we can use.
        shutil.copytree(STAND_INS, folder / "nodes")

    def start(self) -> None:
        """Start it; return when it answers."""
        red = node_modules() / "node-red" / "red.js"
        environment = {**os.environ, **self._env}
        # With it in the environment, a program that forgets to flush would pass.
        environment.pop("PYTHONUNBUFFERED", None)
        self._program = Program(
            [node(), str(red), "--userDir", str(self.folder), "flows.json"],
            self.folder / "output.log",
            environment,
        )
        eventually(self._answers, "Node-RED answers", PATIENCE)

    def log(self) -> str:
        return self.program.log()

    def deploy(
        self, *flows: list[dict[str, Any]], as_it_is: bool = False, kind: str = "full"
    ) -> None:
        """Deploy flows in place of what is there, with the address of Home Assistant in each.

        The `kind` is `full`, `flows` (the modified ones) or `nodes`, as in the menu of *Deploy*.
        """
        tabs = [each for flow in flows for each in flow if each["type"] == "tab"]
        for tab in [] if as_it_is else tabs:
            for entry in tab.get("env", []):
                if entry["name"] == "HA_URL" and "HA_URL" in self._env:
                    entry["value"] = self._env["HA_URL"]
        body = json.dumps({"flows": [each for flow in flows for each in flow]}).encode()
        headers = {
            "Content-Type": "application/json",
            "Node-RED-API-Version": "v2",
            "Node-RED-Deployment-Type": kind,
        }
        request = urllib.request.Request(f"{self.url}/flows", data=body, headers=headers)
        urllib.request.urlopen(request, timeout=60).close()

    def flows(self) -> list[dict[str, Any]]:
        """Return what is deployed."""
        with urllib.request.urlopen(f"{self.url}/flows", timeout=60) as answer:
            nodes: list[dict[str, Any]] = json.load(answer)
        return nodes

    def _answers(self) -> bool:
        assert self.program.is_running, self.log()
        try:
            urllib.request.urlopen(f"{self.url}/settings", timeout=5).close()
        except OSError:
            return False
        return "Started flows" in self.log() or "Starting flows" in self.log()


def flow_file(name: str, **env: str) -> list[dict[str, Any]]:
    """Return a file of flows/ with values of its tab's environment edited, as a user would.

    Unless asked otherwise, values are sent without the usual interval, to save time.
    """
    nodes = json.loads((FLOWS / name).read_text())
    if any(entry["name"] == "MIN_INTERVAL" for entry in nodes[0]["env"]):
        env = {"MIN_INTERVAL": "0"} | env
    return with_env(nodes, **env)


def with_env(nodes: list[dict[str, Any]], **env: str) -> list[dict[str, Any]]:
    """Return a flow with values of its tab's environment edited."""
    tabs = [each for each in nodes if each["type"] == "tab"]
    entries = {entry["name"]: entry for entry in tabs[0]["env"]}
    for key, value in env.items():
        entries[key]["value"] = value
    return nodes


def with_trigger(flow: list[dict[str, Any]], key: str, *, seconds: int) -> list[dict[str, Any]]:
    """Return a flow in which one trigger node waits less long than it does for a user."""
    flow = copy.deepcopy(flow)
    [node] = [each for each in flow if each["id"].endswith(f"-{key}")]
    node["duration"] = str(seconds)
    return flow


def with_shared_server(flow: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a flow whose server belongs to all tabs, as one that was there before."""
    flow = copy.deepcopy(flow)
    [server] = [each for each in flow if each["type"] == "server"]
    del server["z"]
    return flow


def as_edited(flow: list[dict[str, Any]], **env: str) -> list[dict[str, Any]]:
    """Return a flow as the editor deploys it again: with the credentials that it has not seen."""
    flow = with_env(copy.deepcopy(flow), **env)
    for each in flow:
        each.pop("credentials", None)
    return flow


def with_status_log(flow: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Return a flow that writes the text below one of its nodes into the log."""
    [watched] = [each for each in flow if each["id"].endswith(f"-{key}")]
    where = {"z": watched["z"], "x": 40, "y": 20}
    status = {
        "id": "test-status",
        "type": "status",
        "scope": [watched["id"]],
        "wires": [["test-log"]],
    }
    log = {"id": "test-log", "type": "debug", "active": True, "console": True, "wires": []}
    log |= {"complete": "status.text", "targetType": "msg"}
    return [*flow, {**where, **status}, {**where, **log}]
