"""The systemd units and the configuration of the pages: systemd takes them, and the program too."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.pages import ROOT
from support.process import command, environment

from recbms_zmq.errors import ConfigError, UsageError

pytestmark = pytest.mark.slow

SERVICE = ROOT / "flows" / "service"
UNITS = (SERVICE / "recbms-zmq.service", ROOT / "flows" / "pipes" / "recbms-zmq-mqtt.service")
CONFIG = SERVICE / "config.toml"
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.fixture(params=UNITS, ids=lambda path: path.name)
def shipped(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def text(shipped: Path) -> str:
    return shipped.read_text()


def setting(text: str, name: str) -> str:
    [value] = re.findall(rf"(?m)^{name}=(.*)$", text)
    return str(value)


@pytest.fixture
def unit(shipped: Path, text: str, tmp_path: Path) -> Path:
    """The unit file, with a program that is there."""
    path = tmp_path / shipped.name
    path.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={sys.executable}", text))
    return path


def analyze(*arguments: str) -> str:
    done = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


@needs_systemd
def test_systemd_has_nothing_to_complain_of(unit: Path) -> None:
    assert analyze("verify", str(unit)) == ""


@needs_systemd
def test_systemd_calls_it_well_protected(unit: Path) -> None:
    analyze("security", "--offline=true", "--threshold=20", str(unit))  # of 100, the most exposed


def test_a_wrong_option_or_file_is_not_retried() -> None:
    codes = setting(UNITS[0].read_text(), "RestartPreventExitStatus")
    assert codes.split() == [str(UsageError.exit_code), str(ConfigError.exit_code)]


def test_it_may_open_what_the_program_opens(text: str) -> None:
    # libzmq asks the kernel for the names of interfaces, and aborts without AF_NETLINK.
    families = setting(text, "RestrictAddressFamilies")
    assert set(families.split()) == {"AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"}


def accepted(config: Path) -> str:
    """Start the unit's command with a configuration; return what is in effect."""
    _, *words, flag, path = setting(UNITS[0].read_text(), "ExecStart").split()
    assert (flag, path) == ("--config", "/etc/recbms-zmq/config.toml")
    done = subprocess.run(
        command(*words, "--config", str(config), "--print-config"),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_program_takes_the_configuration(tmp_path: Path) -> None:
    [bms] = tomllib.loads(accepted(CONFIG))["bms"]
    assert bms["url"] == "ws://192.168.8.2/ws"
    # Comments can be taken away: every option in them is right, one at a time or all at once.
    lines = CONFIG.read_text().splitlines()
    options = [re.sub(r"^# (?=\w+ = |\[\[)", "", line) for line in lines]
    assert len(set(options) - set(lines)) == 14
    key = tmp_path / "server.key_secret"
    subprocess.run(
        command("keygen", str(tmp_path / "server")), env=environment(), check=True, timeout=60
    )
    (tmp_path / "clients").mkdir()
    everything = "\n".join(line for line in options if not line.startswith('publish = ["tcp://127'))
    everything = everything.replace("/etc/recbms-zmq/server.key_secret", str(key))
    file = tmp_path / "config.toml"
    file.write_text(everything.replace("/etc/recbms-zmq/clients", str(tmp_path / "clients")))
    effective = tomllib.loads(accepted(file))
    assert [bms["name"] for bms in effective["bms"]] == ["main", "boat"]
    assert [bms["min_interval"] for bms in effective["bms"]] == [10, 10]


def test_the_environment_of_the_mqtt_unit_has_variables_of_the_program() -> None:
    folder = UNITS[1].parent
    named = set(re.findall(r"(?m)^#? ?(MQTT_\w+)=", (folder / "mqtt.env").read_text()))
    done = subprocess.run(
        [sys.executable, folder / "to_mqtt.py", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert len(named) == 5
    assert named - set(re.findall(r"MQTT_\w+", done.stdout)) == set()
