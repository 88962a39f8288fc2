"""One program that a test runs: started in its own process group, logging to a file."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class Program:
    """A running program, and all that it has started."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Start it; its output is appended to `log`."""
        self.log_path = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def wait(self, seconds: float) -> int:
        """Wait for its end; return the exit code."""
        return self._process.wait(seconds)

    def stop(self, seconds: float = 20.0) -> None:
        """End it as a service manager does, then everything in its group."""
        if self.is_running:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def kill(self) -> None:
        """End it alone with kill -9, as a crash does; its children live on."""
        self._process.kill()
        self._process.wait()


class Restartable:
    """What can be started again when it has ended; `start` of a subclass sets `_program`."""

    _program: Program | None = None
    _patience = 20.0
    """Seconds for its end."""

    @property
    def program(self) -> Program:
        assert self._program is not None, "it was not started"
        return self._program

    def kill(self) -> None:
        """End it as a power cut does; its children live on."""
        self.program.kill()

    def stop(self) -> None:
        """End it with its children, if it was started."""
        if self._program is not None:
            self._program.stop(self._patience)
