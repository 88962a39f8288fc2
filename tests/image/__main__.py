"""Builds the image and looks at its health, its volume, its user and its end; runs compose.yaml."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from support.pages import ROOT

FOLDER: Final = ROOT / "flows" / "service"
PACKAGES: Final = "python3,python3-venv,ca-certificates"
# As on the page, but for what a machine without cgroups and network rights cannot do.
RUN: Final = (
    *("--detach", "--read-only", "--cap-drop", "ALL", "--network", "host"),
    *("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"),
    *("--volume", "recbms-zmq:/var/lib/recbms-zmq"),
)
INDEX_SETTINGS: Final = ("etc/pip.conf", "etc/ssl/certs/ca-certificates.crt")


class Podman:
    """podman with a storage of its own."""

    def __init__(self, folder: Path) -> None:
        self.options = f"--root {folder}/storage --runroot {folder}/run --runtime runc"
        self._words = ["podman", *self.options.split()]

    def __call__(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([*self._words, *words], capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            sys.exit(f"podman {' '.join(words)}: {done.stdout}{done.stderr}")
        return done


failures = 0


def expect(what: str, condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for a condition; print whether it came, and when."""
    global failures  # noqa: PLW0603
    began = time.monotonic()
    while not (found := condition()) and time.monotonic() - began < seconds:
        time.sleep(0.2)
    failures += not found
    print("ok  " if found else "FAIL", what, f"({time.monotonic() - began:.2f} s)", flush=True)


def install_debian(root: Path) -> None:
    """Install what the base image needs."""
    words = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "trixie", str(root)]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def base_image(root: Path, folder: Path, podman: Podman) -> None:
    """Make the image that the Dockerfile builds on."""
    python = root / "usr/bin/python"
    if not python.is_symlink():
        python.symlink_to("python3")
    for name in INDEX_SETTINGS:  # how this machine reaches the package index
        if Path("/", name).exists():
            shutil.copy(Path("/", name), root / name)
    archive = folder / "root.tar"
    words = ["tar", "-C", str(root), "--exclude=./proc/*", "--exclude=./sys/*", "-cf"]
    subprocess.run([*words, str(archive), "."], check=True)
    podman("import", str(archive), "docker.io/library/python:3.13-slim")


def build(folder: Path, podman: Podman) -> None:
    """Build the image from a copy of the folder with the wheel in it."""
    context = folder / "service"
    shutil.copytree(FOLDER, context)
    for wheel in context.glob("*.whl"):
        wheel.unlink()
    (context / "secret.txt").write_text("not for the builder")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
    subprocess.run([*pip, str(context), str(ROOT)], check=True)
    options = "--isolation chroot --network host --pull-never --format docker --tag recbms-zmq"
    podman("build", *options.split(), str(context))


def health(podman: Podman) -> tuple[int, str]:
    """Run the health check of the image; return its exit code and what the container keeps."""
    code = podman("healthcheck", "run", "battery", check=False).returncode
    [container] = json.loads(podman("inspect", "battery").stdout)
    return code, container["State"]["Health"]["Log"][-1]["Output"]


def look(podman: Podman) -> None:
    """Run it with a battery that sleeps, then with one that does not."""
    print(podman("run", "--rm", *RUN[1:], "localhost/recbms-zmq", "--version").stdout.strip())
    image = "localhost/recbms-zmq"

    def start(source: str) -> None:
        podman("run", *RUN, "--name", "battery", "--env", f"RECBMS_SOURCES={source}", image)

    def stop() -> int:
        podman("stop", "battery")
        code = int(podman("inspect", "--format", "{{.State.ExitCode}}", "battery").stdout)
        podman("rm", "battery")
        return code

    start("ws://127.0.0.1:9/ws")
    expect("healthy while the battery sleeps", lambda: health(podman)[0] == 0)
    expect("and its line names that", lambda: "offline" in health(podman)[1], 0)
    expect("it ends with 0", lambda: stop() == 0, 0)

    start("sim:?rate=2")
    expect("healthy while the battery is online", lambda: health(podman)[0] == 0)
    expect("and its line names that", lambda: "online" in health(podman)[1])
    owner = podman("exec", "battery", "stat", "-c", "%u", "/var/lib/recbms-zmq").stdout.strip()
    expect("the volume belongs to the user of the program", lambda: owner == "10001", 0)
    time.sleep(3)  # so that there is some energy to keep
    expect("it ends with 0", lambda: stop() == 0, 0)
    volume = Path(
        podman("volume", "inspect", "--format", "{{.Mountpoint}}", "recbms-zmq").stdout.strip()
    )
    expect("the energy counters are kept", (volume / "main.energy.json").exists, 0)
    start("sim:?rate=2")
    expect("the next one takes them over", lambda: health(podman)[0] == 0)
    expect("it ends with 0", lambda: stop() == 0, 0)

    find = [*RUN[1:], "--entrypoint", "find", image, "/", "-xdev", "-name", "secret.txt"]
    listing = podman("run", "--rm", *find, check=False)  # some folders are for root only
    expect("nothing but the wheel was sent", lambda: listing.stdout == "", 0)


COMPOSE: Final = """
ip link set lo up
podman-compose --podman-run-args="--ulimit nofile=1024:1024 --ulimit nproc=1000:1000" \\
    --file compose.yaml up --detach --no-build
"$PYTHON" -m recbms_zmq check --brief --timeout 30 tcp://127.0.0.1:5556
code=$?
podman-compose --file compose.yaml down --volumes
exit $code
"""


def compose(folder: Path, podman: Podman) -> None:
    """Run compose.yaml, with a simulated battery, in a network of its own."""
    if shutil.which("podman-compose") is None:
        print("skip compose.yaml: podman-compose is not installed", flush=True)
        return
    context = folder / "service"
    path = context / "compose.yaml"
    path.write_text(path.read_text().replace("ws://192.168.8.2/ws", "sim:"))
    # podman-compose finds podman on the path; it has to be the one with this storage.
    wrapper = folder / "bin" / "podman"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("podman")} {podman.options} "$@"\n')
    wrapper.chmod(0o755)
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", COMPOSE],
        cwd=context,
        env={
            "PATH": f"{wrapper.parent}:{os.environ['PATH']}",
            "PYTHON": sys.executable,
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        print(done.stdout, done.stderr, sep="\n")
    expect("compose.yaml serves this machine", lambda: done.returncode == 0, 0)


def main() -> int:
    """Build and run it; return 0 if everything was as the page describes it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        podman = Podman(folder)
        if len(sys.argv) > 1:
            root = Path(sys.argv[1])
        else:
            root = folder / "root"
            install_debian(root)
        base_image(root, folder, podman)
        build(folder, podman)
        try:
            look(podman)
            compose(folder, podman)
        finally:
            podman("rm", "--all", "--force", check=False)
            podman("system", "reset", "--force", check=False)
    print("FAIL" if failures else "PASS", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
