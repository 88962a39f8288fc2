"""Processes of the benchmark: started fresh, pinned to a core, and read from outside."""

import contextlib
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CORES = sorted(os.sched_getaffinity(0))
UNDER_TEST, LOAD = CORES[0], CORES[-1]


@contextlib.contextmanager
def process(arguments: list[str], core: int, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Start a Python process on a core; end it whatever happens."""
    command = ["taskset", "--cpu-list", str(core), sys.executable, *arguments]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, **options)
    try:
        yield running
    finally:
        running.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(5)
        running.kill()
        running.wait()
        for stream in (running.stdin, running.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


@contextlib.contextmanager
def server(messages: list[bytes], *arguments: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Serve messages on the load's core; give the URL."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(pickle.dumps(messages))
        command = ["-m", "tests.bench.server", file.name, *arguments]
        with process(command, LOAD, stdout=subprocess.PIPE) as running:
            yield f"ws://127.0.0.1:{int(line(running))}/ws", running


@contextlib.contextmanager
def subscriber(endpoint: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Subscribe on the load's core; ready when this returns."""
    command = ["-m", "tests.bench.subscriber", endpoint, *arguments]
    with process(command, LOAD, stdout=subprocess.PIPE) as running:
        line(running)
        yield running


@contextlib.contextmanager
def drained() -> Iterator[int]:
    """Give the writing end of a pipe that another process empties."""
    with subprocess.Popen(
        ["taskset", "--cpu-list", str(LOAD), "cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    ) as reader:
        assert reader.stdin is not None
        yield reader.stdin.fileno()
        reader.stdin.close()


def line(running: subprocess.Popen[bytes]) -> bytes:
    """Read a line of a process's output."""
    assert running.stdout is not None
    return running.stdout.readline()


def report(running: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Read the report of a subscriber."""
    answer: dict[str, Any] = json.loads(line(running))
    return answer


def cpu_seconds(pid: int) -> float:
    """Tell how long a process has run on a core, in nanosecond steps."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def memory_mib(pid: int) -> float:
    """Tell the resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
