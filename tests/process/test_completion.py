"""`recbms-zmq completion`: pressing Tab in real shells, and no Python behind it."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from support.fixtures import Run
from support.process import command, environment, without_package
from support.terminal import PROMPT, Terminal

from recbms_zmq.cli.dispatch import COMMANDS
from recbms_zmq.config.program import install_command

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


def home(folder: Path) -> dict[str, str]:
    """Return the variables that make a folder the home directory."""
    return {
        "HOME": str(folder),
        "ZDOTDIR": str(folder),
        "XDG_CONFIG_HOME": f"{folder}/.config",
        "XDG_DATA_HOME": f"{folder}/.local/share",
    }


def install(folder: Path, name: str, *options: str) -> list[str]:
    """Install the script into a home directory; return the lines that are printed."""
    variables = home(folder) | {"SHELL": f"/usr/bin/{name}"}
    words = command("completion", "install", *options)
    shown = subprocess.check_output(words, env=environment(**variables), text=True)
    return shown.splitlines()


@pytest.fixture
def shell(name: str, tmp_path: Path) -> Iterator[Terminal]:
    """A shell that has the script, and a `recbms-zmq` that reports when it is started."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    install(tmp_path, name)
    binary = tmp_path / "bin" / "recbms-zmq"
    binary.parent.mkdir()
    binary.write_text("#!/bin/sh\necho started >> ~/started\n", encoding="ascii")
    binary.chmod(0o755)
    (tmp_path / "recbms-example.toml").touch()
    (tmp_path / "recbms-folder").mkdir()
    env = home(tmp_path) | {"PATH": f"{binary.parent}:{environment()['PATH']}"}
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
        ("recbms-zmq run --verb", "recbms-zmq run --verbose"),
        ("recbms-zmq simulate --firmware arr", "recbms-zmq simulate --firmware arrays"),
        ("recbms-zmq completion inst", "recbms-zmq completion install"),
        ("recbms-zmq files lovel", "recbms-zmq files lovelace.yaml"),
        ("recbms-zmq files --copy recbms-", "recbms-zmq files --copy recbms-folder"),
        ("recbms-zmq run --config recbms-ex", "recbms-zmq run --config recbms-example.toml"),
    ):
        shell.press("C-u")
        shell.press("-l", typed)
        shell.until(f"{PROMPT}{typed}")
        shell.press(*["Tab"] * SHELLS[name].tabs)
        shell.until(f"{PROMPT}{completed}")


@pytest.mark.parametrize("name", SHELLS)
def test_it_is_installed_once_and_again_after_an_update(name: str, tmp_path: Path) -> None:
    path = tmp_path / SHELLS[name].script
    assert install(tmp_path, name)[0] == f"{path}: written"
    script = path.read_text(encoding="utf-8")
    assert [word for word in COMMANDS if word not in script] == []
    printed = subprocess.check_output(command("completion", name), env=environment(), text=True)
    assert printed == script
    assert install(tmp_path, "ksh", "--shell", name)[0] == f"{path}: was up to date"
    path.write_text("of an older version", encoding="utf-8")
    assert install(tmp_path, name)[0] == f"{path}: written"
    assert path.read_text(encoding="utf-8") == script


def test_the_line_that_zsh_needs_is_printed_until_it_is_there(tmp_path: Path) -> None:
    def hints() -> list[str]:
        return [line for line in install(tmp_path, "zsh") if "fpath" in line]

    (hint,) = hints()
    shown = hint.removeprefix("zsh finds it after: ")
    subprocess.run(["bash", "-c", shown], env=environment(**home(tmp_path)), check=True)
    assert (tmp_path / ".zshrc").read_text(encoding="utf-8").startswith("fpath+=~/.zfunc; ")
    assert hints() == []


def test_without_shtab_one_sentence_explains_how_to_install_it(start: Run, tmp_path: Path) -> None:
    process = start("completion", "bash", env=without_package("shtab", tmp_path))
    assert process.wait() == 78
    assert process.stderr.text() == (
        "recbms-zmq: the script is written by the package shtab: "
        f"{install_command('shtab')}, "
        "then try again\n"
    )
