"""A pipe of the pages, run by bash word for word, with only its addresses changed."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from support.home import Home
from support.waiting import PATIENCE

from e2e.program import Program, Restartable
from e2e.waiting import free_port


class Pipeline(Restartable):
    """Runs a script in which the service feeds an engine; can be run again when it has ended.

    Args:
        folder: gets the home of the user who types it, and a log.
        script: what bash runs.
        options: environment, as `RECBMS_REFRESH="1"`.

    """

    _patience = 0.0

    def __init__(self, folder: Path, script: str, **options: str) -> None:
        self.endpoint = f"tcp://127.0.0.1:{free_port()}"
        self._script = script
        self._folder = folder
        self.home = Home(folder)
        self._environment = self.home.environment(RECBMS_PUBLISH=self.endpoint, **options)

    def start(self) -> None:
        self._program = Program(
            ["bash", "-c", self._script],
            self._folder / "pipeline.log",
            self._environment,
            self.home.folder,
        )

    def wait(self) -> int:
        """Wait for the end; return the exit code."""
        return self.program.wait(PATIENCE)

    def end_all(self) -> None:
        """Ask every process of it to end at once, as systemd does."""
        os.killpg(self.program.pid, signal.SIGTERM)


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
