"""The commands of the pages, run by bash word for word; only addresses are changed.

What needs an installation or another program is in `tests/e2e`; what needs systemd or a container
is run by hand, by `tests.supervision` and `tests.image`.
"""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from support.bms import FakeBms
from support.fixtures import MakeBms, Run, Start
from support.home import Home
from support.pages import ROOT, block
from support.process import Command
from support.waiting import eventually

pytestmark = pytest.mark.slow

BMS = "ws://192.168.8.2/ws"
SECOND_BMS = "ws://192.168.8.3/ws"
HERE = "tcp://127.0.0.1:5556"
Shell = Callable[..., Command]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def shell(start: Start, home: Home) -> Iterator[Shell]:
    """Run a block in bash, publishing on a free port; all it starts is ended with the test."""
    with ExitStack() as stack:

        def run(script: str) -> Command:
            command = start(
                python=["bash", "-euo", "pipefail", "-c", script],
                cwd=home.folder,
                env=home.environment(RECBMS_PUBLISH="tcp://127.0.0.1:*"),
                start_new_session=True,
            )
            stack.callback(end_group, command.pid)
            return command

        yield run


def end_group(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def finished(command: Command) -> str:
    """Wait for a good end; return stdout."""
    text = command.stdout.text()
    assert command.wait() == 0, command.stderr.text()
    return text


def test_run(bms: FakeBms, shell: Shell) -> None:
    assert shell(block("run command", {BMS: bms.url})).message(key="soc")["payload"] == 28.5


def test_check(bms: FakeBms, shell: Shell) -> None:
    host = bms.url.removeprefix("ws://").removesuffix("/ws")
    report = finished(shell(block("check command", {"192.168.8.2": host})))
    assert "28.5 %" in report
    # The next command of the page is the one that it prints.
    [printed] = re.findall(r"recbms-zmq (run .*)", report)
    assert printed in block("run command", {BMS: bms.url})


def test_two_bms_in_one_process(make_bms: MakeBms, shell: Shell) -> None:
    addresses = {BMS: make_bms().url, SECOND_BMS: make_bms().url}
    command = shell(block("two bms", addresses))
    command.message(topic="recbms/house/soc", payload=28.5)
    command.message(topic="recbms/boat/soc", payload=28.5)


def test_the_state_once(bms: FakeBms, shell: Shell) -> None:
    lines = finished(shell(block("once command", {BMS: bms.url}))).splitlines()
    assert 28.5 in [json.loads(line)["payload"] for line in lines]


def test_a_table_is_written_to_a_file(bms: FakeBms, shell: Shell, home: Home) -> None:
    running = shell(block("csv command", {BMS: bms.url}))
    running.stderr.line("main: online")
    table = home.folder / "battery.csv"
    eventually(lambda: ",main,online,28.5," in table.read_text(), "a row of the table")


def test_the_schema_and_the_table_of_sensors(shell: Shell, home: Home) -> None:
    finished(shell(block("schema command")))
    assert "$defs" in json.loads((home.folder / "messages.schema.json").read_text())
    assert "soc" in [each["key"] for each in json.loads((home.folder / "sensors.json").read_text())]


def test_a_recording_and_its_replay(bms: FakeBms, shell: Shell) -> None:
    changes = {BMS: bms.url, "--duration 60": "--duration 1"}
    lines = finished(shell(block("record command", changes))).splitlines()
    assert 28.5 in [json.loads(line)["payload"] for line in lines]


def test_monitor_of_the_service_on_this_machine(bms: FakeBms, run: Run, shell: Shell) -> None:
    service = run(bms.url)
    there = {"recbms-zmq monitor": f"recbms-zmq monitor {service.endpoint()}"}
    shell(block("monitor command", there)).stdout.line("28.5 %")


@pytest.mark.parametrize("number", range(3))
def test_examples_of_monitor(bms: FakeBms, run: Run, shell: Shell, number: int) -> None:
    service = run(bms.url)
    line = block("monitor examples", {BMS: bms.url}).splitlines()[number]
    shell(line if number else f"{line} {service.endpoint()}").stdout.line("%")


def test_completion_is_put_in_place(shell: Shell, home: Home) -> None:
    shown = finished(shell(block("completion install")))
    script = ".local/share/bash-completion/completions/recbms-zmq"
    assert "--stale-after" in (home.path / script).read_text()
    (undo,) = [line for line in shown.splitlines() if line.startswith("to undo it: ")]
    finished(shell(undo.removeprefix("to undo it: ")))
    assert not (home.path / script).exists()


def test_the_subscriber_prints_the_state(bms: FakeBms, run: Run, shell: Shell) -> None:
    service = run(bms.url)
    code = block("subscriber command").rstrip()
    shell(f"{code} {service.endpoint()}").stdout.line("recbms/main/soc 28.5")


def test_the_subscriber_ends_without_a_traceback(bms: FakeBms, run: Run, shell: Shell) -> None:
    # Messages go on, so that it notices that `head` has ended.
    endpoint = run("--refresh", "0.5", bms.url).endpoint()
    code = block("subscriber command").rstrip()
    assert shell(f"set +o pipefail; {code} {endpoint} | head -n 1").stderr.text() == ""
    running = shell(f"exec {code} {endpoint}")
    running.stdout.line("recbms/main/soc 28.5")
    assert running.stop(signal.SIGINT) == -signal.SIGINT
    assert running.stderr.text() == ""


def test_encrypted_over_the_network(bms: FakeBms, home: Home, shell: Shell) -> None:
    finished(shell(block("curve server")))
    finished(shell(block("curve client")))
    shutil.copy(home.folder / "client.key", home.folder / "clients")
    service = shell(block("curve run", {BMS: bms.url, "tcp://*:5556": "tcp://127.0.0.1:*"}))
    there = {"tcp://192.168.8.20:5556": service.endpoint()}
    shell(block("curve listen", there)).message(topic="recbms/main/soc", payload=28.5)
    shell(block("curve subscriber", there)).stdout.line("recbms/main/soc 28.5")


def test_open_for_node_red_on_another_machine(
    bms: FakeBms, run: Run, start: Start, tmp_path: Path
) -> None:
    changes = {"tcp://*:5556": "tcp://127.0.0.1:*", "/run/recbms-zmq": str(tmp_path)}
    file = tmp_path / "config.toml"
    file.write_text(f'{block("node-red elsewhere", changes)}[[bms]]\nurl = "{bms.url}"\n')
    service = run("--no-stdout", "--config", str(file))
    listener = start("listen", service.endpoint())
    listener.message(topic="recbms/main/soc", payload=28.5)


def test_a_fleet_in_two_processes_is_one_to_a_subscriber(
    make_bms: MakeBms, run: Run, shell: Shell, tmp_path: Path
) -> None:
    endpoints = {}
    for mark, endpoint, address in (
        ("shard one", "tcp://127.0.0.1:5556", BMS),
        ("shard two", "tcp://127.0.0.1:5557", SECOND_BMS),
    ):
        file = tmp_path / f"{mark}.toml"
        file.write_text(block(mark, {endpoint: "tcp://127.0.0.1:*", address: make_bms().url}))
        endpoints[endpoint] = run("--no-stdout", "--config", str(file)).endpoint()
    listener = shell(block("shard listen", endpoints))
    listener.message(topic="recbms/house-1/soc", payload=28.5)
    listener.message(topic="recbms/house-2/soc", payload=28.5)


def test_the_subscriber_recognizes_repeated_and_lost_messages(tmp_path: Path) -> None:
    program = "import json, sys; from subscriber import Filter; f = Filter()\n"
    program += "for line in sys.stdin: print(f.is_new(json.loads(line)))"
    steps = [("a", 3), ("a", 4), ("a", 4), ("a", 3), ("a", 7), ("b", 1), ("b", 2), ("c", 3)]
    messages = [{"topic": "recbms/main/soc", "run": run, "seq": seq} for run, seq in steps]
    done = subprocess.run(
        [Home(tmp_path).path / "recbms/bin/python", "-c", program],
        input="".join(json.dumps(message) + "\n" for message in messages),
        cwd=ROOT / "flows" / "pipes",
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == ["True", "True", "False", "False", "True", "True", "True", "True"]
    assert done.stderr == "recbms/main/soc: 2 lost\nrecbms/main/soc: 2 lost\n"
