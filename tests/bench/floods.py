"""Floods: frames as fast as a process takes them."""

import statistics
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
    process,
    read_json,
    read_line,
    server,
    subscriber,
    usage,
)

LIMIT = "the limit"
VARIANTS: dict[str, list[str]] = {
    LIMIT: [],
    "--report all": ["--report", "all"],
    "--report changes": [],
    "--emit snapshot": ["--emit", "snapshot"],
}
Results = dict[str, float]


def measure(variant: str, python: str, messages: list[bytes]) -> Results:
    """Flood one process; return what it took until the last message was at the subscriber."""
    address = free_endpoint()
    with (
        drained_pipe() as stdout,
        subscriber(address) as reader,
        server(messages) as (url, source),
    ):
        if variant == LIMIT:
            command = ["-m", "tests.bench.limit", url, address]
        else:
            command = [*RUN, url, "--publish", address, "--hwm", "1000000", *VARIANTS[variant]]
        with process(command, UNDER_TEST, python, stdout=stdout) as running:
            read_line(source)  # connected
            time.sleep(0.5)  # both ends of ZeroMQ find each other
            before, start = usage(running.pid), time.monotonic()
            assert source.stdin is not None
            source.stdin.write(b"go\n")
            source.stdin.flush()
            seen = read_json(reader)
            cpu = usage(running.pid).cpu - before.cpu
            took = seen["end"] - start
            return {
                "frames/s": len(messages) / took,
                "messages/s": seen["messages"] / took,
                "cpu us/frame": cpu / len(messages) * 1e6,
                "cpu us/message": cpu / seen["messages"] * 1e6,
                "MiB": memory_mib(running.pid),
                "lost": seen["lost"],
            }


def run(pythons: dict[str, str], *, quick: bool) -> dict[str, Any]:
    """Measure all variants, in turns; print a table."""
    rounds, count = (2, 3000) if quick else (5, 12_000)
    messages = drive.frames(count)
    contenders = {
        f"{variant} {name}".strip(): (variant, python)
        for variant in VARIANTS
        for name, python in pythons.items()
        if variant != LIMIT or not name
    }
    measured: dict[str, list[Results]] = {name: [] for name in contenders}
    order = list(contenders)
    for number in range(rounds):
        for name in order[number % len(order) :] + order[: number % len(order)]:
            measured[name].append(measure(*contenders[name], messages))
    limit = measured[LIMIT]
    columns = list(limit[0])
    print(f"\nFloods of {count} frames, {rounds} rounds: median (range)")
    width = max(map(len, contenders))
    print(
        " " * width + "".join(f"{column:>28}" for column in columns) + "  of its rate  of its work"
    )
    for name, runs in measured.items():
        cells = (median_and_range([each[column] for each in runs]) for column in columns)
        rate = _median(runs, "frames/s") / _median(limit, "frames/s")
        work = _median(limit, "cpu us/frame") / _median(runs, "cpu us/frame")
        print(
            f"{name:{width}}"
            + "".join(f"{cell:>28}" for cell in cells)
            + f"{rate:13.2f}{work:13.2f}"
        )
    return measured


def _median(runs: list[Results], column: str) -> float:
    return statistics.median(each[column] for each in runs)
