"""A BMS made by us: a websocket server that sends the status frame a test gives it.

The frame is the real one of a 4-cell unit (`tests/frames/status.json`) unless a test changes it.
"""

import copy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

FRAMES = Path(__file__).parent.parent / "frames"


class ScriptedBms:
    """Sends its status frame ten times a second, and its settings frame once a connection."""

    def __init__(self, server_port: int) -> None:
        self.url = f"ws://127.0.0.1:{server_port}/ws"
        self.status: dict[str, Any] = json.loads((FRAMES / "status.json").read_text())
        self._settings: str | None = None
        self.is_silent = False
        self._stopped = threading.Event()

    def change(self, **values: Any) -> None:
        """Change fields of the pack's part, by REC's names, all at once."""
        status = copy.deepcopy(self.status)
        status["bms_array"]["master"].update(values)
        self.status = status

    def add_unit(self, address: int) -> None:
        """Add a unit like the first one."""
        status = copy.deepcopy(self.status)
        units = status["bms_array"]["slave"]
        units[str(len(units))] = {**copy.deepcopy(units["0"]), "address": address}
        status["bms_array"]["master"]["st_naprav"] = len(units)
        self.status = status

    def remove_unit(self, address: int) -> None:
        """Take a unit away."""
        status = copy.deepcopy(self.status)
        left = [unit for unit in status["bms_array"]["slave"].values() if unit["address"] != address]
        status["bms_array"]["slave"] = {str(place): unit for place, unit in enumerate(left)}
        status["bms_array"]["master"]["st_naprav"] = len(left)
        self.status = status

    def send_settings(self) -> None:
        """Begin every connection with the real settings frame."""
        self._settings = (FRAMES / "settings.json").read_text()

    def talk(self, connection: ServerConnection) -> None:
        """Send frames until the client leaves."""
        try:
            if self._settings is not None:
                connection.send(self._settings)
            while not self._stopped.wait(0.1):
                if not self.is_silent:
                    connection.send(json.dumps(self.status))
        except ConnectionClosed:
            pass

    def stop(self) -> None:
        self._stopped.set()


@contextmanager
def scripted_bms() -> Iterator[ScriptedBms]:
    """Serve a BMS on a free port of loopback."""
    holder: list[ScriptedBms] = []
    server: Server
    with serve(lambda connection: holder[0].talk(connection), "127.0.0.1", 0) as server:
        bms = ScriptedBms(server.socket.getsockname()[1])
        holder.append(bms)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield bms
        finally:
            bms.stop()
            server.shutdown()
            thread.join(10)
