"""Finds the command, imports it, and turns its errors into sentences and exit codes.

The start has to be quick on a Raspberry Pi, so only what the command needs is imported.
"""

import argparse
import contextlib
import errno
import importlib
import io
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from types import ModuleType
from typing import Any, Final, NoReturn, TextIO

from recbms_zmq.errors import OutputError, ReaderGone, RecBmsError, UsageError
from recbms_zmq.version import PROGRAM, __version__

GROUPS: Final[dict[str, dict[str, str]]] = {
    "try it without a battery": {
        "demo": "what `run` does, with a simulated pack",
        "simulate": "serve a simulated BMS",
    },
    "read a battery": {
        "find": "find the address of a BMS in the network",
        "check": "check whether a BMS or a service is alive, and what to do if not",
        "run": "read one or more BMS; publish on stdout and ZeroMQ",
        "monitor": "show packs live on the terminal",
        "listen": "print what a running service publishes",
        "record": "record what a BMS sends, to replay it later",
        "alarms": "print which alarms were raised and cleared",
    },
    "connect it to Home Assistant, Node-RED and other programs": {
        "flow": "print a Node-RED flow fitted to your addresses",
        "files": "list, print or copy the flows, scripts and unit files",
        "sensors": "show the table of sensors",
    },
    "set it up": {
        "keygen": "make a CURVE key pair",
        "completion": "complete commands and options with Tab in your shell",
    },
}
"""The commands by what people want, each with what it does."""
COMMANDS: Final[dict[str, str]] = {
    name: summary for group in GROUPS.values() for name, summary in group.items()
}
CHECK_STDOUT_THEMSELVES: Final = ("run", "demo", "record")
"""Commands that can run without stdout, with an option."""
INTERRUPTED: Final = 130
"""The exit code after Ctrl-C: 128 + SIGINT."""
CANNOT_WRITE: Final = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errnos of a failed write to stdout: one sentence instead of a traceback."""
_DASHES: Final = "-\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}"
_WEB_DASH: Final = rf"-?[{_DASHES[1:]}][{_DASHES}]?[a-z]"
EPILOG: Final = """\
examples:
  recbms-zmq demo                       what it looks like, without a battery
  recbms-zmq monitor sim:               the same as a live view in the terminal
  recbms-zmq find                       find the address of your BMS
  recbms-zmq check 192.168.8.2          how to read the BMS there
  recbms-zmq run ws://192.168.8.2/ws    read it
  recbms-zmq run --help                 options, examples, exit codes

It only ever reads: nothing is written to the BMS.
"""


# Room for the longest names, so that few options take two lines.
_formatter = partial(argparse.RawDescriptionHelpFormatter, max_help_position=26)


class Parser(argparse.ArgumentParser):
    """argparse, with errors of one sentence."""

    def error(self, message: str) -> NoReturn:
        """Raise an error: argparse would print the usage, which hides the sentence."""
        from recbms_zmq.text import without_logins

        message = " ".join(map(without_logins, _plain(message).split(" ")))
        # argparse quotes the words, which can have any length.
        shown = message if len(message) <= 400 else message[:397] + "..."
        raise UsageError(f"{shown} (try: {self.typed} --help)")

    @property
    def typed(self) -> str:
        """The command as the user has to type it."""
        from recbms_zmq.config.program import typed_program

        return self.prog.replace(PROGRAM, typed_program(), 1)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print the help or the version.

        argparse would print on stderr if stdout is closed, and hide a full disk.
        """
        if file is None:
            raise ReaderGone("standard output is closed")
        file.write(message)


def _plain(message: str) -> str:
    """Return an error of argparse in the form of the other errors."""
    from recbms_zmq.text import shortened, without_logins

    if found := re.fullmatch(r"the following arguments are required: (.*)", message):
        return f"{found[1]} is missing"
    found = re.fullmatch(r"argument (\S+): (.*)", message, re.DOTALL)
    if found is None:
        unclear = re.compile(r"ambiguous option: ([^=]*).* could match ", re.DOTALL)
        return unclear.sub(r"\1 can be one of ", message)
    name, what = found.groups()
    if what == "expected one argument":
        return f"{name}: a value is missing"
    if choice := re.fullmatch(r"invalid choice: (.*) \(choose from (.*)\)", what, re.DOTALL):
        choices = choice[2].replace("'", "")  # quoted by some versions of Python
        return f"{name}: expected one of {choices}, got {shortened(without_logins(choice[1]))}"
    if given := re.fullmatch(r"ignored explicit argument (.*)", what, re.DOTALL):
        return f"{name}: takes no value, got {shortened(without_logins(given[1]))}"
    return f"{name}: {what}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # For a terminal without a character for Ω, and for file names that are not UTF-8.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with _ended_by_interrupts():
            return _run(arguments)
    finally:
        if sys.stderr is not None:
            try:
                sys.stderr.flush()
            except OSError:
                _drop(sys.stderr)  # the exit code would become 120


@contextlib.contextmanager
def _ended_by_interrupts() -> Iterator[None]:
    """End the process at SIGINT, unless the command has a handler of its own by then.

    Python's handler raises KeyboardInterrupt. Within an import that may only be printed, and the
    program goes on; where msgspec makes a decoder it is a segmentation fault.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # `&` in a script
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _run(arguments: list[str]) -> int:
    try:
        try:
            return _dispatch(arguments)
        finally:
            if sys.stdout is not None:  # None in a program that is started with stdout closed
                sys.stdout.flush()
    except RecBmsError as exc:
        return _explain(exc)
    except OSError as exc:
        if exc.errno not in CANNOT_WRITE:
            raise
        _drop(sys.stdout)
        if exc.errno == errno.EPIPE:
            return ReaderGone.exit_code
        return _explain(OutputError(f"cannot write to standard output: {exc.strerror}"))
    except KeyboardInterrupt:
        return INTERRUPTED


def _drop(stream: TextIO) -> None:
    """Drop what cannot be written: Python would try it again at exit, and print a traceback."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _explain(error: RecBmsError) -> int:
    if str(error):
        from recbms_zmq.text import print_note, printable

        print_note(printable(str(error)))  # a path can have control characters
    return error.exit_code


def make_parser(*wanted: str) -> tuple[Parser, dict[str, tuple[Parser, ModuleType]]]:
    """Make the parser, with the wanted commands only.

    Returns:
        the parser; the parser and the module of each wanted command that exists.

    """
    parser = Parser(
        prog=PROGRAM,
        usage="%(prog)s COMMAND [OPTIONS] [ARGUMENTS]",
        description="Read REC BMS battery management systems, and publish their values as JSON\n"
        f"lines on stdout and as ZeroMQ messages.\n\n{_list_of_commands()}",
        epilog=EPILOG,
        formatter_class=_formatter,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    # argparse cannot list commands in groups, so the description does.
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, help=argparse.SUPPRESS
    )
    found: dict[str, tuple[Parser, ModuleType]] = {}
    for name, summary in COMMANDS.items():
        if name not in wanted:
            continue
        command = commands.add_parser(
            name,
            prog=f"{PROGRAM} {name}",
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            formatter_class=_formatter,
            allow_abbrev=False,  # a new option must not break a script
        )
        module = importlib.import_module(f"recbms_zmq.cli.{name}")
        module.add_arguments(command)
        found[name] = command, module
    # Only the names of the others are used, in the error that lists all commands. Making 13 parsers
    # takes longer than making the one of `run` with all its options.
    commands.choices = dict.fromkeys(COMMANDS, parser) | commands.choices
    return parser, found


def _list_of_commands() -> str:
    lines: list[str] = []
    for title, commands in GROUPS.items():
        lines += ["", f"{title}:"] if lines else [f"{title}:"]
        lines += [f"  {name:<12}{summary}" for name, summary in commands.items()]
    return "\n".join(lines)


def _dispatch(arguments: list[str]) -> int:
    # Found before argparse runs, so that the options of one command are imported, not of all.
    wanted = next((word for word in arguments if not word.startswith("-")), "")
    parser, found = make_parser(wanted)
    if not arguments:
        parser.error(f"a command is missing; for example {parser.typed} demo")
    if arguments[0].lower() in ("-v", "-version", "--version") and arguments[0] != "--version":
        parser.error(f"COMMAND is missing; did you mean {parser.typed} --version?")
    if wanted == arguments[0] and wanted not in COMMANDS:
        from recbms_zmq.cli.hints import instead_of_command
        from recbms_zmq.text import quoted

        hint = instead_of_command(arguments, COMMANDS)
        parser.error(f"{quoted(wanted)} is not a command{hint}")
    _refuse_web_dash(arguments, parser)
    # Not `parse_args`: its error names the program, not the command, and has no hint.
    args, unknown = parser.parse_known_args(arguments)
    if arguments[1:] == ["help"]:  # and not the name of a host, a file or a key
        unknown = arguments[1:]
    # parse_known_args has refused everything that is not a command.
    chosen, module = found[args.command]
    if unknown:
        _refuse_unknown(args.command, unknown[0], chosen)
    if sys.stdout is None and args.command not in CHECK_STDOUT_THEMSELVES:
        raise ReaderGone("standard output is closed")
    code: int = module.main(args)
    return code


def _refuse_web_dash(arguments: list[str], parser: Parser) -> None:
    """Refuse an option with a dash of a web page, which would be a source or a name."""
    # The pattern is compiled when it is used first, and nearly all words are ASCII.
    others = [word for word in arguments if not word.isascii()]
    from_web_page = next((word for word in others if re.match(_WEB_DASH, word)), "")
    if from_web_page:
        from recbms_zmq.text import shortened, without_logins

        shown = shortened(without_logins(from_web_page))
        parser.error(
            f"{shown} begins with a dash of a web page: type it as --{shown.lstrip(_DASHES)}"
        )


def _refuse_unknown(command: str, word: str, parser: Parser) -> NoReturn:
    from recbms_zmq.cli.hints import instead_of_argument, instead_of_option
    from recbms_zmq.text import shortened, without_logins

    is_option = word.startswith("-")
    # Behind `=` there may be a URL with a password.
    word = word.partition("=")[0] if is_option else word
    shown = shortened(without_logins(word))
    if is_option and any(word in action.option_strings for action in parser._actions):  # noqa: SLF001 argparse has no public list
        parser.error(f"{shown} has to follow the command, as in {parser.typed} {shown}")
    hint = (instead_of_option if is_option else instead_of_argument)(command, word, parser)
    parser.error(f"{shown} is not an option or argument of {parser.prog}{hint}")
