"""The image's commands, run without a container: what it starts, and when it is healthy.

`python -m tests.image`, by hand, builds the image and runs it.
"""

import json
import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from support.bms import FakeBms
from support.fixtures import MakeBms, Run, Start
from support.home import Home
from support.pages import ROOT
from support.process import Command

pytestmark = pytest.mark.slow

FOLDER = ROOT / "flows" / "service"
INSTRUCTIONS = re.sub(r"\\\n", "", (FOLDER / "Dockerfile").read_text()).splitlines()
PUBLISHED = "tcp://0.0.0.0:5556"


def words(pattern: str) -> list[str]:
    """Return the words of an instruction in its JSON form."""
    [text] = [found[1] for line in INSTRUCTIONS if (found := re.match(rf"{pattern} *(\[.*)", line))]
    return [str(word) for word in json.loads(text)]


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which `recbms-zmq` is found, as in the image."""
    return f"{Home(tmp_path).path}/recbms/bin:{os.environ['PATH']}"


@pytest.fixture
def service(make_bms: MakeBms, start: Start, path: str, tmp_path: Path) -> Command:
    """What the image starts, with a BMS that sends nothing."""
    command = [*words("ENTRYPOINT"), *words("CMD")]
    assert PUBLISHED in command
    assert "/var/lib/recbms-zmq" in command
    changes = {PUBLISHED: "tcp://127.0.0.1:*", "/var/lib/recbms-zmq": str(tmp_path)}
    silent = make_bms(greeting=[])
    return start(
        python=[changes.get(word, word) for word in command],
        env={"PATH": path, "RECBMS_SOURCES": f"cellar={silent.url}"},
    )


def health(start: Start, path: str, endpoint: str) -> tuple[int, str]:
    """Run the health check; return its exit code and what it prints."""
    script = [word.replace("tcp://127.0.0.1:5556", endpoint) for word in words("HEALTHCHECK.*CMD")]
    check = start(python=script, env={"PATH": path})
    return check.wait(), check.stdout.text()


def test_it_is_healthy_while_the_battery_sleeps_and_names_that(
    service: Command, start: Start, path: str, tmp_path: Path
) -> None:
    code, text = health(start, path, service.endpoint())
    assert (code, "cellar" in text, "offline" in text) == (0, True, True)
    assert (tmp_path / "cellar.energy.lock").exists()
    assert list(service.messages) == []  # --no-stdout: nothing fills the container's log


def test_it_is_not_healthy_when_the_program_does_not_answer(start: Start, path: str) -> None:
    code, _ = health(start, path, "tcp://127.0.0.1:9")
    assert code == 1


def test_it_is_healthy_while_the_battery_is_online(
    bms: FakeBms, run: Run, start: Start, path: str
) -> None:
    service = run(bms.url)
    service.message(key="soc")
    assert health(start, path, service.endpoint())[0] == 0


def test_only_the_wheel_is_sent_to_the_builder() -> None:
    assert (FOLDER / ".dockerignore").read_text() == "*\n!recbms_zmq-*.whl\n"
    assert [line for line in INSTRUCTIONS if re.match(r"COPY (?!--from)", line)] == [
        "COPY recbms_zmq-*.whl /wheel/"
    ]


def test_compose_runs_the_image_as_it_is_made(start: Start, path: str) -> None:
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    [service] = compose["services"].values()
    assert (FOLDER / service["build"] / "Dockerfile").is_file()
    command = words("CMD")
    [volume] = compose["volumes"]
    assert service["volumes"] == [f"{volume}:{command[command.index('--state-dir') + 1]}"]
    [port] = service["ports"]
    assert port == "127.0.0.1:5556:5556"
    assert PUBLISHED.endswith(port.rpartition(":")[2])
    # Every variable of the environment is one that the program reads.
    program = start(
        python=[*words("ENTRYPOINT"), *command, "--print-config"],
        env={"PATH": path, **service["environment"]},
    )
    assert program.wait() == 0, program.stderr.text()
    config = tomllib.loads(program.stdout.text())
    assert [bms["url"] for bms in config["bms"]] == [service["environment"]["RECBMS_SOURCES"]]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
