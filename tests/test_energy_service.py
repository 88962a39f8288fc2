"""Energy counters of the real command: on stdout, on disk, across ends of every kind.

The BMS is made by us: a real websocket server that sends 50 V and 7,200 A, so that a tenth of a
kWh takes a second.
"""

import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

WAIT = 30.0
COUNTERS = {"energy_charged": 3, "energy_discharged": 3, "charge_in": 2, "charge_out": 2}
"""Keys, in the order in which they are sent, and their decimals."""
RUN = ("-m", "recbms_zmq", "run", "--no-publish")
# The real program but for one number: a minute is long for a test that is to end it many times.
SAVING_ALL_THE_TIME = """
import sys
from recbms_zmq import cli, state
state.SAVE_EVERY = 0.01
sys.exit(cli.main(["run", "--no-publish", *sys.argv[1:]]))
"""
RUN_SAVING_ALL_THE_TIME = ("-c", SAVING_ALL_THE_TIME)


class Bms:
    """A BMS that sends a frame every 20 ms. Made by us."""

    def __init__(self) -> None:
        self.voltage: float | None = 50.0
        self.current: float | None = 7200.0
        self._server = serve(self._send, "127.0.0.1", 0)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/ws"

    def _send(self, connection: ServerConnection) -> None:
        try:
            while True:
                master = {"vbat": self.voltage, "ibat": self.current, "soc": 0.5}
                connection.send(json.dumps({"type": "status", "bms_array": {"master": master}}))
                time.sleep(0.02)
        except ConnectionClosed:
            pass

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()


class Run:
    """The running command."""

    def __init__(self, *arguments: str, program: tuple[str, ...] = RUN, **environ: str) -> None:
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("RECBMS_") and name != "STATE_DIRECTORY"
        }
        self.process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean | environ,
        )
        self.messages: queue.Queue[dict[str, Any]] = queue.Queue()
        self.log: list[str] = []
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        out, err = self.process.stdout, self.process.stderr
        self._threads = [
            threading.Thread(target=_read, args=(out, lambda x: self.messages.put(json.loads(x)))),
            threading.Thread(target=_read, args=(err, lambda x: self.log.append(x.decode()))),
        ]
        for thread in self._threads:
            thread.start()

    def first(self, key: str) -> dict[str, Any]:
        return self.until(lambda message: message["key"] == key)

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        end = time.monotonic() + WAIT
        while True:
            try:
                message = self.messages.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"it did not come; the log: {self.log}") from None
            if wanted(message):
                return message

    def until_charged(self, kwh: float) -> dict[str, Any]:
        return self.until(lambda m: m["key"] == "energy_charged" and m["payload"] > kwh)

    def logged(self, words: str) -> list[str]:
        return [line for line in self.log if words in line]

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(WAIT)
        for thread in self._threads:
            thread.join(WAIT)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


def _read(pipe: IO[bytes], take: Callable[[bytes], None]) -> None:
    for line in pipe:
        take(line)


@pytest.fixture
def bms() -> Iterator[Bms]:
    server = Bms()
    yield server
    server.close()


@pytest.fixture
def run() -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def start(*arguments: str, **more: Any) -> Run:
        runs.append(Run(*arguments, **more))
        return runs[-1]

    yield start
    for each in runs:
        each.close()


def kept(directory: Path, name: str = "main") -> dict[str, float]:
    file = json.loads((directory / f"{name}.energy.json").read_bytes())
    return {key: file[key] for key in COUNTERS}


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def wait_until_kept(directory: Path, kwh: float) -> None:
    wait_for(lambda: kept(directory)["energy_charged"] > kwh)


def write_counters(directory: Path, **values: float) -> None:
    directory.mkdir(exist_ok=True)
    counters = dict.fromkeys(COUNTERS, 0.0) | values
    (directory / "main.energy.json").write_text(json.dumps(counters))


Start = Callable[..., Run]


def test_counters_begin_at_zero_without_a_state_directory_and_nothing_is_written(
    bms: Bms, run: Start, tmp_path: Path
) -> None:
    # Home, working directory and temporary files are all there, so that a file would be seen.
    service = run(bms.url, HOME=str(tmp_path), TMPDIR=str(tmp_path))
    charged = service.first("energy_charged")
    assert {key: charged.get(key) for key in ("payload", "unit", "ha")} == {
        "payload": 0.0,
        "unit": "kWh",
        "ha": {
            "component": "sensor",
            "device_class": "energy",
            "state_class": "total_increasing",
            "suggested_display_precision": 3,
        },
    }
    charge = service.first("charge_in")
    assert {key: charge.get(key) for key in ("payload", "unit", "ha")} == {
        "payload": 0.0,
        "unit": "Ah",
        "ha": {
            "component": "sensor",
            "state_class": "total_increasing",
            "icon": "mdi:battery-plus-outline",
            "suggested_display_precision": 2,
        },
    }
    # 360 kW are 0.1 kWh a second.
    service.until_charged(0.05)
    bms.current = -7200.0
    service.until(lambda m: m["key"] == "energy_discharged" and m["payload"] > 0.05)
    assert service.end() == 0
    assert len(service.logged("energy counters start at 0")) == 1
    assert list(tmp_path.iterdir()) == []


def test_counters_are_saved_at_the_end_and_go_on_from_there(
    bms: Bms, run: Start, tmp_path: Path
) -> None:
    state = tmp_path / "not" / "there yet"
    before = dict.fromkeys(COUNTERS, 0.0)
    for _ in range(3):
        service = run("--state-dir", str(state), bms.url)
        for key, decimals in COUNTERS.items():
            assert service.first(key)["payload"] >= round(before[key], decimals)
        goal = before["energy_charged"] + 0.03
        service.until_charged(goal)
        assert service.end() == 0
        assert kept(state)["energy_charged"] > goal - 0.001
        before = kept(state)
    assert before["charge_in"] == pytest.approx(before["energy_charged"] * 1000 / 50)
    assert before["energy_discharged"] == before["charge_out"] == 0.0
    assert sorted(path.name for path in state.iterdir()) == [
        "main.energy.json",
        "main.energy.lock",
    ]


def test_after_kill_9_the_file_is_whole_and_no_counter_is_below_it(
    bms: Bms, run: Start, tmp_path: Path
) -> None:
    chance = random.Random(9)
    write_counters(tmp_path, energy_charged=123.456, charge_out=7.5)
    before = kept(tmp_path)
    for _ in range(10):
        service = run("--state-dir", str(tmp_path), bms.url, program=RUN_SAVING_ALL_THE_TIME)
        assert service.first("energy_charged")["payload"] >= round(before["energy_charged"], 3)
        wait_until_kept(tmp_path, before["energy_charged"])
        time.sleep(chance.uniform(0, 0.05))  # at any moment of a write
        assert service.end(signal.SIGKILL) == -signal.SIGKILL
        after = kept(tmp_path)
        assert all(after[key] >= before[key] for key in COUNTERS)
        before = after
    assert before["charge_out"] == 7.5


def test_a_killed_run_loses_only_what_it_counted_since_the_last_write(
    bms: Bms, run: Start, tmp_path: Path
) -> None:
    write_counters(tmp_path, energy_charged=100.0)
    service = run("--state-dir", str(tmp_path), bms.url)
    service.until_charged(100.02)
    service.end(signal.SIGKILL)
    assert kept(tmp_path)["energy_charged"] == 100.0
    assert run("--state-dir", str(tmp_path), bms.url).first("energy_charged")["payload"] < 100.02


def test_a_second_process_is_told_who_has_the_counters_and_the_first_is_not_disturbed(
    bms: Bms, run: Start, tmp_path: Path
) -> None:
    first = run("--state-dir", str(tmp_path), bms.url)
    first.first("energy_charged")
    second = run("--state-dir", str(tmp_path), bms.url)
    assert second.wait() == 73
    assert second.log[-1] == (
        "recbms-zmq: another process keeps the energy counters in "
        f"{tmp_path}/main.energy.json; stop it, or give this one another --state-dir or --name\n"
    )
    assert len(second.log) == 2
    assert "waiting for another process to let go" in second.log[0]
    assert second.messages.empty()
    other = run("--state-dir", str(tmp_path), f"other={bms.url}")
    assert other.first("energy_charged")["payload"] == 0.0  # another BMS is no second process
    assert first.end() == 0
    assert kept(tmp_path)["energy_charged"] > 0


def test_a_process_that_starts_while_its_predecessor_ends_takes_the_counters_over(
    bms: Bms, run: Start, tmp_path: Path
) -> None:
    write_counters(tmp_path, energy_charged=100.0)
    first = run("--state-dir", str(tmp_path), bms.url)
    first.until_charged(100.02)
    second = run("--state-dir", str(tmp_path), bms.url)
    wait_for(lambda: bool(second.logged("waiting for another process to let go")))
    assert first.end() == 0
    assert second.first("energy_charged")["payload"] >= 100.02


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\0" * 300,
        b'{"energy_charged": 12.5, "energy_disch',
        b'{"energy_charged":1,"energy_discharged":1,"charge_in":1}',
        b'{"energy_charged":-1,"energy_discharged":1,"charge_in":1,"charge_out":1}',
        b'{"energy_charged":1e999,"energy_discharged":1,"charge_in":1,"charge_out":1}',
        b"[" * 100_000,
    ],
    ids=["empty", "zeros", "cut", "a counter missing", "negative", "infinite", "nested"],
)
def test_a_damaged_file_is_moved_aside_reported_and_counted_anew(
    bms: Bms, run: Start, tmp_path: Path, damage: bytes
) -> None:
    (tmp_path / "main.energy.json").write_bytes(damage)
    service = run("--state-dir", str(tmp_path), bms.url)
    assert service.first("energy_charged")["payload"] == 0.0
    service.until_charged(0.01)
    assert service.end() == 0
    assert len(service.logged("is damaged; kept as")) == 1
    (aside,) = tmp_path.glob("main.energy.json.damaged-*")
    assert aside.read_bytes() == damage
    assert kept(tmp_path)["energy_charged"] > 0.01


def test_counters_that_cannot_be_read_are_unknown_and_not_zero(
    bms: Bms, run: Start, tmp_path: Path
) -> None:
    unreadable = tmp_path / "main.energy.json"
    unreadable.symlink_to(unreadable)  # not even root can read that
    service = run(
        *("--emit", "both", "--state-dir", str(tmp_path), bms.url), program=RUN_SAVING_ALL_THE_TIME
    )
    snapshot = service.until(lambda m: m["key"] == "snapshot")["payload"]
    assert snapshot["soc"] == 50.0
    assert not set(snapshot) & COUNTERS.keys()
    wait_for(lambda: bool(service.logged("they are unknown until then")))
    # As soon as they can be read they go on, and what was counted meanwhile is in them.
    write_counters(tmp_path / "whole", energy_charged=50.0)
    (tmp_path / "whole" / "main.energy.json").rename(unreadable)
    charged = service.first("energy_charged")
    assert charged["payload"] > 50.0
    assert charged["seq"] == 1
    assert service.end() == 0
    assert len(service.logged("they are unknown until then")) == 1


def test_a_disk_that_takes_nothing_is_reported_once_and_tried_again(
    bms: Bms, run: Start, tmp_path: Path
) -> None:
    obstacle = tmp_path / "main.energy.json.new"
    obstacle.mkdir()
    write_counters(tmp_path, energy_charged=10.0)
    service = run("--state-dir", str(tmp_path), bms.url, program=RUN_SAVING_ALL_THE_TIME)
    wait_for(lambda: bool(service.logged("they go on in memory")))
    service.until_charged(10.03)
    assert kept(tmp_path)["energy_charged"] == 10.0
    obstacle.rmdir()
    wait_until_kept(tmp_path, 10.03)
    assert service.end() == 0
    assert len(service.logged("cannot be kept")) == 1
    assert len(service.logged("are kept again")) == 1


def test_a_disk_that_hangs_stops_neither_the_readings_nor_the_goodbye(
    bms: Bms, run: Start, tmp_path: Path
) -> None:
    slow = tmp_path / "main.energy.json.new"
    os.mkfifo(slow)  # whoever opens it for writing waits for a reader
    service = run("--state-dir", str(tmp_path), bms.url, program=RUN_SAVING_ALL_THE_TIME)
    service.until_charged(0.1)
    service.process.send_signal(signal.SIGTERM)
    service.until(lambda m: m["payload"] == "offline")
    assert service.process.poll() is None, "it waits for the disk"
    reader = os.open(slow, os.O_RDONLY | os.O_NONBLOCK)
    slow.unlink()
    assert service.wait() == 0
    os.close(reader)
    assert kept(tmp_path)["energy_charged"] > 0.1


def test_a_state_directory_that_can_be_none_is_refused_with_one_sentence(
    bms: Bms, run: Start, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    service = run("--state-dir", str(tmp_path / "file"), bms.url)
    assert service.wait() == 73
    assert service.log == [
        f"recbms-zmq: cannot keep energy counters in --state-dir {tmp_path}/file: not a directory\n"
    ]


def test_systemds_state_directory_is_used_unless_another_is_given(
    bms: Bms, run: Start, tmp_path: Path
) -> None:
    write_counters(tmp_path / "first", energy_charged=1.0)
    write_counters(tmp_path / "given", energy_charged=2.0)
    environ = {"STATE_DIRECTORY": f"{tmp_path / 'first'}:{tmp_path / 'second'}"}

    def start_value(*arguments: str, **more: str) -> float:
        value = run(*arguments, bms.url, **environ, **more).first("energy_charged")["payload"]
        assert isinstance(value, float)
        return value

    assert 1.0 <= start_value() < 1.5
    assert 2.0 <= start_value(RECBMS_STATE_DIR=str(tmp_path / "given")) < 2.5
    third = tmp_path / "third"
    assert start_value("--state-dir", str(third), RECBMS_STATE_DIR=str(tmp_path / "given")) < 0.5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "given", "third"]


def test_once_says_nothing_of_the_counters_and_does_not_touch_them(
    bms: Bms, run: Start, tmp_path: Path
) -> None:
    write_counters(tmp_path, energy_charged=5.0)
    before = (tmp_path / "main.energy.json").stat()
    once = run("--once", "--state-dir", str(tmp_path), bms.url)
    assert once.wait() == 0
    keys = [message["key"] for message in list(once.messages.queue)]
    assert "soc" in keys
    assert not set(keys) & COUNTERS.keys()
    assert [path.name for path in tmp_path.iterdir()] == ["main.energy.json"]
    after = (tmp_path / "main.energy.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_pack_at_rest_costs_no_writes(bms: Bms, run: Start, tmp_path: Path) -> None:
    bms.current = 0.0
    write_counters(tmp_path, energy_charged=5.0)
    before = (tmp_path / "main.energy.json").stat()
    service = run(
        "--state-dir", str(tmp_path), "--report", "all", bms.url, program=RUN_SAVING_ALL_THE_TIME
    )
    service.until(lambda m: m["key"] == "energy_charged" and m["seq"] == 20)
    assert service.end() == 0
    after = (tmp_path / "main.energy.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_gap_beyond_the_limit_counts_nothing(bms: Bms, run: Start) -> None:
    service = run("--energy-max-gap", "0.001", "--report", "all", bms.url)
    last = service.until(lambda m: m["key"] == "energy_charged" and m["seq"] == 20)
    assert last["payload"] == 0.0
