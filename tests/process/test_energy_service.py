"""Energy counters of the real command: on stdout, on disk, across ends of every kind.

The BMS is made by us: it sends 50 V and 7,200 A, so that a tenth of a kWh takes a second.
"""

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
from support.bms import Connection
from support.fixtures import MakeBms, Run
from support.frames import status
from support.process import Command
from support.receiver import RecordingReceiver
from support.waiting import eventually

from recbms_zmq.clock import Instant
from recbms_zmq.simulator import SimulatedBms, SimulatorOptions
from recbms_zmq.sources.recording import Recorder

pytestmark = pytest.mark.slow

COUNTERS = {"energy_charged": 3, "energy_discharged": 3, "charge_in": 2, "charge_out": 2}
"""Keys and decimals."""
# The real program but for one number: a minute is long for a test that is to end it many times.
SAVING_ALL_THE_TIME = """
import sys
from recbms_zmq import cli
from recbms_zmq.service import state_store
state_store.SAVE_EVERY = 0.01
sys.exit(cli.main())
"""


class Pack:
    """A BMS that sends a frame every 20 ms."""

    def __init__(self, make_bms: MakeBms) -> None:
        self.current = 7200.0
        self.url = make_bms(behave=self._send).url

    async def _send(self, connection: Connection) -> NoReturn:
        while True:
            await connection.send(status(vbat=50.0, ibat=self.current))
            await asyncio.sleep(0.02)


@pytest.fixture
def pack(make_bms: MakeBms) -> Pack:
    return Pack(make_bms)


class Counting:
    """Starts the service, with a minute of 60 s or with one that is over at once."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __call__(self, *arguments: str, **options: Any) -> Command:
        process = self._run("--no-publish", *arguments, **options)
        assert isinstance(process, Command)
        return process

    def saving_all_the_time(self, *arguments: str) -> Command:
        return self(*arguments, python=[sys.executable, "-c", SAVING_ALL_THE_TIME])


@pytest.fixture
def count(run: Run) -> Counting:
    return Counting(run)


def first(process: Command, key: str) -> Any:
    return process.message(key=key)["payload"]


def until_above(process: Command, key: str, value: float) -> None:
    process.messages_until(lambda m: m["key"] == key and m["payload"] > value, f"{key} > {value}")


def logged(process: Command, words: str) -> int:
    return sum(words.encode() in line for line in process.stderr)


def kept(directory: Path, name: str = "main") -> dict[str, float]:
    file = json.loads((directory / f"{name}.energy.json").read_bytes())
    return {key: file[key] for key in COUNTERS}


def wait_until_kept(directory: Path, kwh: float) -> None:
    eventually(lambda: kept(directory)["energy_charged"] > kwh, f"more than {kwh} kWh on disk")


def write_counters(directory: Path, **values: float) -> None:
    directory.mkdir(exist_ok=True)
    counters = dict.fromkeys(COUNTERS, 0.0) | values
    (directory / "main.energy.json").write_text(json.dumps(counters))


def test_without_a_state_directory_counters_begin_at_zero_and_nothing_is_written(
    pack: Pack, count: Counting, tmp_path: Path
) -> None:
    # Home, working directory and temporary files are all there, so that a file would be seen.
    service = count(pack.url, cwd=tmp_path, env={"HOME": str(tmp_path), "TMPDIR": str(tmp_path)})
    assert [first(service, key) for key in COUNTERS] == [0.0] * 4
    until_above(service, "energy_charged", 0.05)  # 360 kW are 0.1 kWh a second
    pack.current = -7200.0
    until_above(service, "energy_discharged", 0.05)
    assert service.stop() == 0
    assert logged(service, "energy counters start at 0") == 1
    assert list(tmp_path.iterdir()) == []


def test_counters_are_saved_at_the_end_and_go_on_from_there(
    pack: Pack, count: Counting, tmp_path: Path
) -> None:
    state = tmp_path / "not" / "there yet"
    before = dict.fromkeys(COUNTERS, 0.0)
    for _ in range(3):
        service = count("--state-dir", str(state), pack.url)
        for key, decimals in COUNTERS.items():
            assert first(service, key) >= round(before[key], decimals)
        goal = before["energy_charged"] + 0.03
        until_above(service, "energy_charged", goal)
        assert service.stop() == 0
        assert kept(state)["energy_charged"] > goal - 0.001
        before = kept(state)
    assert before["charge_in"] == pytest.approx(before["energy_charged"] * 1000 / 50)
    assert before["energy_discharged"] == before["charge_out"] == 0.0
    assert sorted(path.name for path in state.iterdir()) == [
        "main.energy.json",
        "main.energy.lock",
    ]


@pytest.mark.parametrize("saving_all_the_time", [False, True])
def test_after_kill_9_no_published_counter_falls(
    pack: Pack, count: Counting, tmp_path: Path, saving_all_the_time: bool
) -> None:
    write_counters(tmp_path, energy_charged=100.0)
    start = count.saving_all_the_time if saving_all_the_time else count
    published = dict.fromkeys(COUNTERS, 0.0) | {"energy_charged": 100.0}
    for _ in range(5):
        service = start("--state-dir", str(tmp_path), pack.url)
        for key in COUNTERS:
            assert first(service, key) >= published[key]
        until_above(service, "energy_charged", published["energy_charged"] + 0.02)
        service.stop(signal.SIGKILL)
        assert kept(tmp_path)["energy_charged"] >= 100.0  # the file is whole
        service.stdout.all()
        for message in service.messages:
            if message["key"] in COUNTERS:
                assert message["payload"] >= published[message["key"]]
                published[message["key"]] = message["payload"]


def test_a_start_that_fails_leaves_the_counters_as_they_are(
    pack: Pack, count: Counting, run: Run, tmp_path: Path
) -> None:
    pack.current = 0.0
    counters = {"energy_charged": 100.0, "charge_in": 200.0}
    write_counters(tmp_path, **counters)
    (tmp_path / "taken").touch()
    failed = run("--state-dir", str(tmp_path), "--publish", f"ipc://{tmp_path}/taken", pack.url)
    assert failed.wait() == 73
    service = count("--state-dir", str(tmp_path), pack.url)
    expected = dict.fromkeys(COUNTERS, 0.0) | counters
    assert {key: first(service, key) for key in COUNTERS} == expected


def test_a_second_process_is_refused_and_the_first_is_not_disturbed(
    pack: Pack, count: Counting, tmp_path: Path
) -> None:
    owner = count("--state-dir", str(tmp_path), pack.url)
    owner.message(key="energy_charged")
    second = count("--state-dir", str(tmp_path), pack.url)
    assert second.wait() == 73
    waiting, refusal = second.stderr.all()
    assert b"waiting for another process to release it" in waiting
    assert refusal.decode() == (
        f"recbms-zmq: another process uses {tmp_path}/main.energy.json; "
        "stop it, or give this one another --state-dir or --name"
    )
    assert second.messages == []
    other = count("--state-dir", str(tmp_path), f"other={pack.url}")
    assert first(other, "energy_charged") == 0.0  # another BMS is no second process
    assert owner.stop() == 0
    assert kept(tmp_path)["energy_charged"] > 0


def test_a_process_that_starts_while_its_predecessor_ends_takes_the_counters_over(
    pack: Pack, count: Counting, tmp_path: Path
) -> None:
    write_counters(tmp_path, energy_charged=100.0)
    predecessor = count("--state-dir", str(tmp_path), pack.url)
    until_above(predecessor, "energy_charged", 100.02)
    successor = count("--state-dir", str(tmp_path), pack.url)
    successor.stderr.line("waiting for another process to release it")
    assert predecessor.stop() == 0
    assert first(successor, "energy_charged") >= 100.02


@pytest.mark.parametrize("damage", [b'{"energy_charged": 12.5, "energy_disch', b"[" * 10_000])
def test_a_damaged_file_is_renamed_and_logged_and_counters_start_at_zero(
    pack: Pack, count: Counting, tmp_path: Path, damage: bytes
) -> None:
    (tmp_path / "main.energy.json").write_bytes(damage)
    service = count("--state-dir", str(tmp_path), pack.url)
    assert first(service, "energy_charged") == 0.0
    until_above(service, "energy_charged", 0.01)
    assert service.stop() == 0
    assert logged(service, "is damaged: renamed to") == 1
    (aside,) = tmp_path.glob("main.energy.json.damaged-*")
    assert aside.read_bytes() == damage
    assert kept(tmp_path)["energy_charged"] > 0.01


def test_counters_that_cannot_be_read_are_unknown_and_not_zero(
    pack: Pack, count: Counting, tmp_path: Path
) -> None:
    unreadable = tmp_path / "main.energy.json"
    unreadable.symlink_to(unreadable)  # not even root can read that
    service = count.saving_all_the_time("--emit", "both", "--state-dir", str(tmp_path), pack.url)
    snapshot = first(service, "snapshot")
    assert snapshot["soc"] == 28.5
    assert not set(snapshot) & COUNTERS.keys()
    service.stderr.line("are unknown until then")
    # As soon as they can be read they go on, and what was counted meanwhile is in them.
    write_counters(tmp_path / "whole", energy_charged=50.0)
    (tmp_path / "whole" / "main.energy.json").rename(unreadable)
    charged = service.message(key="energy_charged")
    assert charged["payload"] > 50.0
    assert charged["seq"] == 1
    assert service.stop() == 0
    assert logged(service, "are unknown until then") == 1


HANGING_DISK = """
import os, sys, time
from recbms_zmq import cli
from recbms_zmq.service import state_store
state_store.SAVE_EVERY, state_store.DISK_PATIENCE = 0.01, 0.3
saves = 0
def hang(fd):
    global saves
    saves += 1
    if saves > 4:  # two of the start, two of a write
        time.sleep(3600)
os.fsync = hang
sys.exit(cli.main())
"""


def test_a_disk_that_hangs_stops_neither_the_counters_nor_the_end(
    pack: Pack, count: Counting, tmp_path: Path
) -> None:
    python = [sys.executable, "-c", HANGING_DISK]
    service = count("--state-dir", str(tmp_path), pack.url, python=python)
    service.stderr.line("go on in memory")
    reserved = json.loads((tmp_path / "main.energy.json").read_bytes())["reserved"]
    until_above(service, "energy_charged", reserved["energy_charged"] + 0.01)
    service.send_signal(signal.SIGTERM)
    service.message(payload="offline", reason="stopped")
    assert service.wait() == 0
    assert logged(service, "state was not written to") == 1


HANGING_START = """
import sys, time
from recbms_zmq import cli
from recbms_zmq.service import state_files
state_files.open_regular = lambda *_, **__: time.sleep(3600)
sys.exit(cli.main())
"""


def test_a_disk_that_hangs_at_the_start_does_not_stop_the_end(
    pack: Pack, count: Counting, tmp_path: Path
) -> None:
    python = [sys.executable, "-c", HANGING_START]
    service = count("--state-dir", str(tmp_path / "state"), pack.url, python=python)
    eventually((tmp_path / "state").is_dir, "the start has reached the disk")
    assert service.stop() == 0


NO_DNS = """
import socket, sys, time
from recbms_zmq import cli
from recbms_zmq.service import state_store
state_store.SAVE_EVERY = 0.01
socket.getaddrinfo = lambda *_, **__: time.sleep(3600)
sys.exit(cli.main())
"""


def test_look_ups_that_hang_do_not_stop_the_writes(
    pack: Pack, count: Counting, tmp_path: Path
) -> None:
    away = [f"away{number}=ws://away{number}.example/ws" for number in range(12)]
    python = [sys.executable, "-c", NO_DNS]
    service = count("--state-dir", str(tmp_path), *away, f"main={pack.url}", python=python)
    until_above(service, "energy_charged", 0.02)
    wait_until_kept(tmp_path, 0.02)
    assert service.stop() == 0


def test_a_state_directory_that_can_be_none_is_refused_with_one_sentence(
    pack: Pack, count: Counting, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    service = count("--state-dir", str(tmp_path / "file"), pack.url)
    assert service.wait() == 73
    assert service.stderr.text() == (
        f"recbms-zmq: cannot use --state-dir {tmp_path}/file: Not a directory\n"
    )


def test_once_prints_no_counters_and_does_not_touch_them(
    pack: Pack, count: Counting, tmp_path: Path
) -> None:
    write_counters(tmp_path, energy_charged=5.0)
    before = (tmp_path / "main.energy.json").stat()
    once = count("--once", pack.url, env={"RECBMS_STATE_DIR": str(tmp_path)})
    assert once.wait() == 0
    once.stdout.all()
    keys = [message["key"] for message in once.messages]
    assert "soc" in keys
    assert not set(keys) & COUNTERS.keys()
    assert [path.name for path in tmp_path.iterdir()] == ["main.energy.json"]
    after = (tmp_path / "main.energy.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_pack_at_rest_costs_no_writes(pack: Pack, count: Counting, tmp_path: Path) -> None:
    pack.current = 0.0
    write_counters(tmp_path, energy_charged=5.0)
    service = count.saving_all_the_time("--state-dir", str(tmp_path), "--report", "all", pack.url)
    service.message(key="energy_charged")  # the start has written what is reserved
    before = (tmp_path / "main.energy.json").stat()
    service.message(key="energy_charged", seq=20)
    after = (tmp_path / "main.energy.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_the_files_are_readable_by_the_owner_alone(
    pack: Pack, count: Counting, tmp_path: Path, umask: int
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    service = count("--state-dir", str(state), pack.url, umask=umask)
    service.message(key="energy_charged")
    assert service.stop() == 0
    assert {path.stat().st_mode & 0o177 for path in state.iterdir()} == {0}


@pytest.mark.parametrize("name", ["energy.json", "energy.json.new", "alarms.jsonl"])
@pytest.mark.parametrize("kind", ["link", "fifo", "socket"])
def test_what_is_no_regular_file_is_neither_followed_nor_waited_for(
    pack: Pack, count: Counting, tmp_path: Path, kind: str, name: str
) -> None:
    state, victim = tmp_path / "state", tmp_path / "victim"
    state.mkdir()
    victim.write_text("precious")
    make_other(kind, state / f"main.{name}", victim)
    service = count("--state-dir", str(state), pack.url)
    service.message(key="soc")
    assert service.stop() == 0
    assert victim.read_text() == "precious"
    assert logged(service, "a symbolic link" if kind == "link" else "not a regular file") == (
        0 if name.endswith(".new") else 1
    )


@pytest.mark.parametrize("kind", ["link", "fifo", "socket"])
def test_a_lock_that_is_no_regular_file_is_refused(
    pack: Pack, count: Counting, tmp_path: Path, kind: str
) -> None:
    state, victim = tmp_path / "state", tmp_path / "victim"
    state.mkdir()
    victim.write_text("precious")
    make_other(kind, state / "main.energy.lock", victim)
    service = count("--state-dir", str(state), pack.url)
    assert service.wait() == 73
    why = "it is a symbolic link" if kind == "link" else "it is not a regular file"
    assert service.stderr.text() == (f"recbms-zmq: cannot use --state-dir {state}: {why}\n")
    assert victim.read_text() == "precious"


def make_other(kind: str, path: Path, victim: Path) -> None:
    """Make something that is no regular file; a link leads to the victim."""
    if kind == "link":
        path.symlink_to(victim)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))


def test_the_counters_of_a_simulated_pack_agree_with_its_state_of_charge(
    count: Counting, tmp_path: Path
) -> None:
    # Twelve hours, a frame every ten seconds. The times of the recording count: no machine is late.
    path, pack = tmp_path / "pack.jsonl", SimulatedBms(SimulatorOptions(seed=1))
    at = Instant(0.0, 1_790_000_000.0)
    with path.open("w", encoding="ascii") as file:
        recorder = Recorder(RecordingReceiver(), lambda line: print(line.decode(), file=file))
        recorder.start(at)
        recorder.connected(at)
        recorder.received(pack.settings(0), at)
        for second in range(0, 12 * 3600, 10):
            recorder.received(pack.status(second), at.at(float(second)))
        recorder.stop(at.at(12 * 3600.0))
    keys = ("capacity_remaining", "charge_in", "charge_out")
    service = count("--report", "all", "--only", ",".join(keys), f"replay:{path}?speed=0")
    assert service.wait() == 0
    service.stdout.all()
    left, charged, discharged = (
        [m["payload"] for m in service.messages if m["key"] == key] for key in keys
    )
    assert max(left) - min(left) > 25
    assert charged[-1] - discharged[-1] == pytest.approx(left[-1] - left[0], abs=0.2)
