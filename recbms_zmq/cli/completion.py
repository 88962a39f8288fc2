"""`recbms-zmq completion`: a script that completes the command line in bash, zsh or fish.

The script holds all commands and options, so that Tab starts no Python, which takes a second on a
small Raspberry Pi. The optional package shtab writes it.
"""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from recbms_zmq.config.options import BY_NAME
from recbms_zmq.config.program import install_command
from recbms_zmq.errors import ConfigError, OutputError, UsageError

SHELLS: Final = ("bash", "zsh", "fish")
INSTALL: Final = "install"
EPILOG: Final = """\
examples:
  recbms-zmq completion install                for your login shell ($SHELL)
  recbms-zmq completion install --shell zsh    for another one; do it again
                                               after an update
  source <(recbms-zmq completion bash)         only until this bash ends

`install` writes one file into your home directory, and prints where it is and
how to undo it:
  bash  ~/.local/share/bash-completion/completions/recbms-zmq
  zsh   ~/.zfunc/_recbms-zmq
  fish  ~/.config/fish/completions/recbms-zmq.fish

exit codes: 0 done; 2 wrong argument; 73 the file cannot be written; 78 shtab is
not installed.
"""
_FILES: Final = ("FILE", "PATH")
_DIRECTORY: Final = "DIR"
_BASH_COMPLETION: Final = (
    Path("/usr/share/bash-completion/bash_completion"),
    Path("/usr/local/share/bash-completion/bash_completion"),
    Path("/opt/homebrew/share/bash-completion/bash_completion"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `completion`."""
    parser.usage = "%(prog)s [OPTIONS] WHAT"
    parser.description = "Complete commands, options, their words and files with Tab in your shell."
    parser.epilog = EPILOG
    parser.add_argument(
        "what",
        choices=(*SHELLS, INSTALL),
        metavar="WHAT",
        help=f"{', '.join(SHELLS)}: print the script for this shell; install: put it where your "
        "shell finds it",
    )
    parser.add_argument(
        "--shell",
        choices=SHELLS,
        metavar="SHELL",
        help=f"install: for this shell, {', '.join(SHELLS)} (default: that of $SHELL)",
    )


def main(args: argparse.Namespace) -> int:
    """Print the script, or install it."""
    if args.what != INSTALL:
        if args.shell is not None:
            raise UsageError(f"--shell: has no effect with {args.what}; it belongs to install")
        sys.stdout.write(script(args.what))
        return 0
    shell = args.shell or _login_shell(os.environ)
    path = _place(shell, os.environ)
    changed = _write(path, script(shell))
    print(f"{path}: {'written' if changed else 'was up to date'}")
    for line in (*_next_steps(shell, path, os.environ), f"to undo it: rm {_typed(path)}"):
        print(line)
    return 0


def script(shell: str) -> str:
    """Return the script for a shell.

    Raises:
        ConfigError: shtab is not installed.

    """
    try:
        import shtab
    except ImportError as exc:
        raise ConfigError(
            f"the script is written by the package shtab: {install_command('shtab')}, "
            "then try again"
        ) from exc

    from recbms_zmq.cli.dispatch import COMMANDS, make_parser
    from recbms_zmq.cli.files import available

    parser, commands = make_parser(*COMMANDS)
    for action in parser._actions:  # noqa: SLF001 argparse has no public list
        if action.dest == "command":
            action.help = None  # shtab leaves out what the help leaves out
    for command, _ in commands.values():
        for action in command._actions:  # noqa: SLF001
            _add_choices(action)
            if action.metavar in (*_FILES, _DIRECTORY):
                kind = shtab.FILE if action.metavar in _FILES else shtab.DIRECTORY
                action.complete = kind  # type: ignore[attr-defined]
            if command.prog.endswith(" files") and action.dest == "names":
                action.choices = [str(path) for path in available()]
    return shtab.complete(parser, shell)


def _add_choices(action: Any) -> None:
    """Add the words to an option that takes one of some words."""
    from recbms_zmq.simulator.options import OPTIONS

    known = BY_NAME | {option.name: option for option in OPTIONS}
    option = known.get(action.dest)
    if option is None or option.is_switch or action.nargs == 0:
        return
    # A reader has no list of its words; what it expects is in its error.
    try:
        option.read("")
    except (ValueError, UsageError) as exc:
        before, found, words = str(exc).partition("one of ")
        if found and not before:
            action.choices = words.split(", ")


def _login_shell(environ: Mapping[str, str]) -> str:
    name = Path(environ.get("SHELL", "")).name
    if name not in SHELLS:
        known = f"{name} is not supported" if name else "$SHELL is not set"
        raise UsageError(f"{known}; choose with --shell: {', '.join(SHELLS)}")
    return name


def _place(shell: str, environ: Mapping[str, str]) -> Path:
    """Return where a shell looks for the script of one user."""
    if shell == "fish":
        config = Path(environ.get("XDG_CONFIG_HOME") or _home() / ".config")
        return config / "fish" / "completions" / "recbms-zmq.fish"
    if shell == "zsh":
        return _home() / ".zfunc" / "_recbms-zmq"
    data = Path(environ.get("XDG_DATA_HOME") or _home() / ".local" / "share")
    directory = Path(environ.get("BASH_COMPLETION_USER_DIR") or data / "bash-completion")
    return directory / "completions" / "recbms-zmq"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as exc:
        raise OutputError("there is no home directory to write into; set HOME") from exc


def _write(path: Path, text: str) -> bool:
    """Write a file, unless it has this text; return whether it was written."""
    try:
        if path.is_file() and path.read_bytes() == text.encode():
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise OutputError(f"cannot write {path}: {exc.strerror}") from exc
    return True


def _next_steps(shell: str, path: Path, environ: Mapping[str, str]) -> list[str]:
    """Return what else is needed until Tab works, as sentences."""
    steps = []
    if shell == "bash" and not any(each.exists() for each in _BASH_COMPLETION):
        steps.append(
            "bash loads it with the package bash-completion: sudo apt install bash-completion"
        )
    if shell == "zsh":
        settings = Path(environ.get("ZDOTDIR") or _home()) / ".zshrc"
        if not _mentions(settings, path.parent.name):
            line = f"fpath+={_typed(path.parent)}; autoload -U compinit; compinit"
            steps.append(f"zsh finds it after: echo '{line}' >> {_typed(settings)}")
    return [*steps, f"it works in the next {shell} that you start"]


def _mentions(settings: Path, directory: str) -> bool:
    try:
        return directory in settings.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _typed(path: Path) -> str:
    """Return a path as it is typed in a shell."""
    import shlex

    try:
        rest = path.relative_to(_home())
    except ValueError:
        return shlex.quote(str(path))
    return f"~/{shlex.quote(str(rest))}"
