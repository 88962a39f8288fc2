"""Nothing is written anywhere unless asked for.

The real command runs in folders of its own, and every file that it opens to write, makes or
removes is noted by an audit hook of the interpreter; what libzmq might write shows in the folders.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.bms import FakeBms
from support.fixtures import Run, Start
from support.process import Command

pytestmark = pytest.mark.slow

WATCHED = """
import os, sys

CHANGES = ("os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir", "os.truncate",
    "os.chmod", "os.chown", "os.utime", "os.setxattr", "tempfile.", "shutil.", "sqlite3.")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

def note(event, args):
    if event == "open":
        path, _, flags = args
        # Its own stdout, opened once more, is what it was asked to write to.
        if not flags & WRITING or str(path).startswith(("/proc/self/fd/", "/dev/")):
            return
    elif not event.startswith(CHANGES):
        return
    os.write(2, f"CHANGED {event} {args[0]}\\n".encode())

sys.addaudithook(note)
from recbms_zmq.cli import main
sys.exit(main())
"""


class Folders:
    """All that a program usually writes to, empty."""

    def __init__(self, root: Path) -> None:
        self._root = root
        names = ("cwd", "home", "tmp", "config", "cache", "data", "state", "runtime")
        for name in names:
            (root / name).mkdir()
        variables = {"HOME": "home", "TMPDIR": "tmp"} | {
            f"XDG_{name.upper()}_HOME": name for name in names[3:7]
        }
        self.options: dict[str, Any] = {
            "cwd": root / "cwd",
            "python": [sys.executable, "-c", WATCHED],
            # Python's own cache of compiled modules, which pip writes when it installs them.
            "env": {"PYTHONDONTWRITEBYTECODE": "1", "XDG_RUNTIME_DIR": str(root / "runtime")}
            | {variable: str(root / name) for variable, name in variables.items()},
        }

    @property
    def content(self) -> list[str]:
        return sorted(str(path.relative_to(self._root)) for path in self._root.glob("*/**/*"))


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


def changes(process: Command) -> list[str]:
    lines = process.stderr.text().splitlines()
    return [line.partition(" ")[2] for line in lines if line.startswith("CHANGED ")]


@pytest.mark.parametrize(
    "options",
    [
        ["--publish", "tcp://127.0.0.1:*", "--allow-ip", "127.0.0.1"],
        ["--publish", f"ipc://@recbms-test-disk-{os.getpid()}"],
        ["--no-publish", "--emit", "both", "--log-level", "debug"],
    ],
    ids=["tcp", "abstract", "stdout"],
)
def test_a_service_writes_no_file(
    bms: FakeBms, run: Run, folders: Folders, options: Sequence[str]
) -> None:
    service = run(*options, bms.url, **folders.options)
    service.message(key="settings/remote_switch")
    bms.drop()
    bms.wait_for_connections(2)
    assert folders.content == []
    assert service.stop() == 0
    assert changes(service) == []
    assert folders.content == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--once", "BMS"],
        ["run", "--print-config", "BMS"],
        ["run", "--once", "sim:"],
        ["listen", "--count", "1", "ENDPOINT"],
        ["record", "--duration", "1", "BMS"],
        ["sensors"],
        ["flow"],
        ["--help"],
    ],
    ids=" ".join,
)
def test_no_command_writes_a_file(
    bms: FakeBms, run: Run, start: Start, folders: Folders, arguments: Sequence[str]
) -> None:
    places = {"BMS": bms.url}
    if "ENDPOINT" in arguments:
        places["ENDPOINT"] = run(bms.url).endpoint()
    process = start(*(places.get(word, word) for word in arguments), **folders.options)
    assert process.wait() == 0
    assert process.stdout.text()
    assert changes(process) == []
    assert folders.content == []


def test_what_is_asked_for_is_written_and_seen_here(
    bms: FakeBms, run: Run, folders: Folders, tmp_path: Path
) -> None:
    service = run(
        *("--publish", "ipc://pub", "--state-dir", str(tmp_path / "state")),
        bms.url,
        **folders.options,
    )
    service.message(key="soc")
    assert folders.content == ["cwd/pub", "state/main.energy.json", "state/main.energy.lock"]
    assert service.stop() == 0
    assert folders.content == ["state/main.energy.json", "state/main.energy.lock"]
    assert any("state/main.energy" in change for change in changes(service))
