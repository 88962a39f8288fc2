"""Real Home Assistant for a test: configured, started, onboarded by its API, and asked."""

import json
import os
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.waiting import eventually
from websockets.sync.client import ClientConnection, connect

from e2e.installation import NEWEST, home_assistant
from e2e.program import Program, Restartable
from e2e.waiting import PATIENCE, free_port

HERE = Path(__file__).parent
STAND_IN = HERE / "companion_stand_in"
TOOLS = HERE / "test_tools"
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
history:
energy:
frontend:
automation: !include automations.yaml
persistent_notification:
recbms_test_tools:
logger:
  default: warning
{more}
"""
HTTP = """\
http:
  server_host: 127.0.0.1
  server_port: {port}
"""
"""The newest Home Assistant goes back from such a setting after 5 minutes: it reads a file."""
ONBOARDED = ["core_config", "analytics", "integration"]
"""Steps of the first start that a test does not take: they want the internet."""


def companion() -> Path:
    """Return the integration's folder: the real one, if `RECBMS_COMPANION` names it."""
    real = os.environ.get("RECBMS_COMPANION")
    if not real:
        return STAND_IN
    [manifest] = Path(real).glob("**/nodered/manifest.json")
    return manifest.parent


class HomeAssistant(Restartable):
    """A Home Assistant of our own, with the companion unless asked otherwise."""

    def __init__(self, folder: Path, *, has_companion: bool = True, more: str = "") -> None:
        """Write the configuration into `folder`; `more` is further YAML."""
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = ""
        self._has_companion = has_companion
        self._installation = home_assistant()
        components = folder / "custom_components"
        (folder / ".storage").mkdir(parents=True, exist_ok=True)
        (folder / "automations.yaml").touch()
        if self._installation.version == NEWEST:
            self._seed("http", 3, stable=_http(self.port), pending=None, yaml_migration_done=True)
        else:
            more += HTTP.format(port=self.port)
        self._seed("onboarding", 4, done=ONBOARDED)
        (folder / "configuration.yaml").write_text(CONFIGURATION.format(port=self.port, more=more))
        shutil.copytree(TOOLS, components / "recbms_test_tools")
        if has_companion:
            shutil.copytree(companion(), components / "nodered")

    def start(self) -> None:
        """Start it; return when it is running and a token is at hand."""
        command = self._installation.command(self.folder)
        self._program = Program(command, self.folder / "output.log")
        eventually(self._answers, "Home Assistant answers", 120)
        is_new = not self.token
        if is_new:
            self.token = self._onboard()
        eventually(self._runs, "Home Assistant runs", 120)
        if is_new and self._has_companion:
            self._add("nodered", {})

    def log(self) -> str:
        return self.program.log()

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
        with self._socket() as socket:
            return _call(socket, 1, type_, **rest)

    @contextmanager
    def _socket(self) -> Iterator[ClientConnection]:
        url = f"ws://127.0.0.1:{self.port}/api/websocket"
        with connect(url, max_size=None, proxy=None) as socket:
            socket.recv()
            socket.send(json.dumps({"type": "auth", "access_token": self.token}))
            assert json.loads(socket.recv())["type"] == "auth_ok"
            yield socket

    @contextmanager
    def events(self, event_type: str) -> Iterator["Events"]:
        """Subscribe to an event of Home Assistant's bus."""
        with self._socket() as socket:
            _call(socket, 1, "subscribe_events", event_type=event_type)
            yield Events(socket)

    def use_mqtt(self, port: int) -> None:
        """Set its MQTT integration up, as a user does in the settings."""
        self._add("mqtt", {"broker": "127.0.0.1", "port": port})

    def entry(self, domain: str) -> str:
        """Return the id of an integration's configuration entry."""
        [entry] = self.ask("config_entries/get", domain=domain)
        entry_id: str = entry["entry_id"]
        return entry_id

    def reload(self, domain: str) -> None:
        """Reload an integration, as *Reload* in its menu does."""
        self.post(f"/api/config/config_entries/entry/{self.entry(domain)}/reload", {})

    def state(self, entity_id: str) -> str | None:
        """Return an entity's state, None if there is no such entity."""
        state: str | None = self.states().get(entity_id, {}).get("state")
        return state

    def states(self) -> dict[str, Any]:
        """Return all entities by their ids, as the REST API gives them."""
        return {each["entity_id"]: each for each in self.get("/api/states")}

    def states_of(self, ids: Iterable[str]) -> list[str | None]:
        """Return the states of entities at one moment."""
        states = self.states()
        return [states.get(entity_id, {}).get("state") for entity_id in ids]

    def entities(self) -> dict[str, Any]:
        """Return the entity registry by entity id."""
        return {each["entity_id"]: each for each in self.ask("config/entity_registry/list")}

    def devices(self) -> dict[str, Any]:
        """Return the device registry by device id."""
        return {each["id"]: each for each in self.ask("config/device_registry/list")}

    def device_names(self) -> dict[str, str]:
        """Return the names of the registered entities' devices by entity id."""
        names = {key: device["name"] for key, device in self.devices().items()}
        owners = {key: each["device_id"] for key, each in self.entities().items()}
        return {key: names[owner] for key, owner in owners.items() if owner in names}

    def _add(self, domain: str, answers: dict[str, Any]) -> None:
        """Set an integration up; what a form wants beyond `answers` is left as it suggests."""
        flow = self.post("/api/config/config_entries/flow", {"handler": domain})
        answers = _filled(flow["data_schema"] or []) | answers
        answer = self.post(f"/api/config/config_entries/flow/{flow['flow_id']}", answers)
        assert answer["type"] == "create_entry", answer

    def _seed(self, key: str, version: int, **data: Any) -> None:
        """Write a file of its storage before it starts for the first time."""
        stored = {"version": version, "minor_version": 1, "key": key, "data": data}
        (self.folder / ".storage" / key).write_text(json.dumps(stored))

    def _answers(self) -> bool:
        assert self.program.is_running, self.log()
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


class Events:
    """The events of one subscription."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    def next(self, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait for the next one; return its data."""
        message = json.loads(self._socket.recv(timeout=seconds))
        data: dict[str, Any] = message["event"]["data"]
        return data

    def none(self, seconds: float) -> bool:
        """Wait; return whether none has come."""
        try:
            self._socket.recv(timeout=seconds)
        except TimeoutError:
            return True
        return False


def _call(socket: ClientConnection, number: int, type_: str, **rest: Any) -> Any:
    socket.send(json.dumps({"id": number, "type": type_, **rest}))
    answer = json.loads(socket.recv())
    assert answer["success"], answer
    return answer["result"]


def _http(port: int) -> dict[str, Any]:
    return {
        "server_host": ["127.0.0.1"],
        "server_port": port,
        "cors_allowed_origins": [],
        "login_attempts_threshold": -1,
        "ip_ban_enabled": True,
        "ssl_profile": "intermediate_v6",
        "use_x_frame_options": True,
        "created_at": "2026-01-01T00:00:00+00:00",
        "error": None,
        "error_message": None,
    }


def _filled(fields: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a form has to be sent when a person changes nothing in it."""
    return {
        field["name"]: _filled(field["schema"])
        if field.get("type") == "expandable"
        else field.get("default", _untouched(field.get("selector", {})))
        for field in fields
        if field.get("required") or field.get("type") == "expandable"
    }


def _untouched(selector: dict[str, Any]) -> Any:
    """Return what a field without a default shows at first."""
    if "boolean" in selector:
        return False
    if "select" in selector:
        first = selector["select"]["options"][0]
        return first["value"] if isinstance(first, dict) else first
    return None
