"""The real service, as a program of its own and as the command that Node-RED finds."""

import os
import sys
from pathlib import Path

from e2e.program import Program, Restartable
from e2e.waiting import free_port

REPOSITORY = Path(__file__).parent.parent.parent


def command_folder(folder: Path) -> Path:
    """Make a folder with the command `recbms-zmq`, which runs this checkout."""
    path = folder / "bin"
    path.mkdir(exist_ok=True)
    command = path / "recbms-zmq"
    command.write_text(
        f'#!/bin/sh\nPYTHONPATH={REPOSITORY} exec {sys.executable} -m recbms_zmq "$@"\n'
    )
    command.chmod(0o755)
    return path


class Service(Restartable):
    """`recbms-zmq run`, publishing on a free port."""

    def __init__(self, folder: Path) -> None:
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self._folder = folder

    def start(self, *arguments: str) -> None:
        """Start it; `arguments` are its sources and options."""
        command = [sys.executable, "-m", "recbms_zmq", "run", "--no-stdout"]
        self._program = Program(
            [*command, "--publish", self.address, *arguments],
            self._folder / "service.log",
            {**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def running(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
