"""Real Home Assistant for a test: configured, started, onboarded by its API, and asked."""

import json
import shutil
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from support.waiting import eventually
from websockets.sync.client import connect

from e2e.installation import home_assistant_python
from e2e.program import Program
from e2e.waiting import free_port

COMPANION = Path(__file__).parent / "companion_stand_in"
CONFIGURATION = """\
homeassistant:
  name: End to end
  time_zone: UTC
  country: SI
  unit_system: metric
  internal_url: http://127.0.0.1:{port}
api:
websocket_api:
config:
recorder:
energy:
{companion}
logger:
  default: warning
http:
  server_host: 127.0.0.1
  server_port: {port}
{more}
"""


class HomeAssistant:
    """A Home Assistant of our own, with the companion's stand-in unless asked otherwise."""

    def __init__(self, folder: Path, *, companion: bool = True, more: str = "") -> None:
        """Write the configuration into `folder`; `more` is further YAML."""
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = ""
        self._program: Program | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "configuration.yaml").write_text(
            CONFIGURATION.format(
                port=self.port, companion="nodered:" if companion else "", more=more
            )
        )
        if companion:
            shutil.copytree(COMPANION, folder / "custom_components" / "nodered")

    def start(self) -> None:
        """Start it; return when it is running and a token is at hand."""
        python = home_assistant_python()
        command = [str(python), "-m", "homeassistant", "-c", str(self.folder), "--skip-pip"]
        self._program = Program(command, self.folder / "output.log")
        eventually(self._answers, "Home Assistant answers", 120)
        if not self.token:
            self.token = self._onboard()
        eventually(self._runs, "Home Assistant runs", 120)

    def stop(self) -> None:
        if self._program is not None:
            self._program.stop()

    def log(self) -> str:
        assert self._program is not None
        return self._program.log()

    def get(self, path: str) -> Any:
        return self._request("GET", path)

    def post(self, path: str, body: Any) -> Any:
        return self._request("POST", path, json.dumps(body).encode(), "application/json")

    def render(self, template: str) -> str:
        """Return what Home Assistant makes of a template."""
        body = json.dumps({"template": template}).encode()
        return self._send("POST", "/api/template", body, "application/json").decode()

    def ask(self, type_: str, **rest: Any) -> Any:
        """Send one command of the websocket API, return its result."""
        url = f"ws://127.0.0.1:{self.port}/api/websocket"
        with connect(url, max_size=None, proxy=None) as socket:
            socket.recv()
            socket.send(json.dumps({"type": "auth", "access_token": self.token}))
            assert json.loads(socket.recv())["type"] == "auth_ok"
            socket.send(json.dumps({"id": 1, "type": type_, **rest}))
            answer = json.loads(socket.recv())
        assert answer["success"], answer
        return answer["result"]

    def use_mqtt(self, port: int) -> None:
        """Set its MQTT integration up, as a user does in the settings."""
        flow = self.post("/api/config/config_entries/flow", {"handler": "mqtt"})
        answer = self.post(
            f"/api/config/config_entries/flow/{flow['flow_id']}",
            {"broker": "127.0.0.1", "port": port},
        )
        assert answer["type"] == "create_entry", answer

    def state(self, entity_id: str) -> str | None:
        """Return an entity's state, None if there is no such entity."""
        state: str | None = self.states().get(entity_id, {}).get("state")
        return state

    def states(self) -> dict[str, Any]:
        """Return all entities by their ids, as the REST API gives them."""
        return {each["entity_id"]: each for each in self.get("/api/states")}

    def entities(self) -> dict[str, Any]:
        """Return the entity registry by entity id."""
        return {each["entity_id"]: each for each in self.ask("config/entity_registry/list")}

    def devices(self) -> dict[str, Any]:
        """Return the device registry by device id."""
        return {each["id"]: each for each in self.ask("config/device_registry/list")}

    def _answers(self) -> bool:
        assert self._program is not None
        assert self._program.is_running, self.log()
        try:
            urllib.request.urlopen(f"{self.url}/api/onboarding", timeout=5).close()
        except urllib.error.HTTPError as error:
            error.close()
            return error.code == 404 and bool(self.token)  # gone once everything is onboarded
        except OSError:
            return False
        return True

    def _runs(self) -> bool:
        try:
            return bool(self.get("/api/config")["state"] == "RUNNING")
        except OSError:
            return False

    def _onboard(self) -> str:
        client = f"{self.url}/"
        user = {"client_id": client, "name": "e2e", "username": "e2e", "password": "e2e"}
        code = self.post("/api/onboarding/users", {**user, "language": "en"})["auth_code"]
        form = {"client_id": client, "grant_type": "authorization_code", "code": code}
        body = urllib.parse.urlencode(form).encode()
        kind = "application/x-www-form-urlencoded"
        self.token = self._request("POST", "/auth/token", body, kind)["access_token"]
        token: str = self.ask("auth/long_lived_access_token", client_name="e2e", lifespan=365)
        return token

    def _request(
        self, method: str, path: str, body: bytes | None = None, content: str | None = None
    ) -> Any:
        return json.loads(self._send(method, path, body, content))

    def _send(self, method: str, path: str, body: bytes | None, content: str | None) -> bytes:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if content:
            headers["Content-Type"] = content
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                whole: bytes = answer.read()
                return whole
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{method} {path}: {error.code} {error.read()!r}") from error
