"""`recbms-zmq completion`: pressing Tab in real shells, and no Python behind it."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from support.fixtures import Run
from support.process import PACKAGE_PARENT, command, environment
from support.terminal import PROMPT, Terminal

from recbms_zmq.cli.dispatch import COMMANDS

pytestmark = pytest.mark.slow


class Shell(NamedTuple):
    """How a shell is started, and where it looks for the script, by the words of `--help`.

    zsh first shows what an option is for, and completes it with the second Tab.
    """

    words: list[str]
    script: str
    begin: str
    tabs: int = 1


SHELLS = {
    "bash": Shell(
        ["bash", "--norc", "--noprofile", "-i"],
        ".local/share/bash-completion/completions/recbms-zmq",
        # What the package bash-completion does when it first meets a command.
        "source ~/.local/share/bash-completion/completions/recbms-zmq",
    ),
    "zsh": Shell(
        ["zsh", "-f", "-i"],
        ".zfunc/_recbms-zmq",
        "fpath+=~/.zfunc; autoload -U compinit; compinit -u",
        tabs=2,
    ),
    "fish": Shell(
        ["fish", "-C", f"function fish_prompt; echo -n '{PROMPT}'; end"],
        ".config/fish/completions/recbms-zmq.fish",
        "true",
    ),
}


@pytest.fixture
def shell(name: str, tmp_path: Path) -> Iterator[Terminal]:
    """A shell that has the script, and a `recbms-zmq` that reports when it is started."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    script = tmp_path / SHELLS[name].script
    script.parent.mkdir(parents=True)
    script.write_bytes(subprocess.check_output(command("completion", name), env=environment()))
    binary = tmp_path / "bin" / "recbms-zmq"
    binary.parent.mkdir()
    binary.write_text("#!/bin/sh\necho started >> ~/started\n", encoding="ascii")
    binary.chmod(0o755)
    (tmp_path / "recbms-example.toml").touch()
    env = {"HOME": str(tmp_path), "PATH": f"{binary.parent}:{environment()['PATH']}"}
    env |= {"XDG_CONFIG_HOME": f"{tmp_path}/.config", "XDG_DATA_HOME": f"{tmp_path}/.local/share"}
    with ExitStack() as stack:
        terminal = Terminal(tmp_path, (100, 24), env, SHELLS[name].words)
        stack.callback(terminal.close)
        terminal.type(f"{SHELLS[name].begin}; echo begun")
        terminal.until("\nbegun")
        yield terminal
        assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("name", SHELLS)
def test_tab_completes_commands_options_words_and_files(shell: Terminal, name: str) -> None:
    for typed, completed in (
        ("recbms-zmq moni", "recbms-zmq monitor"),
        ("recbms-zmq run --stale", "recbms-zmq run --stale-after"),
        ("recbms-zmq run --emit snap", "recbms-zmq run --emit snapshot"),
        ("recbms-zmq completion zs", "recbms-zmq completion zsh"),
        ("recbms-zmq run --config recbms-ex", "recbms-zmq run --config recbms-example.toml"),
    ):
        shell.press("C-u")
        shell.press("-l", typed)
        shell.until(f"{PROMPT}{typed}")
        shell.press(*["Tab"] * SHELLS[name].tabs)
        shell.until(f"{PROMPT}{completed}")


@pytest.mark.parametrize("name", SHELLS)
def test_the_script_knows_all_commands(start: Run, name: str) -> None:
    process = start("completion", name)
    assert process.wait() == 0
    script = process.stdout.text()
    assert [word for word in COMMANDS if word not in script] == []
    assert process.stderr.text() == ""


def test_without_shtab_one_sentence_explains_how_to_install_it(start: Run, tmp_path: Path) -> None:
    (tmp_path / "shtab.py").write_text("raise ImportError('not installed')", encoding="utf-8")
    process = start("completion", "bash", env={"PYTHONPATH": f"{tmp_path}:{PACKAGE_PARENT}"})
    assert process.wait() == 78
    assert process.stderr.text() == (
        "recbms-zmq: the script is written by the package shtab: "
        "pip install 'recbms-zmq[completion]' (with pipx: pipx inject recbms-zmq shtab), "
        "then try again\n"
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_examples_for_every_command(start: Run, name: str) -> None:
    process = start(name, "--help")
    assert process.wait() == 0
    shown = process.stdout.text()
    assert shown.startswith(f"usage: recbms-zmq {name} ")
    assert re.search(rf"^ +recbms-zmq {name}\b", shown, re.MULTILINE)
    assert max(map(len, shown.splitlines())) <= 100
