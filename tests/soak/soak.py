"""The soak itself: the command and its fleet as processes, moved on by one loop.

One thread does everything: all readers read who do not stall just now, then the journal is read,
then it is judged. The journal's line of a frame is written before the frame is sent, so it is never
behind a message.
"""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import zmq

from . import chaos
from .company import Company
from .judge import Judge
from .subscription import Lines
from .verdict import Verdict
from .vitals import Vitals

PATIENCE: Final = 90.0
"""Seconds after which something counts as never. After a chaos a BMS may wait a while for its next
try, because the delays between two have grown."""
_CALM: Final = 3.0  # s after which nothing of the chaos is on its way any more
_MEASURED: Final = 3.0  # s of a calm in which memory is looked at
_PORTS: Final = range(20_000, 32_000)  # below those that the system gives to clients
_PIECE: Final = 1 << 20


class Broken(Exception):
    """It makes no sense to go on."""


class Entry(msgspec.Struct):
    """A line of the fleet's journal."""

    bms: str = ""
    at: float = 0.0
    data: str = ""
    faults: dict[str, int] = {}


_entry = msgspec.json.Decoder(Entry).decode


class Soak:
    """Runs the command among its fleet and its readers.

    Args:
        folder: for what has to be a file.
        seed: of everything that is drawn.
        size: number of BMS.
        verdict: takes what is found.

    Attributes:
        pid: of the service.

    """

    def __init__(self, folder: Path, seed: int, size: int, verdict: Verdict) -> None:
        self._verdict = verdict
        self._chance = random.Random(seed + 1)
        ports = _free_ports(random.Random(os.getpid()), size)
        plans = chaos.fleet(seed, ports)
        self._judges = {
            plan["name"]: Judge(
                plan["name"],
                verdict,
                stale_after=plan["config"]["stale_after"],
                delays="min_interval" in plan["config"],
            )
            for plan in plans
        }
        plan, config, state = folder / "plan.json", folder / "config.toml", folder / "state"
        plan.write_text(json.dumps(plans))
        state.mkdir()
        publish = ["tcp://127.0.0.1:*", f"ipc://{folder}/pub"]
        config.write_text(chaos.toml(plans, publish, str(state)))
        self._stack = contextlib.ExitStack()
        self._fleet = self._start("tests.soak.fleet", str(plan), str(seed))
        self._service = self._start("recbms_zmq", "run", "--config", str(config))
        self.pid = self._service.pid
        self._journal, self._log = Lines(), Lines()
        self._endpoints: list[str] = []
        self._log_lines: set[str] = set()
        self._company: Company | None = None
        self._ending = False

    @property
    def company(self) -> Company:
        assert self._company is not None, "not begun"
        return self._company

    def begin(self) -> None:
        """Wait until the well-behaved reader has received that every BMS is offline."""
        self._wait(lambda: len(self._endpoints) == 2, "it publishes")
        self._company = Company(
            _descriptor(self._service.stdout),
            self._endpoints,
            ("recbms/b00/", "recbms/b01/cell_voltage/"),
            self._chance,
            self._verdict,
        )
        well = self.company.well.reader
        self._wait(lambda: len(well.state) >= len(self._judges), "every BMS is offline at first")

    def chaos(self, seconds: float) -> None:
        """Let everything go wrong for a while."""
        self._command_fleet("chaos")
        end = time.time() + seconds
        while (now := time.time()) < end:
            self.company.misbehave(now)
            self._turn()

    def calm(self, like: Vitals | None = None) -> Vitals:
        """Let everything be well, and see that it is.

        Args:
            like: how the process was in an earlier calm: it must be so again.

        Returns how the process is now.

        """
        self._command_fleet("calm")
        self.company.behave()
        begun = time.time()
        judges = self._judges.values()
        self._wait(
            lambda: all(j.online for j in judges) and time.time() - begun > _CALM,
            "every BMS is online in a calm",
            lambda: str([judge.name for judge in judges if not judge.online]),
        )
        self.company.guest(come=True)
        disagreement = self.company.disagreement(dict(self.company.well.reader.state))
        self._wait(lambda: not disagreement(), "every reader has the last state", disagreement)
        exact = [judge for judge in judges if not judge.delays]
        for judge in exact:
            judge.difference = "no frame came"
        self._wait(
            lambda: not any(judge.difference for judge in exact),
            "the last state is true",
            lambda: str([(j.name, j.difference) for j in exact if j.difference][:3]),
        )
        self.company.guest(come=False)
        if like is not None:
            self._wait(
                lambda: Vitals.of(self.pid)[2:4] == like[2:4],
                "as many open files and threads as before",
                lambda: f"{Vitals.of(self.pid)}; before: {like}",
            )
        return min(self._looks(_MEASURED))

    def end(self) -> None:
        """Stop the service; check that every reader receives `offline`."""
        self._ending = True
        self._service.send_signal(signal.SIGTERM)
        self._wait(lambda: self._service.poll() is not None, "it ends on SIGTERM")
        if self._service.returncode != 0:
            self._verdict.fail("exit code 0 on SIGTERM", f"it was {self._service.returncode}")
        self._wait(lambda: self.company.stdout_ended, "stdout ends")
        standing = self.company.standing
        self._wait(lambda: not standing(), "offline is the last word", lambda: str(standing()[:5]))
        self.company.conclude()

    def report(self) -> list[str]:
        """Return what happened, for people."""
        counts = self._verdict.counts
        return [*(f"{name}: {counts[name]}" for name in sorted(counts)), *self.company.report()]

    def close(self) -> None:
        """Leave nothing behind."""
        if self._company is not None:
            self._company.close()
        self._stack.close()

    # --- one turn ---

    def _turn(self) -> None:
        zmq.zmq_poll([(_descriptor(self._fleet.stdout), zmq.POLLIN)], 20)
        new = [] if self._company is None else self._company.read(time.time())
        for line in self._log.feed(_read(self._service.stderr)):
            self._take_log(line.decode())
        for line in self._journal.feed(_read(self._fleet.stdout)):
            self._take_journal(_entry(line))
        for message in new:
            self._judges[message.device].judge(message)
        if self._company is not None:
            self._company.confirm()
        for name, process in (("the fleet", self._fleet), ("the service", self._service)):
            if process.poll() is not None and not (self._ending and process is self._service):
                self._verdict.fail(f"{name} never ends by itself", f"code {process.returncode}")
                raise Broken

    def _wait(
        self, condition: Callable[[], Any], what: str, why: Callable[[], str] = lambda: ""
    ) -> None:
        """Go on until a condition holds; note that it never does."""
        end = time.time() + PATIENCE
        while not condition():
            if time.time() > end:
                self._verdict.fail(what, f"not within {PATIENCE:g} s: {why()}")
                raise Broken
            self._turn()

    def _looks(self, seconds: float) -> Iterator[Vitals]:
        end = time.time() + seconds
        while time.time() < end:
            self._turn()
            yield Vitals.of(self.pid)

    def _take_journal(self, entry: Entry) -> None:
        if entry.bms:
            self._verdict.counts["messages sent by BMS"] += 1
            self._judges[entry.bms].sent(entry.at, entry.data.encode("latin-1"))
        for name, count in entry.faults.items():
            self._verdict.counts[f"fault {name}"] += count

    def _take_log(self, line: str) -> None:
        text = line.split(" ", 2)[-1]
        if text.startswith("info publishing on "):
            self._endpoints.append(text.rpartition(" ")[2])
        if "Traceback" in line or not text.startswith(("info ", "warning ")):
            self._verdict.fail("no error in the log", line[:500])
        if "a message was dropped" in line or "could not be read" in line:
            kind = text.partition(" (")[0]
            if kind in self._log_lines:
                self._verdict.fail("what is wrong is logged once per kind", line[:200])
            self._log_lines.add(kind)
        self._verdict.counts["lines in the log"] += 1

    # --- processes ---

    def _command_fleet(self, word: str) -> None:
        assert self._fleet.stdin is not None
        self._fleet.stdin.write(f"{word}\n".encode())
        self._fleet.stdin.flush()

    def _start(self, *words: str) -> "subprocess.Popen[bytes]":
        is_service = words[0] == "recbms_zmq"
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            stdin=subprocess.DEVNULL if is_service else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if is_service else None,
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                self._stack.callback(stream.close)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
        return process


def _descriptor(stream: IO[bytes] | None) -> int:
    assert stream is not None
    return stream.fileno()


def _read(stream: IO[bytes] | None) -> bytes:
    try:
        return os.read(_descriptor(stream), _PIECE)
    except BlockingIOError:
        return b""


def _free_ports(chance: random.Random, count: int) -> list[int]:
    """Find ports without a listener, and that no client is given by the system."""
    ports: list[int] = []
    while len(ports) < count:
        port = chance.choice(_PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            if port not in ports:
                ports.append(port)
    return ports
