"""`recbms-zmq completion`: a script that completes the command line in bash, zsh or fish.

The script holds all commands and options, so that Tab starts no Python, which takes a second on a
small Raspberry Pi. The optional package shtab writes it.
"""

import argparse
import sys
from typing import Any, Final

from recbms_zmq.config.options import BY_NAME
from recbms_zmq.errors import ConfigError

SHELLS: Final = ("bash", "zsh", "fish")
EPILOG: Final = """\
Put the script where your shell finds it, and again after an update:

  bash (with the package bash-completion)
    mkdir -p ~/.local/share/bash-completion/completions
    recbms-zmq completion bash > ~/.local/share/bash-completion/completions/recbms-zmq

  zsh (with fpath+=~/.zfunc before compinit in ~/.zshrc)
    mkdir -p ~/.zfunc
    recbms-zmq completion zsh > ~/.zfunc/_recbms-zmq

  fish
    recbms-zmq completion fish > ~/.config/fish/completions/recbms-zmq.fish

Only for this session, in bash:  source <(recbms-zmq completion bash)

exit codes: 0 done; 2 wrong argument; 78 shtab is not installed.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the argument of `completion`."""
    parser.epilog = EPILOG
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))


def main(args: argparse.Namespace) -> int:
    """Print the script."""
    try:
        import shtab
    except ImportError as exc:
        raise ConfigError(
            "the script is written by the package shtab: pip install 'recbms-zmq[completion]' "
            "(with pipx: pipx inject recbms-zmq shtab), then try again"
        ) from exc

    from recbms_zmq.cli.dispatch import COMMANDS, make_parser

    parser, commands = make_parser(*COMMANDS)
    for command, _ in commands.values():
        for action in command._actions:  # noqa: SLF001 argparse has no public list
            _add_choices(action)
            if action.metavar in ("FILE", "DIR", "FOLDER"):
                kind = shtab.FILE if action.metavar == "FILE" else shtab.DIRECTORY
                action.complete = kind  # type: ignore[attr-defined]
    sys.stdout.write(shtab.complete(parser, args.shell))
    return 0


def _add_choices(action: Any) -> None:
    """Add the words to an option of `run` that takes one of some words."""
    option = BY_NAME.get(action.dest)
    if option is None or option.is_switch:
        return
    try:
        option.read(None)
    except ValueError as exc:
        before, found, words = str(exc).partition("one of ")
        if found and not before:
            action.choices = words.split(", ")
