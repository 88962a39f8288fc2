"""Fleets at the pace of real life: 1 to 1,000 BMS in one process, each with one frame a second.

At this rate an owner pays, day and night: CPU time a frame, wake-ups a second, memory a BMS. The
limit, the service, and other installations of it are measured over the same seconds, so that what
else the machine does meets them alike; large fleets, which would fill the cores, in turns. The
limit reads each frame when it comes; from about 33 a second on, the service reads them together
(`service/selector.py`), so that its messages are up to 30 ms later.

What a BMS of 4 cells (98 topics) keeps, in KiB, counted by `tracemalloc` in Python 3.11::

     9   a topic's envelope, 98 times: late joiners get the last message from it
     5   the publisher's dictionary of the last messages
    10   the last frame's values: raw, rounded, sent, and when each is due
    10   the rest of normalizer, reporter, pipeline, source and configuration
     8   the connection of `websockets`, asyncio's transport and tasks

About 15 more are lost to the allocators. On `wss` OpenSSL and asyncio's TLS take about 40 more. A
reader of stdout that is slow while the fleet connects costs about 40 more for good: the newest line
of each topic waits in memory then, and Python keeps what it has got from the system once. So a busy
machine shows more memory for each BMS than a quiet one.
"""

import contextlib
import math
import resource
import select
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from . import drive
from .processes import (
    RUN,
    UNDER_TEST,
    Process,
    ask,
    drained_pipe,
    free_endpoint,
    memory_mib,
    percentile,
    process,
    read_line,
    server,
    subscriber,
    usage,
)

SIZES = (1, 10, 100, 1000)
SCHEMES = ("ws", "wss")
MODES: dict[str, list[str]] = {"changes": [], "snapshot": ["--emit", "snapshot"]}
SUBSCRIBERS: dict[str, str | None] = {"reading": "", "idle": "no/topic/of/ours", "none": None}
"""The prefix to which each kind of subscriber subscribes: to all, to what never comes."""
LIMIT = "limit"
TOGETHER = 400
"""Frames a second up to which all are measured over the same seconds."""
SETTLE = 3.0
"""Seconds after the last connection: its first frames have much to do that no others have."""
CONNECT_WITHIN = 300.0
"""Seconds for all BMS to connect. A busy machine may never get there: attempts end after 10 s."""
OTHER_FILES = 100
"""Descriptors of a process that are no connections to a BMS."""
REST = 30.0
"""Seconds until the delays between two attempts to connect are long."""


class Case(NamedTuple):
    """What is measured side by side."""

    size: int
    scheme: str
    mode: str
    subscriber: str


class Measured(NamedTuple):
    """One process over some seconds.

    Attributes:
        cpu_us: CPU time a frame, all threads.
        wakeups: voluntary context switches a second, all threads.
        mib: resident memory at the end.
        p50_ms, p99_ms: delay from the server to a subscriber; NaN without a subscriber.

    """

    cpu_us: float
    wakeups: float
    mib: float
    p50_ms: float
    p99_ms: float


class Contender:
    """A process under test with its own server and subscriber."""

    def __init__(
        self,
        case: Case,
        python: str | None,
        certificate: tuple[str, str],
        stack: contextlib.ExitStack,
    ) -> None:
        """Start everything. Without `python` the process is the limit."""
        self._case = case
        address = free_endpoint()
        arguments = ["--fleet", str(case.size)]
        if case.scheme == "wss":
            arguments += ["--certificate", *certificate]
        frames = drive.paced_frames(2 * drive.SETTINGS_EVERY)
        url, self._server = stack.enter_context(server(frames, *arguments))
        self._subscriber: Process | None = None
        prefix = SUBSCRIBERS[case.subscriber]
        if prefix is not None:
            self._subscriber = stack.enter_context(subscriber(address, prefix, module="delays"))
        ca_file = certificate[0] if case.scheme == "wss" else ""
        if python is None:
            command = ["-m", "tests.bench.limit", url, address, str(case.size), ca_file]
            self._process = stack.enter_context(process(command, UNDER_TEST))
        else:
            command = [*RUN, "--config", _config(case.size, url, stack), "--publish", address]
            command += [*MODES[case.mode], *(["--ca-file", ca_file] if ca_file else [])]
            stdout = stack.enter_context(drained_pipe())
            self._process = stack.enter_context(process(command, UNDER_TEST, python, stdout=stdout))
        self._start: tuple[float, int, Any] = (0.0, 0, None)

    def wait_for_connections(self) -> None:
        """Wait until the process reads all its BMS."""
        assert self._server.stdout is not None
        if not select.select([self._server.stdout], [], [], CONNECT_WITHIN)[0]:
            sys.exit(
                f"{' '.join(map(str, self._case))}: not all BMS were connected within "
                f"{CONNECT_WITHIN:g} s; the machine is too busy for this size"
            )
        read_line(self._server)

    def begin(self) -> None:
        """Begin to measure."""
        if self._subscriber is not None:
            ask(self._subscriber)
        self._start = time.monotonic(), int(ask(self._server)), usage(self._process.pid)

    def end(self) -> Measured:
        """Return what was measured since."""
        begin, frames_before, before = self._start
        frames = int(ask(self._server)) - frames_before
        now, after = time.monotonic(), usage(self._process.pid)
        delays = ask(self._subscriber) if self._subscriber is not None else []
        return Measured(
            cpu_us=(after.cpu - before.cpu) / frames * 1e6,
            wakeups=(after.wakeups - before.wakeups) / (now - begin),
            mib=memory_mib(self._process.pid),
            p50_ms=statistics.median(delays) * 1e3 if delays else math.nan,
            p99_ms=percentile(delays, 0.99) * 1e3 if delays else math.nan,
        )


def _config(size: int, url: str, stack: contextlib.ExitStack) -> str:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    tables = [f'[[bms]]\nname = "b{number}"\nurl = "{url}"\n' for number in range(size)]
    (folder / "fleet.toml").write_text("".join(tables))
    return str(folder / "fleet.toml")


def measure(
    case: Case, pythons: dict[str, str | None], certificate: tuple[str, str], seconds: float
) -> dict[str, Measured]:
    """Measure all contenders of a case once."""
    if case.size * len(pythons) > TOGETHER and len(pythons) > 1:
        return {
            name: measured
            for name, python in pythons.items()
            for measured in measure(case, {name: python}, certificate, seconds).values()
        }
    with contextlib.ExitStack() as stack:
        contenders = {
            name: Contender(case, python, certificate, stack) for name, python in pythons.items()
        }
        for contender in contenders.values():
            contender.wait_for_connections()
        time.sleep(SETTLE)
        for contender in contenders.values():
            contender.begin()
        time.sleep(seconds)
        return {name: contender.end() for name, contender in contenders.items()}


def make_certificate(folder: Path) -> tuple[str, str]:
    """Make a certificate for 127.0.0.1; return the paths of it and of its key."""
    certificate, key = folder / "bench.pem", folder / "bench.key"
    command = [
        *("openssl", "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"),
        *("-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=bench"),
        *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return str(certificate), str(key)


def allow_open_files(size: int) -> None:
    """Let the processes that are started open a file for each BMS, or exit with a sentence."""
    needed = size + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit, most = (math.inf if n == resource.RLIM_INFINITY else n for n in (soft, hard))
    if most < needed:
        sys.exit(
            f"{size} BMS take {needed} open files, and the limit is {hard}: ulimit -n {needed}"
        )
    if limit < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


class AtRest:
    """The service while its BMS is away and no subscriber is there; its wake-ups a second."""

    def __init__(self, pythons: dict[str, str], stack: contextlib.ExitStack) -> None:
        url = free_endpoint().replace("tcp:", "ws:") + "/ws"
        self._processes = {
            f"run {name}".strip(): stack.enter_context(
                process(
                    [*RUN, url, "--publish", free_endpoint()],
                    UNDER_TEST,
                    python,
                    stdout=stack.enter_context(drained_pipe()),
                )
            )
            for name, python in pythons.items()
        }
        self._start = time.monotonic()
        self._before: dict[str, tuple[float, Any]] = {}

    def settle(self) -> None:
        """Begin to count, after the first attempts to connect."""
        time.sleep(max(0.0, self._start + REST - time.monotonic()))
        self._before = {
            name: (time.monotonic(), usage(running.pid))
            for name, running in self._processes.items()
        }

    def result(self, seconds: float) -> dict[str, dict[str, float]]:
        """Return wake-ups a second, and CPU time a second, over at least so many seconds."""
        result = {}
        for name, running in self._processes.items():
            begin, before = self._before[name]
            time.sleep(max(0.0, begin + seconds - time.monotonic()))
            after, took = usage(running.pid), time.monotonic() - begin
            result[name] = {
                "wake-ups/s": (after.wakeups - before.wakeups) / took,
                "cpu us/s": (after.cpu - before.cpu) / took * 1e6,
            }
        return result


def growth(cost: dict[int, float]) -> float:
    """Return the exponent with which the cost a second grows: 1 is in proportion to the BMS.

    Args:
        cost: CPU time a frame by the number of BMS.

    """
    points = [(math.log(size), math.log(size * each)) for size, each in cost.items()]
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def run(
    pythons: dict[str, str], cases: list[Case], *, seconds: float, rounds: int
) -> dict[str, Any]:
    """Measure all cases in each of the rounds; print tables."""
    allow_open_files(max(case.size for case in cases))
    contenders: dict[str, str | None] = {LIMIT: None}
    contenders |= {f"run {name}".strip(): python for name, python in pythons.items()}
    results: dict[Case, dict[str, list[Measured]]] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        certificate = make_certificate(Path(folder))
        at_rest = AtRest(pythons, stack)
        at_rest.settle()
        for number in range(rounds):
            for case in cases:
                measured = measure(case, contenders, certificate, seconds)
                for name, each in measured.items():
                    results.setdefault(case, {}).setdefault(name, []).append(each)
                print(f"round {number + 1}: {' '.join(map(str, case))}", file=sys.stderr)
        rest = at_rest.result(60.0)
    _print(results, rounds, seconds)
    print("\nAt rest (BMS away, no subscriber):")
    for name, rates in rest.items():
        words = ", ".join(f"{rate:.2f} {unit}" for unit, rate in rates.items())
        print(f"  {name}: {words}")
    return {
        "at rest": rest,
        "paced": [
            {"case": case._asdict(), "runs": {n: [m._asdict() for m in runs]}}
            for case, by_name in results.items()
            for n, runs in by_name.items()
        ],
    }


def _print(results: dict[Case, dict[str, list[Measured]]], rounds: int, seconds: float) -> None:
    print(f"\nOne frame a second from each BMS, {rounds} rounds of {seconds:g} s: medians")
    print(
        f"{'BMS':>5} {'':4}{'mode':9}{'subscriber':11}{'process':12}"
        f"{'CPU us/frame':>13}{'of limit':>9}{'wake-ups/s':>11}{'MiB':>7}{'KiB a BMS':>10}"
        f"{'p50 ms':>8}{'p99 ms':>8}"
    )
    costs: dict[tuple[str, ...], dict[int, float]] = {}
    for case, by_name in results.items():
        for name, runs in by_name.items():
            # Within each round, because each has its own disturbances.
            limits = [each.cpu_us for each in by_name[LIMIT]]
            ratio = statistics.median(
                each.cpu_us / limit for each, limit in zip(runs, limits, strict=True)
            )
            one = results.get(case._replace(size=1), {}).get(name)
            a_bms = math.nan
            if one is not None and case.size > 1:
                a_bms = (_median(runs, "mib") - _median(one, "mib")) * 1024 / (case.size - 1)
            costs.setdefault((*case[1:], name), {})[case.size] = _median(runs, "cpu_us")
            print(
                f"{case.size:5} {case.scheme:4}{case.mode:9}{case.subscriber:11}{name:12}"
                f"{_median(runs, 'cpu_us'):13.0f}{ratio:9.2f}{_median(runs, 'wakeups'):11.1f}"
                f"{_median(runs, 'mib'):7.1f}{a_bms:10.0f}"
                f"{_median(runs, 'p50_ms'):8.2f}{_median(runs, 'p99_ms'):8.2f}"
            )
    for (*words, name), cost in costs.items():
        if len(cost) > 1:
            print(
                f"growth from {min(cost)} to {max(cost)} BMS, {' '.join(words)}, {name}: "
                f"exponent {growth(cost):.2f}"
            )


def _median(runs: list[Measured], column: str) -> float:
    return float(statistics.median(getattr(each, column) for each in runs))
