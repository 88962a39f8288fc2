"""Makes the container, boots it, and prints what the probe in it found."""

import contextlib
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CONFIG: Final = """\
publish = ["tcp://127.0.0.1:15556", "ipc:///run/recbms-zmq/pub"]
ipc_mode = "0660"
[[bms]]
url = "sim:?rate=2"
"""
PROBE: Final = "[Service]\nExecStart=/usr/bin/python3 /probe.py\nStandardOutput=file:/results\n"


def run(words: str, *more: str) -> None:
    subprocess.run([*shlex.split(words), *more], check=True)


@contextlib.contextmanager
def system() -> Iterator[Path]:
    """Give a copy of this system that can be changed; it lives in memory."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        root, layer = Path(name) / "root", Path(name) / "layer"
        root.mkdir()
        layer.mkdir()
        run("mount -t tmpfs tmpfs", str(layer))
        stack.callback(run, "umount", str(layer))
        for part in ("upper", "work"):
            (layer / part).mkdir()
        options = f"lowerdir=/,upperdir={layer}/upper,workdir={layer}/work"
        run(f"mount -t overlay overlay -o {options}", str(root))
        stack.callback(run, "umount", str(root))
        yield root


def install(root: Path) -> None:
    """Do what the README says."""
    source = root / "source"
    source.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "x", "-C", str(source)], input=archive.stdout, check=True)
    inside = ["chroot", str(root)]
    for command in (
        "/usr/bin/python3 -m venv /opt/recbms-zmq",
        "/opt/recbms-zmq/bin/pip install --quiet /source",
        "groupadd --system recbms",
        "install --directory --mode 750 --group recbms /etc/recbms-zmq",
    ):
        subprocess.run([*inside, *command.split()], check=True)
    config = root / "etc/recbms-zmq/config.toml"
    config.write_text(CONFIG)
    config.chmod(0o640)
    subprocess.run([*inside, "chgrp", "recbms", "/etc/recbms-zmq/config.toml"], check=True)
    units = root / "etc/systemd/system"
    (units / "recbms-zmq.service").write_text(unit_file())
    (units / "probe.service").write_text(PROBE)
    (root / "probe.py").write_text(Path(__file__).with_name("probe.py").read_text())
    wants = units / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "probe.service").symlink_to("../probe.service")


def unit_file() -> str:
    found = re.search(
        r"<!-- unit file -->\n```ini\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    assert found, "the README has no unit file"
    return found[1]


def main() -> int:
    """Run it; return 0 if everything was as the README says."""
    with system() as root:
        install(root)
        boot = "systemd-nspawn --quiet --register=no --keep-unit --boot"
        words = [*boot.split(), "--directory", str(root), "systemd.unit=multi-user.target"]
        with (root / "boot.log").open("w") as log:
            subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=300, check=False
            )
        results = root / "results"
        found = results.read_text() if results.exists() else (root / "boot.log").read_text()
    print(found)
    return 0 if found.rstrip().endswith("PASS") else 1


if __name__ == "__main__":
    sys.exit(main())
