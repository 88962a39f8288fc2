"""What an option is, and how a command line takes it.

`--stale-after 20`, `RECBMS_STALE_AFTER=20` and `stale_after = 20` in a file are the same option.
"""

import argparse
from collections.abc import Iterable
from typing import Any, NamedTuple

from recbms_zmq.config import readers
from recbms_zmq.config.readers import Reader
from recbms_zmq.errors import UsageError
from recbms_zmq.text import quoted


class Option(NamedTuple):
    """One option.

    Attributes:
        name: with underscores, as in a file.
        read: turns a text, or a value of a TOML file, into the option's value.
        default: its value when it is not set anywhere.
        help: what it does, without a full stop.
        metavar: the placeholder of its value in the help; None for a switch.
        bms: whether each BMS can have a value of its own.
        many: whether it can be given more than once; its value is a tuple then.

    """

    name: str
    read: Reader
    default: Any
    help: str
    metavar: str | None = None
    bms: bool = False
    many: bool = False

    @property
    def flag(self) -> str:
        """The name on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The name in the environment."""
        return "RECBMS_" + self.name.upper()

    @property
    def is_switch(self) -> bool:
        """Whether it is on or off, and takes no value on the command line."""
        return self.read is readers.flag


def read_argument(name: str, read: Reader, given: Any) -> Any:
    """Read an argument that is no option of the table; None if it was not given.

    Raises:
        UsageError: it is of another kind than `read` expects.

    """
    if given is None:
        return None
    try:
        return read(given)
    except ValueError as exc:
        # Without the cause, whose traceback could show a password.
        raise UsageError(f"{name}: expected {exc}, got {quoted(given)}") from None


def refuse_without_effect(args: argparse.Namespace, names: Iterable[str], why: str) -> None:
    """Refuse options that are given, but that this use of the command does not read.

    Args:
        args: the command line.
        names: of the options, which are None or False if they are not given.
        why: they have no effect, as the end of a sentence.

    Raises:
        UsageError: one of them is given.

    """
    for name in names:
        if getattr(args, name) not in (None, False):
            raise UsageError(f"--{name.replace('_', '-')}: has no effect {why}")


def declare(parser: "argparse._ActionsContainer", options: Iterable[Option]) -> None:
    """Add options to a command line, which keeps them as texts: `load` reads them later."""
    # argparse converts too, but its errors quote what was typed, with the password of a URL. And
    # its defaults would hide whether an option was given: the environment and the file come after.
    for option in options:
        if option.name == "log_level":
            _declare_log_level(parser, option)
        elif option.is_switch:
            parser.add_argument(
                option.flag, action="store_const", const="true", default=None, help=option.help
            )
        else:
            default = ", ".join(option.default) if option.many else option.default
            if isinstance(default, float):
                default = f"{default:g}"
            parser.add_argument(
                option.flag,
                action="append" if option.many else "store",
                metavar=option.metavar,
                help=option.help + (f" (default: {default})" if default not in (None, "") else ""),
            )


def _declare_log_level(parser: "argparse._ActionsContainer", option: Option) -> None:
    """Add `--log-level` and its short forms, of which one can be given."""
    one_of = parser.add_mutually_exclusive_group()
    one_of.add_argument(
        option.flag, metavar=option.metavar, help=f"{option.help} (default: {option.default})"
    )
    for short, long, level in (("-v", "--verbose", "debug"), ("-q", "--quiet", "error")):
        one_of.add_argument(
            short,
            long,
            dest=option.name,
            action="store_const",
            const=level,
            help=f"the same as {option.flag} {level}",
        )
