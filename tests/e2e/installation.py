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

HERE = Path(__file__).parent
HOME_ASSISTANT_PYTHON = "3.13"


class Missing(Exception):
    """Something that cannot be installed from here; the text says what and why."""


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
def home_assistant_python() -> Path:
    """Return an interpreter that has Home Assistant, installed from home-assistant.txt."""
    interpreter = _interpreter()

    def install(path: Path) -> None:
        uv = shutil.which("uv")
        if uv is None:
            _run([sys.executable, "-m", "venv", str(path / "uv")])
            uv = str(path / "uv" / "bin" / "uv")
            _run([str(path / "uv" / "bin" / "python"), "-m", "pip", "install", "-q", "uv"])
        environment = {**os.environ, "VIRTUAL_ENV": str(path / "venv")}
        _run([uv, "venv", "-q", "--python", interpreter, str(path / "venv")])
        requirements = str(HERE / "home-assistant.txt")
        _run([uv, "pip", "install", "-q", "--no-deps", "-r", requirements], env=environment)

    lock = (HERE / "home-assistant.txt").read_bytes() + interpreter.encode()
    return _installed("home-assistant", lock, install) / "venv" / "bin" / "python"


def mosquitto() -> str:
    """Return the path of the broker, installed from Debian's packages if need be."""
    return _debian("mosquitto", "/usr/sbin/mosquitto")


def nats_server() -> str:
    """Return the path of the NATS server, installed in the same way."""
    return _debian("nats-server", "/usr/sbin/nats-server")


def redis_server() -> str:
    """Return the path of the Redis server, installed in the same way; redis-cli comes with it."""
    return _debian("redis-server", "/usr/bin/redis-server")


def jq() -> str:
    """Return the path of jq, installed in the same way."""
    return _debian("jq", "/usr/bin/jq")


def strace() -> str:
    """Return the path of strace, installed in the same way."""
    return _debian("strace", "/usr/bin/strace")


def valgrind() -> str:
    """Return the path of valgrind, installed in the same way."""
    return _debian("valgrind", "/usr/bin/valgrind")


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
    candidates = [shutil.which(f"python{HOME_ASSISTANT_PYTHON}")]
    candidates += sorted(
        str(path) for path in versions.glob(f"{HOME_ASSISTANT_PYTHON}.*/bin/python")
    )
    for candidate in filter(None, candidates):
        # pyenv's shims are on the PATH also for versions that are not switched on.
        done = subprocess.run([candidate, "--version"], capture_output=True, check=False)
        if done.returncode == 0:
            return str(Path(candidate).resolve())
    raise Missing(f"no Python {HOME_ASSISTANT_PYTHON} for Home Assistant")


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
    print(node_modules(), home_assistant_python(), mosquitto(), sep="\n")
