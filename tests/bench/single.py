"""One BMS: delay at 10 frames a second, memory after an hour's frames, and the start."""

import json
import os
import statistics
import subprocess
import time
from typing import Any

from . import drive
from .processes import (
    RUN,
    UNDER_TEST,
    drained_pipe,
    free_endpoint,
    median_and_range,
    memory_mib,
    percentile,
    process,
    read_json,
    read_line,
    server,
    subscriber,
)


def delays(seconds: int) -> dict[str, dict[str, float]]:
    """Send 10 frames a second, each with another voltage; return how long they take.

    In the process: from its source to both outputs. To a subscriber: from the server, so through
    three processes and the kernel.
    """
    rate = 10
    head, tail = drive.frames(0)[0].split(b'"vbat":')
    messages = [
        head + b'"vbat":%.2f' % (10 + number / 100) + tail[tail.index(b",") :]
        for number in range(seconds * rate)
    ]
    address = free_endpoint()
    topic = "recbms/main/voltage"
    command = ["-m", "tests.bench.timed", "run", "--log-level", "error", "--publish", address]
    with (
        drained_pipe() as stdout,
        subscriber(address, "--times", topic, "--seconds", str(seconds + 3)) as reader,
        server(messages, "--rate", str(rate)) as (url, source),
        process([*command, url], UNDER_TEST, stdout=stdout, stderr=subprocess.PIPE) as running,
    ):
        sent = read_json(source)
        arrived = {value: when for when, value in read_json(reader)["times"]}
        running.terminate()
        inside = json.loads(running.communicate()[1].splitlines()[-1])
    voltages = [10 + number / 100 for number in range(len(sent))]
    both = {
        "in the process": inside,
        "to a subscriber": [
            arrived[voltage] - when
            for voltage, when in zip(voltages, sent, strict=True)
            if voltage in arrived
        ],
    }
    return {
        where: {
            "p50 ms": statistics.median(times[1:]) * 1e3,  # the first frame has more to do
            "p99 ms": percentile(times[1:], 0.99) * 1e3,
            "frames": len(times) - 1,
        }
        for where, times in both.items()
    }


def hour() -> dict[str, float]:
    """Send an hour's frames in a few seconds; return the memory after a minute and at the end."""
    rate = 500
    address = free_endpoint()
    with (
        drained_pipe() as stdout,
        subscriber(address),
        server(drive.frames(3600), "--rate", str(rate)) as (url, source),
        process([*RUN, url, "--publish", address], UNDER_TEST, stdout=stdout) as running,
    ):
        time.sleep(0.5 + 60 / rate)
        minute = memory_mib(running.pid)
        read_line(source)
        return {"MiB after a minute": minute, "MiB after an hour": memory_mib(running.pid)}


def start(python: str) -> dict[str, float]:
    """Return milliseconds from exec to the first line and to the first reading."""
    with server(drive.frames(10), "--rate", "10") as (url, _):
        begin = time.monotonic()
        command = [*RUN, url, "--publish", free_endpoint()]
        with process(command, UNDER_TEST, python, stdout=subprocess.PIPE) as running:
            read_line(running)
            first = time.monotonic() - begin
            while b'"kind":"reading"' not in read_line(running):
                pass
            reading = time.monotonic() - begin
            return {"first line": first * 1e3, "first reading": reading * 1e3}


def cpu_ms(python: str, arguments: list[str]) -> float:
    """Return milliseconds of CPU time that a command takes."""
    with process(arguments, UNDER_TEST, python, stdout=subprocess.DEVNULL) as running:
        used = os.wait4(running.pid, 0)[2]
        running.returncode = 0
    return (used.ru_utime + used.ru_stime) * 1e3


def run(pythons: dict[str, str], *, quick: bool) -> dict[str, Any]:
    """Measure and print."""
    results: dict[str, Any] = {"delays": delays(5 if quick else 20)}
    print("\nOne BMS")
    for where, times in results["delays"].items():
        print(f"delay of a frame at 10 frames/s, {where}: {times}")
    results["hour"] = hour()
    print("an hour's frames:", results["hour"])
    rounds = range(3 if quick else 9)
    commands = {
        "CPU ms of python -c pass": ["-c", "pass"],
        "CPU ms of --version": ["-P", "-m", "recbms_zmq", "--version"],
        "CPU ms of run --help": ["-P", "-m", "recbms_zmq", "run", "--help"],
    }
    starts: dict[str, list[float]] = {}
    for _ in rounds:
        for name, python in pythons.items():
            for what, milliseconds in start(python).items():
                starts.setdefault(f"ms from exec to {what} {name}", []).append(milliseconds)
            for what, arguments in commands.items():
                starts.setdefault(f"{what} {name}", []).append(cpu_ms(python, arguments))
    for what, values in sorted(starts.items()):
        print(f"{what}: {median_and_range(values)}")
    return results | {"start": starts}
