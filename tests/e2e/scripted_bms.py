"""A BMS made by us that goes on sending its status frame, as a real one does.

The frame is the real one of a 4-cell unit (`tests/frames/status.json`) unless a test changes it.
"""

import asyncio
from typing import Any

from support.bms import Connection, FakeBms
from support.frames import SETTINGS, status


class ScriptedBms:
    """Sends its status frame ten times a second to everybody who connects."""

    def __init__(self) -> None:
        self._server = FakeBms(behave=self._talk)
        self._values: dict[str, Any] = {}
        self._units = 1
        self._cells = 4
        self._begins_with: tuple[str, ...] = ()
        self._frame = status()
        self.is_silent = False

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def connections(self) -> int:
        return len(self._server.connections)

    def start(self) -> None:
        self._server.start()

    def close(self) -> None:
        self.is_silent = False  # who is silent does not notice that the connection has ended
        self._server.close()

    def change(self, *, units: int = 0, cells: int = 0, **values: Any) -> None:
        """Change the number of units (addresses from 2) and of the cells that each has.

        And fields of the pack by REC's names.
        """
        self._units = units or self._units
        self._cells = cells or self._cells
        self._values |= values
        self._frame = status(units=self._units, cells=self._cells, **self._values)

    def send_settings(self) -> None:
        """Begin every connection with the real settings frame."""
        self._begins_with = (SETTINGS,)

    async def _talk(self, connection: Connection) -> None:
        for message in self._begins_with:
            await connection.send(message)
        while True:
            if not self.is_silent:
                await connection.send(self._frame)
            await asyncio.sleep(0.1)
