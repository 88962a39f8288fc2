"""The unit file in the README: systemd takes it, it is hardened, and it fits the program."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from recbms_zmq.errors import ConfigError, UsageError

README = Path(__file__).parents[2] / "README.md"
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.fixture(scope="module")
def text() -> str:
    found = re.search(r"<!-- unit file -->\n```ini\n(.*?)```", README.read_text(), re.DOTALL)
    assert found, "the README has no unit file"
    return found[1]


@pytest.fixture
def unit(text: str, tmp_path: Path) -> Path:
    """The unit file, with a program that is there."""
    path = tmp_path / "recbms-zmq.service"
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


def test_what_does_not_get_right_by_trying_again_is_not_tried_again(text: str) -> None:
    codes = re.search(r"(?m)^RestartPreventExitStatus=(.*)$", text)
    assert codes
    assert codes[1].split() == [str(UsageError.exit_code), str(ConfigError.exit_code)]


def test_it_starts_the_program_with_options_it_has(text: str, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[[bms]]\nurl = "ws://127.0.0.1:9/ws"\n')
    start = re.search(r"(?m)^ExecStart=\S+ (.*) --config \S+$", text)
    assert start
    words = [*start[1].split(), "--config", str(config), "--print-config"]
    done = subprocess.run(
        [sys.executable, "-m", "recbms_zmq", *words], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_it_may_open_what_the_program_opens(text: str) -> None:
    # libzmq asks the kernel for the names of interfaces, and aborts without AF_NETLINK.
    families = re.search(r"(?m)^RestrictAddressFamilies=(.*)$", text)
    assert families
    assert set(families[1].split()) == {"AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"}
