"""The README says what is true: its tables are the code's, and its examples do what they say."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from support.bms import FakeBms
from support.fixtures import MakeBms, Run, Start
from support.frames import STATUS
from support.readme import README, block, filled

from recbms_zmq.sensors.normalize import Normalizer
from recbms_zmq.wire.frames import Status, decode

TEXT = README.read_text()


def test_its_tables_are_those_of_the_code() -> None:
    assert filled(TEXT) == TEXT, "python -m tests.support.readme writes them anew"


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(((?!https?:)[^)#]+)\)", TEXT)
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []


def test_its_first_example_is_what_the_real_frame_gives() -> None:
    _, *shown, dots = block("first example").splitlines()
    status = decode(STATUS).frame
    assert isinstance(status, Status)
    readings = [
        [sensor.name, value, sensor.unit]
        for sensor, value in Normalizer().status(status).items()
        if sensor.unit
    ]
    assert [json.loads(line) for line in shown] == readings[: len(shown)]
    assert dots == "..."


def test_its_example_of_a_message_is_one(bms: FakeBms, run: Run) -> None:
    found = re.search(r"```json\n(.*)\n```", TEXT)
    assert found
    said = json.loads(found[1])
    real = run(bms.url).message(key="soc")
    changing = {name: said[name] for name in ("ts", "seq", "run")}
    assert list(said.items()) == list({**real, **changing}.items())


def hear_first_line(code: str, folder: Path) -> str:
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code], cwd=folder, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        line = program.stdout.readline()
        program.terminate()
    return line


def test_the_subscriber_in_python_hears_the_state(bms: FakeBms, run: Run, tmp_path: Path) -> None:
    service = run(bms.url)
    service.message(key="soc")
    code = block("python example", {"tcp://127.0.0.1:5556": service.endpoint()})
    assert re.fullmatch(r"recbms/main/\S+ \{\"topic\":.*\}\n", hear_first_line(code, tmp_path))


def test_the_subscriber_with_keys_hears_the_state(bms: FakeBms, run: Run, tmp_path: Path) -> None:
    for name in ("server", "client"):
        command = [sys.executable, "-m", "recbms_zmq", "keygen", name]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    (tmp_path / "clients").mkdir()
    shutil.copy(tmp_path / "client.key", tmp_path / "clients")
    service = run(
        *("--curve-secret-key", f"{tmp_path}/server.key_secret"),
        *("--curve-allow", f"{tmp_path}/clients", bms.url),
    )
    service.message(key="soc")
    code = block("python curve example", {"tcp://192.168.8.20:5556": service.endpoint()})
    assert re.fullmatch(r"recbms/main/\S+ \{\"topic\":.*\}\n", hear_first_line(code, tmp_path))


def test_a_fleet_in_two_processes_is_one_to_a_subscriber(
    make_bms: MakeBms, run: Run, start: Start, tmp_path: Path
) -> None:
    services = []
    for mark, address in {
        "shard one": ("tcp://127.0.0.1:5556", "ws://192.168.8.2/ws"),
        "shard two": ("tcp://127.0.0.1:5557", "ws://192.168.8.3/ws"),
    }.items():
        file = tmp_path / f"{mark}.toml"
        file.write_text(block(mark, {address[0]: "tcp://127.0.0.1:*", address[1]: make_bms().url}))
        services.append(run("--no-stdout", "--config", str(file)))
    words = shlex.split(
        block(
            "shard listen",
            {
                f"tcp://127.0.0.1:{5556 + number}": service.endpoint()
                for number, service in enumerate(services)
            },
        )
    )
    assert words.pop(0) == "recbms-zmq"
    listener = start(*words)
    listener.message(topic="recbms/house-1/soc", payload=28.5)
    listener.message(topic="recbms/house-2/soc", payload=28.5)
