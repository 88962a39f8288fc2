"""Processes of the benchmark: started fresh, bound to a core, and observed from outside."""

import contextlib
import json
import os
import pickle
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

Process = subprocess.Popen[bytes]

CORES = sorted(os.sched_getaffinity(0))
UNDER_TEST, LOAD = CORES[0], CORES[-1]
RUN = ["-P", "-m", "recbms_zmq", "run", "--log-level", "error"]
"""The service. With -P its package is the installed one, not the one of the current folder."""


@contextlib.contextmanager
def process(
    arguments: list[str], core: int, python: str = sys.executable, **options: Any
) -> Iterator[Process]:
    """Start a Python process on a core; end it whatever happens."""
    command = ["taskset", "--cpu-list", str(core), python, *arguments]
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
def server(messages: list[bytes], *arguments: str) -> Iterator[tuple[str, Process]]:
    """Serve messages on the load's core; yield the URL."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(pickle.dumps(messages))
        command = ["-m", "tests.bench.server", file.name, *arguments]
        with process(command, LOAD, stdout=subprocess.PIPE) as running:
            scheme = "wss" if "--certificate" in arguments else "ws"
            yield f"{scheme}://127.0.0.1:{int(read_line(running))}/ws", running


@contextlib.contextmanager
def subscriber(endpoint: str, *arguments: str, module: str = "subscriber") -> Iterator[Process]:
    """Subscribe on the load's core; ready when this yields."""
    command = ["-m", f"tests.bench.{module}", endpoint, *arguments]
    with process(command, LOAD, stdout=subprocess.PIPE) as running:
        read_line(running)
        yield running


@contextlib.contextmanager
def drained_pipe() -> Iterator[int]:
    """Yield the write end of a pipe that another process empties."""
    with subprocess.Popen(
        ["taskset", "--cpu-list", str(LOAD), "cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    ) as reader:
        assert reader.stdin is not None
        yield reader.stdin.fileno()
        reader.stdin.close()


def free_endpoint() -> str:
    """Return a ZeroMQ address that is free."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def read_line(running: Process) -> bytes:
    """Read a line of a process's output."""
    assert running.stdout is not None
    return running.stdout.readline()


def read_json(running: Process) -> Any:
    """Read a line of JSON of a process's output."""
    return json.loads(read_line(running))


def ask(running: Process) -> Any:
    """Write an empty line to a process; return its answer, a line of JSON."""
    assert running.stdin is not None
    running.stdin.write(b"\n")
    running.stdin.flush()
    return read_json(running)


class Usage(NamedTuple):
    """What a process, all threads, has used so far.

    Attributes:
        cpu: seconds on a core.
        wakeups: voluntary context switches: how often a thread went to sleep and was woken.

    """

    cpu: float
    wakeups: int


def usage(pid: int) -> Usage:
    """Return what a process has used."""
    cpu = wakeups = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        cpu += int((task / "schedstat").read_text().split()[0])
        status = (task / "status").read_text()
        wakeups += int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return Usage(cpu / 1e9, wakeups)


def memory_mib(pid: int) -> float:
    """Return the resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def percentile(values: list[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def median_and_range(values: list[float]) -> str:
    """Format the median and the range."""
    low, median, high = min(values), statistics.median(values), max(values)
    places = 1 if median < 1000 else 0
    return f"{median:,.{places}f} ({low:,.{places}f}-{high:,.{places}f})"
