"""The pages' commands that install, typed by a user who has nothing but a copy of the repository.

A new user with an empty home directory and Debian's Python; if we are root, a user without rights.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.pages import ROOT, block, repository_files
from support.waiting import eventually

from e2e import installation
from e2e.program import Program
from e2e.waiting import free_port
from recbms_zmq import __version__

UID = 54321


class Stranger:
    """A user in a fresh copy of the repository."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.copy = folder / "recbms-zmq"
        self.home.mkdir()
        for name in repository_files():
            (self.copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.copy / name)
        self._words = ["bash", "-euo", "pipefail", "-c"]
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, UID, UID)
            user = [f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
            self._words = ["setpriv", *user, *self._words]
        # How packages are found is the machine's, everything else is that of a new shell.
        kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        self.environment = {**kept, "HOME": str(self.home), "PATH": "/usr/local/bin:/usr/bin:/bin"}

    def words(self, script: str) -> list[str]:
        return [*self._words, script]

    def types(self, script: str) -> str:
        """Run commands to their end; return what they print."""
        done = subprocess.run(self.words(script), **self._options(), check=False, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return str(done.stdout)

    def _options(self) -> dict[str, Any]:
        return {
            "cwd": self.copy,
            "env": self.environment,
            "capture_output": True,
            "text": True,
            "stdin": subprocess.DEVNULL,
        }


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    # Not below tmp_path, which only its owner can enter.
    with tempfile.TemporaryDirectory(prefix="recbms-") as name:
        Path(name).chmod(0o755)
        yield Stranger(Path(name))


@pytest.mark.timeout(600)
def test_from_a_copy_of_the_repository_to_messages_and_back(
    stranger: Stranger, installed: Callable[[Callable[[], object]], None], tmp_path: Path
) -> None:
    installed(installation.system_python)
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    demo = Program(
        stranger.words(block("demo command")),
        tmp_path / "demo.log",
        {**stranger.environment, "RECBMS_PUBLISH": endpoint},
        stranger.copy,
    )
    try:
        eventually(lambda: '"key":"soc"' in demo.log(), "the demo prints messages", 300)
        program = "~/recbms/bin/recbms-zmq"
        listen = f"{program} listen --count 1 --topic recbms/main/soc {endpoint}"
        assert '"key":"soc"' in stranger.types(listen)
        # The monitor is there too, as the page promises.
        assert "%" in stranger.types(f"{program} monitor {endpoint} 2>&1 | head -n 3 || true")
    finally:
        demo.stop()

    names = stranger.types(f"{program} files").split()
    flows = (str(path) for path in repository_files() if path.parts[0] == "flows")
    offered = {name for name in flows if not name.startswith("flows/pictures/")}
    assert {f"flows/{name}" for name in names} == offered
    stranger.types(block("signal k files"))
    stranger.types(block("mqtt install") + "~/recbms/bin/python ~/pipes/to_mqtt.py --help")
    prometheus = block("prometheus install") + "~/recbms/bin/python ~/pipes/to_prometheus.py --help"
    stranger.types(prometheus)
    stranger.types(block("install extras") + "~/recbms/bin/recbms-zmq completion bash")

    stranger.types(block("container wheel"))
    [wheel] = (stranger.copy / "flows" / "service").glob("*.whl")
    assert wheel.name.startswith("recbms_zmq-")

    version = stranger.copy / "recbms_zmq" / "version.py"
    text = version.read_text()
    assert f'"{__version__}"' in text
    version.write_text(text.replace(f'"{__version__}"', '"9.0"'))
    stranger.types(block("update venv"))
    assert stranger.types(f"{program} --version").startswith("recbms-zmq 9.0")

    stranger.types(block("uninstall venv"))
    assert not (stranger.home / "recbms").exists()
