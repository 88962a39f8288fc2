"""The real command in a process of its own, with its output collected line by line."""

import contextlib
import fcntl
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import recbms_zmq
from support.waiting import PATIENCE

_T = TypeVar("_T")

PACKAGE_PARENT: Final = str(Path(recbms_zmq.__file__).parents[1])
# Variables meant for other programs must not change what this one does.
_FOREIGN: Final = (
    "RECBMS_",
    "PYTHONUNBUFFERED",
    "JOURNAL_STREAM",
    "NOTIFY_SOCKET",
    "STATE_DIRECTORY",
    "WATCHDOG_",
)


def command(*arguments: str) -> list[str]:
    """Return the words that start the command."""
    return [sys.executable, "-m", "recbms_zmq", *arguments]


def environment(**changes: str) -> dict[str, str]:
    """Return the environment for the command."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
    return {**kept, "PYTHONPATH": PACKAGE_PARENT, "PYTHONWARNINGS": "error", **changes}


def without_package(name: str, folder: Path) -> dict[str, str]:
    """Return changes to the environment in which a package is not installed."""
    (folder / f"{name}.py").write_text("raise ImportError('not installed')", encoding="utf-8")
    return {"PYTHONPATH": f"{folder}:{PACKAGE_PARENT}"}


def small_pipe(*, room: int = 4096) -> tuple[int, int]:
    """Return our end and the command's; it takes no more bytes than this until it is read."""
    ours, theirs = os.pipe()
    size = fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
    os.write(theirs, b"\n" * (size - room))
    return ours, theirs


def socket_pair() -> tuple[int, int]:
    """Return our end and the command's: what Node-RED's exec node gives."""
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


def terminal() -> tuple[int, int]:
    """Return our end and the command's: what a person sits at."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)  # else it puts a carriage return before every newline
    return ours, theirs


class Lines:
    """Lines that a thread reads as they come."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._condition = threading.Condition()
        self._lines: list[bytes] = []
        self._ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __iter__(self) -> Any:
        with self._condition:
            return iter(list(self._lines))

    def __len__(self) -> int:
        with self._condition:
            return len(self._lines)

    def until(self, find: Callable[[list[bytes]], _T], what: str) -> _T:
        """Wait until `find` finds something true in the lines; return that."""
        deadline = time.monotonic() + PATIENCE
        with self._condition:
            while not (found := find(self._lines)):
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    why = "it ended" if self._ended else f"not within {PATIENCE:g} s"
                    raise AssertionError(f"{what}: {why}; the last lines: {self._lines[-10:]}")
                self._condition.wait(left)
            return found

    def line(self, *texts: str) -> str:
        """Wait for a line that holds all of these texts; return it."""

        def find(lines: list[bytes]) -> str | None:
            return next(
                (line.decode() for line in lines if all(t.encode() in line for t in texts)), None
            )

        return self.until(find, f"a line with {texts}") or ""

    def all(self) -> list[bytes]:
        """Wait for the end; return all lines, without their newlines."""
        self._thread.join(PATIENCE)
        assert self._ended, "the stream did not end"
        return list(self)

    def text(self) -> str:
        """Wait for the end; return everything as a text."""
        return "".join(line.decode() + "\n" for line in self.all())

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # a terminal ends with EIO
            for line in self._stream:
                with self._condition:
                    self._lines.append(line.rstrip(b"\n"))
                    self._condition.notify_all()
        with self._condition:
            self._ended = True
            self._condition.notify_all()
        self._stream.close()


class Command:
    """A running `recbms-zmq`.

    Args:
        arguments: of the command.
        stdin, stdout, stderr: as for `subprocess.Popen`; pipes out are read by threads.
        env: changes to the environment.
        python: words to start instead of `python -m recbms_zmq`.
        options: others of `subprocess.Popen`.

    """

    def __init__(
        self,
        *arguments: str,
        stdin: Any = subprocess.DEVNULL,
        stdout: Any = subprocess.PIPE,
        stderr: Any = subprocess.PIPE,
        env: Mapping[str, str] | None = None,
        python: list[str] | None = None,
        **options: Any,
    ) -> None:
        words = command(*arguments) if python is None else [*python, *arguments]
        self._process = subprocess.Popen(
            words,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=environment(**(env or {})),
            **options,
        )
        self._stdout = Lines(self._process.stdout) if self._process.stdout else None
        self._stderr = Lines(self._process.stderr) if self._process.stderr else None

    @property
    def stdout(self) -> Lines:
        assert self._stdout is not None, "stdout is no pipe"
        return self._stdout

    @property
    def stderr(self) -> Lines:
        assert self._stderr is not None, "stderr is no pipe"
        return self._stderr

    @property
    def stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None, "stdin is no pipe"
        return self._process.stdin

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def memory(self) -> int:
        """Resident memory in bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @property
    def cpu_seconds(self) -> float:
        """Processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2]
        return sum(map(int, fields.split()[11:13])) / os.sysconf("SC_CLK_TCK")

    @property
    def wakeups(self) -> dict[str, int]:
        """How often each thread has gone to sleep so far, by its number."""
        counts = {}
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            text = (task / "status").read_text(encoding="ascii")
            counts[task.name] = int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
        return counts

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The lines of stdout until now."""
        return [json.loads(line) for line in self.stdout]

    @property
    def availability(self) -> list[str]:
        """The payloads of the availability until now."""
        return [m["payload"] for m in self.messages if m["kind"] == "availability"]

    def log(self, text: str) -> list[str]:
        """Return the lines of stderr until now that hold a text, without date and level."""
        return [line.decode().split(" ", 3)[3] for line in self.stderr if text in line.decode()]

    def message(self, **fields: Any) -> dict[str, Any]:
        """Wait for a line of stdout in which these fields are so; return it as an object."""
        return self.messages_until(lambda message: matches(message, fields), str(fields))[-1]

    def messages_until(
        self, last: Callable[[dict[str, Any]], bool], what: str = "a message"
    ) -> list[dict[str, Any]]:
        """Wait for a line of stdout; return it and all before it."""
        seen: list[dict[str, Any]] = []

        def find(lines: list[bytes]) -> bool:
            while len(seen) < len(lines):
                seen.append(json.loads(lines[len(seen)]))
                if last(seen[-1]):
                    return True
            return False

        self.stdout.until(find, what)
        return seen

    def endpoint(self, number: int = 0) -> str:
        """Wait until it publishes; return where."""
        lines = self.stderr.until(
            lambda lines: [x for x in lines if b"publishing on " in x][number:], "publishing"
        )
        return lines[0].decode().partition("publishing on ")[2]

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait for the end; return the exit code."""
        return self._process.wait(PATIENCE)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; return the exit code."""
        self.send_signal(number)
        return self.wait()

    def clean_up(self) -> None:
        """Leave nothing of it behind."""
        if self.is_running:
            self._process.kill()
        self._process.wait(PATIENCE)
        if self._process.stdin:
            self._process.stdin.close()
        for lines in (self._stdout, self._stderr):
            if lines is not None:
                lines.all()


def matches(message: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Return whether a message has these values in these fields."""
    return all(message.get(name) == value for name, value in fields.items())
