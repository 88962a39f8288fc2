"""The fleet's own process: `python -m tests.soak.fleet PLAN SEED`, real simulator servers.

Reads the plan of `chaos` from a file, and from stdin what is to be: `chaos` (the faults act, and
BMS reboot now and then) or `calm` (no faults). Writes its journal to stdout: a line right before
every message that a client is sent, and the counts of faults when a BMS goes.
"""

import asyncio
import contextlib
import json
import random
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from recbms_zmq.simulator.fault_effects import WebsocketMessage
from recbms_zmq.simulator.options import SimulatorOptions, read_options
from recbms_zmq.simulator.server import SimulatorServer

from .chaos import Plan
from .truth import LONGEST

LIVES = (6.0, 25.0)
"""Seconds between two reboots in a chaos."""


class Fleet:
    """Serves every BMS of a plan."""

    def __init__(self, plans: list[Plan], seed: int) -> None:
        self._plans = plans
        self._chance = random.Random(seed)
        self._chaos = True
        self._turn = asyncio.Event()

    def change(self, word: str) -> None:
        """Begin a chaos or a calm: every BMS restarts."""
        self._chaos = word == "chaos"
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()

    async def run(self) -> None:
        """Serve for ever."""
        async with asyncio.TaskGroup() as group:
            for plan in self._plans:
                group.create_task(self._live(plan))

    async def _live(self, plan: Plan) -> None:
        while True:
            turn = self._turn
            server = SimulatorServer(
                self._options(plan), "127.0.0.1", plan["port"], partial(_sent, plan["name"])
            )
            await _open(server)
            running = asyncio.create_task(server.run())
            waiting = asyncio.create_task(turn.wait())
            seconds = self._chance.uniform(*LIVES) if self._chaos else None
            await asyncio.wait((running, waiting), timeout=seconds, return_when="FIRST_COMPLETED")
            for task in (running, waiting):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running  # raises what made it end by itself
            await server.close()
            _write({"faults": server.faults})
            await asyncio.sleep(self._chance.uniform(0, 0.5))

    def _options(self, plan: Plan) -> SimulatorOptions:
        texts = {key: str(value) for key, value in plan["options"].items()}
        if self._chaos:
            texts["faults"] = plan["faults"]
            texts["seed"] = str(self._chance.randrange(2**32))
        return read_options(texts)


async def _open(server: SimulatorServer) -> None:
    while True:  # another process may have its port for a moment
        try:
            await server.open()
        except OSError:
            await asyncio.sleep(0.1)
        else:
            return


def _sent(name: str, message: WebsocketMessage) -> None:
    data = message.data.decode("latin-1") if len(message.data) <= LONGEST else ""
    _write({"bms": name, "at": time.time(), "data": data})


def _write(entry: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(entry) + b"\n")
    sys.stdout.buffer.flush()


async def main(fleet: Fleet) -> None:
    """Serve until stdin ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    fleet.change((await reader.readline()).decode().strip())
    running = asyncio.create_task(fleet.run())
    while not running.done():
        reading = asyncio.create_task(reader.readline())
        await asyncio.wait((running, reading), return_when="FIRST_COMPLETED")
        if not reading.done() or not reading.result():
            break
        fleet.change(reading.result().decode().strip())
    if running.done():
        await running
    running.cancel()


if __name__ == "__main__":
    asyncio.run(main(Fleet(json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2]))))
