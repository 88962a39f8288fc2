"""Installs the real programs on first use, into a cache folder outside the checkout.

Each installation is keyed by the hash of its lock file, so that a changed lock file makes a new
one. `python -m e2e.installation` (in tests/) does it ahead of time.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

from support.namespace import can_have_a_network

HERE = Path(__file__).parent
NEWEST = "2026.11"
OLDER = "2025.4"
OLDER_PYTHON = "3.13"
"""Home Assistant's newest version needs Python 3.14, which a Debian testing chroot has; the older
one runs on a Python that is installed here."""

_ENTER = """\
mkdir -p "$1/config" &&
mount --bind "$2" "$1/config" &&
mount --rbind /dev "$1/dev" &&
mount -t proc proc "$1/proc" &&
exec chroot "$1" /venv/bin/python -m homeassistant -c /config --skip-pip
"""


class Missing(Exception):
    """Something that cannot be installed from here; the text names it and the reason."""


def cache_folder() -> Path:
    """Return the folder that keeps the installations."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "recbms-zmq-e2e"
    path.mkdir(parents=True, exist_ok=True)
    return path


def node() -> str:
    """Return the path of Node.js."""
    return _command("node")


@cache
def node_modules() -> Path:
    """Return the folder of Node-RED and its nodes, installed from a package-lock.json.

    It is Node-RED 5 where Node.js is new enough for it, and 4 elsewhere.
    """
    npm = _command("npm")
    done = subprocess.run([node(), "--version"], capture_output=True, text=True, check=True)
    version = done.stdout.strip()
    locks = HERE / ("node-red-5" if int(version[1:].split(".")[0]) >= 22 else "node-red-4")

    def install(path: Path) -> None:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(locks / name, path)
        _run([npm, "ci"], cwd=path)

    lock = (locks / "package-lock.json").read_bytes()
    return _installed("node", lock + version.encode(), install) / "node_modules"


class HomeAssistantProgram(NamedTuple):
    """An installed Home Assistant.

    Attributes:
        version: year and month.
        place: the chroot that it runs in, or the interpreter that it runs on.
        reason: why this is not the newest version, empty if it is.

    """

    version: str
    place: Path
    reason: str = ""

    def command(self, folder: Path) -> list[str]:
        """Return the command that runs it with the configuration in `folder`."""
        if self.version == NEWEST:
            # The mounts are in a namespace of their own: nothing is left when it ends.
            inside = ["sh", "-c", _ENTER, "sh", str(self.place), str(folder)]
            return ["unshare", "--mount", *inside]
        return [str(self.place), "-m", "homeassistant", "-c", str(folder), "--skip-pip"]


@cache
def signalk_modules() -> Path:
    """Return the folder of the Signal K server, installed from a package-lock.json."""
    npm = _command("npm")
    locks = HERE / "signalk"

    def install(path: Path) -> None:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(locks / name, path)
        _run([npm, "ci"], cwd=path)

    lock = (locks / "package-lock.json").read_bytes()
    return _installed("signalk", lock, install) / "node_modules"


@cache
def home_assistant() -> HomeAssistantProgram:
    """Install the newest Home Assistant, or an older one where no chroot can be made.

    `RECBMS_HOME_ASSISTANT=2025.4` asks for the older one.
    """
    if os.environ.get("RECBMS_HOME_ASSISTANT") == OLDER:
        return HomeAssistantProgram(OLDER, _older_home_assistant(), "it was asked for")
    try:
        return HomeAssistantProgram(NEWEST, _newest_home_assistant())
    except Missing as reason:
        return HomeAssistantProgram(OLDER, _older_home_assistant(), str(reason))


def _newest_home_assistant() -> Path:
    """Return a Debian testing chroot with Home Assistant in `/venv`."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        raise Missing("a chroot takes root and unshare")
    debootstrap = _debian("debootstrap", "/usr/sbin/debootstrap")
    requirements = HERE / f"home-assistant-{NEWEST}.txt"

    def install(path: Path) -> None:
        packages = "--include=ca-certificates,python3,python3-venv"
        _run([debootstrap, "--variant=minbase", packages, "testing", str(path)])
        shutil.copy(requirements, path / "requirements.txt")
        shutil.copy("/etc/resolv.conf", path / "etc" / "resolv.conf")
        certificates = Path("/etc/ssl/certs/ca-certificates.crt")
        if certificates.exists():
            shutil.copy(certificates, path / str(certificates)[1:])
        # Two of its packages, of the voice assistant that its frontend loads, have no wheels.
        compiler = "g++ python3-dev"
        steps = (
            f"apt-get install -y -qq --no-install-recommends {compiler}",
            "python3 -m venv /venv",
            "/venv/bin/pip install -q uv",
            "VIRTUAL_ENV=/venv /venv/bin/uv pip install -q --no-deps -r /requirements.txt",
            f"apt-get purge -y -qq --autoremove {compiler}",
            "rm -rf /root/.cache /var/cache/apt/archives/*.deb",
        )
        _run(["chroot", str(path), "sh", "-c", " && ".join(steps)])

    return _installed("home-assistant-newest", requirements.read_bytes(), install)


def _older_home_assistant() -> Path:
    """Return an interpreter that has the older Home Assistant."""
    interpreter = _interpreter()
    requirements = HERE / f"home-assistant-{OLDER}.txt"

    def install(path: Path) -> None:
        uv = shutil.which("uv")
        if uv is None:
            _run([sys.executable, "-m", "venv", str(path / "uv")])
            uv = str(path / "uv" / "bin" / "uv")
            _run([str(path / "uv" / "bin" / "python"), "-m", "pip", "install", "-q", "uv"])
        environment = {**os.environ, "VIRTUAL_ENV": str(path / "venv")}
        _run([uv, "venv", "-q", "--python", interpreter, str(path / "venv")])
        command = [uv, "pip", "install", "-q", "--no-deps", "-r", str(requirements)]
        _run(command, env=environment)

    lock = requirements.read_bytes() + interpreter.encode()
    return _installed("home-assistant-older", lock, install) / "venv" / "bin" / "python"


def mosquitto() -> str:
    """Return the path of the broker, installed from Debian's packages if need be."""
    return _debian("mosquitto", "/usr/sbin/mosquitto")


def nats_server() -> str:
    """Return the path of the NATS server, installed in the same way."""
    return _debian("nats-server", "/usr/sbin/nats-server")


def redis_server() -> str:
    """Return the path of the Redis server, installed in the same way; redis-cli comes with it."""
    return _debian("redis-server", "/usr/bin/redis-server")


def prometheus() -> str:
    """Return the path of Prometheus, installed in the same way; promtool comes with it."""
    return _debian("prometheus", "/usr/bin/prometheus")


def jq() -> str:
    """Return the path of jq, installed in the same way."""
    return _debian("jq", "/usr/bin/jq")


def strace() -> str:
    """Return the path of strace, installed in the same way."""
    return _debian("strace", "/usr/bin/strace")


def valgrind() -> str:
    """Return the path of valgrind, installed in the same way."""
    return _debian("valgrind", "/usr/bin/valgrind")


def system_python() -> None:
    """See that Debian's own Python is here, which a stranger has."""
    if not Path("/usr/bin/python3").exists():
        raise Missing("Debian's Python is not here")


def network_namespaces() -> None:
    """See that tests can have networks of their own."""
    if not can_have_a_network():
        raise Missing("networks of their own take root, and Linux's namespaces")


def chromium() -> str:
    """Return the path of the browser, installed from Debian's packages if need be."""
    return _debian("chromium", "/usr/bin/chromium")


def _command(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise Missing(f"{name} is not installed")
    return path


def _debian(package: str, path: str) -> str:
    found = shutil.which(package) or (path if Path(path).exists() else None)
    if found is not None:
        return found
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise Missing(f"{package} is not installed, and we are not root on Debian")
    _run([apt, "update", "-q"])
    _run([apt, "install", "-q", "-y", "--no-install-recommends", package])
    return path


def _interpreter() -> str:
    versions = Path.home() / ".pyenv" / "versions"
    candidates = [shutil.which(f"python{OLDER_PYTHON}")]
    candidates += sorted(str(path) for path in versions.glob(f"{OLDER_PYTHON}.*/bin/python"))
    for candidate in filter(None, candidates):
        # pyenv's shims are on the PATH also for versions that are not switched on.
        done = subprocess.run([candidate, "--version"], capture_output=True, check=False)
        if done.returncode == 0:
            return str(Path(candidate).resolve())
    raise Missing(f"no Python {OLDER_PYTHON} for Home Assistant")


def _installed(name: str, lock: bytes, install: Callable[[Path], None]) -> Path:
    path = cache_folder() / f"{name}-{hashlib.sha256(lock).hexdigest()[:16]}"
    complete = path / "complete"
    with _locked(cache_folder() / f"{name}.lock"):
        if not complete.exists():
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()
            install(path)
            complete.touch()
    return path


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode != 0:
        raise Missing(f"{' '.join(command)} failed: {done.stdout[-500:]}{done.stderr[-1500:]}")


if __name__ == "__main__":
    print(node_modules(), home_assistant(), mosquitto(), chromium(), sep="\n")
