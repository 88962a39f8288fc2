"""Runs the benchmark and prints its tables; see the package's docstring for what it compares."""

import argparse
import importlib.metadata
import json
import platform
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from . import drive
from .processes import (
    UNDER_TEST,
    cpu_seconds,
    drained,
    line,
    memory_mib,
    process,
    report,
    server,
    subscriber,
)

RUN = ["-m", "recbms_zmq", "run", "--log-level", "error"]
LIMIT = "the limit"
VARIANTS: dict[str, list[str]] = {
    LIMIT: [],
    "--report all": ["--report", "all"],
    "--report changes": [],
    "--emit snapshot": ["--emit", "snapshot"],
}
RATIOS = "  of its rate  of its work"
Results = dict[str, Any]


def endpoint() -> str:
    """Return a ZeroMQ address that is free."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def throughput(variant: str, messages: list[bytes]) -> Results:
    """Flood one process with frames; return what it took until the last was at the subscriber."""
    address = endpoint()
    with (
        drained() as stdout,
        subscriber(address) as reader,
        server(messages) as (url, source),
    ):
        if variant == LIMIT:
            command = ["-m", "tests.bench.limit", url, address]
        else:
            command = [*RUN, url, "--publish", address, "--hwm", "1000000", *VARIANTS[variant]]
        with process(command, UNDER_TEST, stdout=stdout) as running:
            line(source)  # connected
            time.sleep(0.5)  # let both ends of ZeroMQ find each other
            cpu, start = cpu_seconds(running.pid), time.monotonic()
            assert source.stdin is not None
            source.stdin.write(b"go\n")
            source.stdin.flush()
            seen = report(reader)
            cpu = cpu_seconds(running.pid) - cpu
            took = seen["end"] - start
            return {
                "frames/s": len(messages) / took,
                "messages/s": seen["messages"] / took,
                "cpu us/frame": cpu / len(messages) * 1e6,
                "cpu us/message": cpu / seen["messages"] * 1e6,
                "MiB": memory_mib(running.pid),
                "lost": seen["lost"],
            }


def latency(seconds: int) -> Results:
    """Send 10 frames a second, each with another voltage; return the times they take.

    Those in the process, from its source to both outputs; and those from the sender to a
    subscriber, which are three processes and the kernel between them.
    """
    rate = 10
    status = drive.frames(0)[0]
    head, tail = status.split(b'"vbat":')
    messages = [
        head + b'"vbat":%.2f' % (10 + number / 100) + tail[tail.index(b",") :]
        for number in range(seconds * rate)
    ]
    address = endpoint()
    topic = "recbms/main/voltage"
    command = ["-m", "tests.bench.timed", *RUN[2:], "--publish", address]
    with (
        drained() as stdout,
        subscriber(address, "--times", topic, "--seconds", str(seconds + 3)) as reader,
        server(messages, "--rate", str(rate), "--log") as (url, source),
        process([*command, url], UNDER_TEST, stdout=stdout, stderr=subprocess.PIPE) as running,
    ):
        sent = json.loads(line(source))
        arrived = {value: when for when, value in report(reader)["times"]}
        running.terminate()
        inside = json.loads(running.communicate()[1].splitlines()[-1])
    # The first frame has much to do that no other has.
    both = {
        "in the process": inside[1:],
        "to a subscriber": [
            arrived[10 + n / 100] - when for n, when in enumerate(sent) if 10 + n / 100 in arrived
        ][1:],
    }
    return {
        where: {
            "p50 ms": statistics.median(times) * 1e3,
            "p99 ms": sorted(times)[int(len(times) * 0.99)] * 1e3,
            "frames": len(times),
        }
        for where, times in both.items()
    }


def hour() -> Results:
    """Send an hour's frames, one a second, in a few seconds; return the memory on the way."""
    rate = 500
    address = endpoint()
    with (
        drained() as stdout,
        subscriber(address),
        server(drive.frames(3600), "--rate", str(rate), "--log") as (url, source),
        process([*RUN, url, "--publish", address], UNDER_TEST, stdout=stdout) as running,
    ):
        time.sleep(0.5 + 60 / rate)
        minute = memory_mib(running.pid)
        line(source)
        return {"MiB after a minute": minute, "MiB after an hour": memory_mib(running.pid)}


def start_up() -> float:
    """Return milliseconds from exec to the first reading on stdout."""
    with server(drive.frames(10), "--rate", "10") as (url, _):
        begin = time.monotonic()
        command = [*RUN, url, "--publish", endpoint()]
        with process(command, UNDER_TEST, stdout=subprocess.PIPE) as running:
            while b'"kind":"reading"' not in line(running):
                pass
            return (time.monotonic() - begin) * 1e3


def fleet(size: int, seconds: int) -> Results:
    """Read `size` BMS at one frame a second in one process."""
    connecting = 5 + size // 100
    messages = drive.stamped(drive.frames(seconds + 2 * connecting + 10))
    address = endpoint()
    with (
        tempfile.NamedTemporaryFile("w", suffix=".toml") as file,
        server(messages, "--rate", "1") as (url, _),
        drained() as stdout,
    ):
        tables = [f'[[bms]]\nname = "b{n}"\nurl = "{url}"\n' for n in range(size)]
        Path(file.name).write_text("".join(tables))
        command = [*RUN, "--config", file.name, "--publish", address]
        with process(command, UNDER_TEST, stdout=stdout) as running:
            time.sleep(connecting)  # which is not what is measured
            arguments = ["--times", "recbms/", "--key", "cell_voltage_min"]
            with subscriber(address, *arguments, "--seconds", str(seconds)) as reader:
                cpu = cpu_seconds(running.pid)
                arrived = report(reader)["times"]
                cpu = cpu_seconds(running.pid) - cpu
                memory = memory_mib(running.pid)
    # What comes first is the state before the subscriber came.
    begin = arrived[0][0] + 1
    delays = sorted(when - sent for when, sent in arrived if when > begin and sent is not None)
    return {
        "cpu %": cpu / seconds * 100,
        "MiB": memory,
        "frames/s": len(delays) / (seconds - 1),
        "p50 ms": statistics.median(delays) * 1e3,
        "p99 ms": delays[int(len(delays) * 0.99)] * 1e3,
    }


def middle(runs: list[Results], column: str) -> float:
    """Return the median of a column."""
    return float(statistics.median(each[column] for each in runs))


def spread(values: list[float]) -> str:
    """Return the median and the range."""
    low, median, high = min(values), statistics.median(values), max(values)
    places = 1 if median < 1000 else 0
    return f"{median:,.{places}f} ({low:,.{places}f}-{high:,.{places}f})"


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds; half a minute")
    parser.add_argument("--json", metavar="FILE", help="write the results there too")
    args = parser.parse_args()
    rounds, count = (2, 3000) if args.quick else (5, 12_000)
    results: Results = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in ("websockets", "pyzmq", "msgspec")},
        "frames": count,
        "rounds": rounds,
    }
    print(json.dumps(results))

    messages = drive.frames(count)
    measured: dict[str, list[Results]] = {variant: [] for variant in VARIANTS}
    order = list(VARIANTS)
    for number in range(rounds):
        for variant in order[number % len(order) :] + order[: number % len(order)]:
            measured[variant].append(throughput(variant, messages))
    columns = list(measured[LIMIT][0])
    print(f"\n{'median (range)':18}" + "".join(f"{column:>28}" for column in columns) + RATIOS)
    for variant, runs in measured.items():
        cells = (spread([each[column] for each in runs]) for column in columns)
        ratios = (
            middle(runs, "frames/s") / middle(measured[LIMIT], "frames/s"),
            middle(measured[LIMIT], "cpu us/frame") / middle(runs, "cpu us/frame"),
        )
        print(
            f"{variant:18}"
            + "".join(f"{cell:>28}" for cell in cells)
            + "".join(f"{ratio:13.2f}" for ratio in ratios)
        )
    results["throughput"] = measured

    results["latency"] = latency(5 if args.quick else 20)
    for where, times in results["latency"].items():
        print(f"from a frame's arrival, 10 a second, {where}: {times}")
    results["hour"] = hour()
    print("an hour's frames:", results["hour"])
    results["start-up ms"] = [start_up() for _ in range(3 if args.quick else 7)]
    print("exec to first reading, ms:", spread(results["start-up ms"]))
    results["fleet"] = {}
    for size in (1, 100) if args.quick else (1, 10, 100, 1000):
        results["fleet"][size] = fleet(size, 5 if args.quick else 10)
        print(f"{size} BMS at 1 frame/s:", results["fleet"][size])
    if args.json:
        Path(args.json).write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
