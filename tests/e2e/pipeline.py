"""A pipe of the pages, run by bash word for word, with only its addresses changed."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from support.home import Home
from support.waiting import PATIENCE

from e2e.program import Program
from e2e.waiting import free_port


class Pipeline:
    """Runs a script in which the service feeds an engine; can be run again when it has ended.

    Args:
        folder: gets the home of the user who types it, and a log.
        script: what bash runs.
        options: environment, as `RECBMS_REFRESH="1"`.

    """

    def __init__(self, folder: Path, script: str, **options: str) -> None:
        self.endpoint = f"tcp://127.0.0.1:{free_port()}"
        self._script = script
        self._folder = folder
        self.home = Home(folder)
        self._environment = self.home.environment(RECBMS_PUBLISH=self.endpoint, **options)
        self._program: Program | None = None

    def start(self) -> None:
        self._program = Program(
            ["bash", "-c", self._script],
            self._folder / "pipeline.log",
            self._environment,
            self.home.folder,
        )

    @property
    def program(self) -> Program:
        assert self._program is not None, "it was not started"
        return self._program

    def wait(self) -> int:
        """Wait for the end; return the exit code."""
        return self.program.wait(PATIENCE)

    def end_all(self) -> None:
        """Ask every process of it to end at once, as systemd does."""
        os.killpg(self.program.pid, signal.SIGTERM)

    def stop(self) -> None:
        if self._program is not None:
            self._program.stop(0)


MakePipeline = Callable[..., Pipeline]


def stages(pid: int) -> dict[str, int]:
    """Return the programs of a pipe by their names, with their process ids."""
    # ps fails when there is none.
    words = ["ps", "-o", "pid=,args=", "--sid", str(pid)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    lines = (line.split(maxsplit=1) for line in done.stdout.splitlines())
    names = ("recbms_zmq", "to_mqtt.py", "jq", "redis-cli")
    return {
        name: int(number)
        for number, command in lines
        for name in names
        if not command.startswith("bash") and name in command
    }
