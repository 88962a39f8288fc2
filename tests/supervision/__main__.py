"""Makes the container, boots it, and prints what the probe in it found."""

import contextlib
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from support.pages import ROOT, block

CONFIG: Final = """\
publish = ["tcp://127.0.0.1:15556", "ipc:///run/recbms-zmq/pub"]
ipc_mode = "0660"
[[bms]]
url = "sim:?rate=2"
"""
MQTT: Final = "MQTT_HOST=127.0.0.1\nMQTT_PORT=11883\nMQTT_CLIENT_ID=bridge\n"
BROKER: Final = "listener 11883 127.0.0.1\nallow_anonymous true\n"
PROBE: Final = "[Service]\nExecStart=/usr/bin/python3 /probe.py\nStandardOutput=file:/results\n"
BLOCKS: Final = {
    "install": "service install",
    "start": "service start",
    "mqtt": "mqtt service",
    "mqtt_update": "mqtt update",
    "mqtt_uninstall": "mqtt uninstall",
    "update": "update service",
    "uninstall": "uninstall service",
}
# We are root, and the editor puts in place what an owner would write.
PRELUDE: Final = """\
cd /source
sudo() { "$@"; }
nano() { cat "/written/$(basename "$1")" > "$1"; }
"""


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
    """Put the commands of the pages in place, and type those that need no systemd."""
    source = root / "source"
    source.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "x", "-C", str(source)], input=archive.stdout, check=True)
    (root / "written").mkdir()
    for name, text in {"config.toml": CONFIG, "mqtt.env": MQTT, "mosquitto.conf": BROKER}.items():
        (root / "written" / name).write_text(text)
    for name, mark in BLOCKS.items():
        (root / f"{name}.sh").write_text(PRELUDE + block(mark))
    words = ["chroot", str(root), "bash", "-euo", "pipefail", "/install.sh"]
    subprocess.run(words, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, check=True)
    units = root / "etc/systemd/system"
    (units / "probe.service").write_text(PROBE)
    (root / "probe.py").write_text(Path(__file__).with_name("probe.py").read_text())
    wants = units / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "probe.service").symlink_to("../probe.service")


def main() -> int:
    """Run it; return 0 if everything was as the pages describe it."""
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
