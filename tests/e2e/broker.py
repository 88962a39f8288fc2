"""A real mosquitto for a test."""

from pathlib import Path

from support.waiting import eventually

from e2e.installation import mosquitto
from e2e.program import Program
from e2e.waiting import free_port


class Broker:
    """A broker on a free port of loopback that keeps nothing when it ends."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._configuration = folder / "mosquitto.conf"
        self._configuration.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
        )
        self._log = folder / "mosquitto.log"
        self._program: Program | None = None

    def start(self) -> None:
        """Start it; return when it runs."""
        self._log.unlink(missing_ok=True)
        program = Program([mosquitto(), "-c", str(self._configuration)], self._log)
        self._program = program
        eventually(lambda: " running" in program.log(), "mosquitto runs")

    @property
    def program(self) -> Program:
        assert self._program is not None, "it was not started"
        return self._program

    def kill(self) -> None:
        """End it as a power cut does; what it knew is gone."""
        self.program.kill()

    def stop(self) -> None:
        if self._program is not None:
            self._program.stop()
