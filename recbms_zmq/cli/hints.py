"""What may be meant by a word that the command line does not know: the end of its error sentence.

Only imported after a mistake.
"""

import argparse
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from recbms_zmq.config.program import typed_program
from recbms_zmq.text import did_you_mean, shortened, without_logins
from recbms_zmq.version import PROGRAM

_BMS: Final = ("run", "demo", "monitor", "check", "record")
"""Commands that read a BMS themselves."""
_ADDRESS: Final = ("--address", "--bms", "--host", "--ip", "--source", "--url")
_MQTT: Final = ("--broker", "--mqtt", "--mqtt-broker", "--mqtt-host", "--mqtt-url")
_OUTPUT: Final = ("-o", "--out", "--outfile", "--output", "--output-file")
_WRITE_NOTHING: Final = ("keygen", "monitor", "simulate")
"""Commands whose output is not for a file."""
_FORMATS: Final = ("--csv", "--json", "--markdown", "--text")
_SHORT: Final = {"-c": "--config", "-t": "--timeout", "-n": "--count", "--debug": "--verbose"}
_SIMULATED: Final = ("--units", "--cells", "--rate", "--speed", "--seed", "--firmware", "--faults")
_OTHER_NAMES: Final = {
    "discover": "find",
    "scan": "find",
    "ping": "check",
    "status": "check",
    "read": "run",
    "serve": "run",
    "service": "run",
    "start": "run",
    "replay": "run replay:FILE",
    "subscribe": "listen",
    "tail": "listen",
    "top": "monitor",
    "watch": "monitor",
    "capture": "record",
    "nodered": "flow",
    "mqtt": "files to_mqtt.py",
}
"""Words of other programs, and what does that here."""


def instead_of_command(words: Sequence[str], commands: Iterable[str]) -> str:
    """Return the hint for a command line that does not begin with a command."""
    return next(_for_command(words, commands))


def instead_of_option(command: str, flag: str, parser: argparse.ArgumentParser) -> str:
    """Return the hint for an option that the command does not have."""
    return next(_for_option(command, flag, parser))


def instead_of_argument(command: str, word: str, parser: argparse.ArgumentParser) -> str:
    """Return the hint for an argument that the command does not take, or one too many."""
    return next(_for_argument(command, word, parser))


# The first hint that fits is the answer: each of these yields the most certain one first.


def _for_command(words: Sequence[str], commands: Iterable[str]) -> Iterator[str]:
    word = words[0]
    shown = shortened(without_logins(word))
    near = did_you_mean(word, commands)
    later = next((each for each in words[1:] if each in commands), "")
    if word in ("$", "#", "%", ">"):
        yield "; it is the prompt of an example: leave it out"
    if word.rpartition("/")[2] == PROGRAM:
        yield "; it is there twice: leave one out"
    if word == "help":
        yield f"; did you mean {' '.join((typed_program(), *filter(None, [later]), '--help'))}?"
    if word == "version":
        yield f"; did you mean {typed_program()} --version?"
    if later and not near:
        yield f"; the command comes first, as in {typed_program()} {later} {shown}"
    if "://" in word:
        yield f"; an address follows one, as in {typed_program()} run {shown}"
    if word.lower() in _OTHER_NAMES:
        yield f"; did you mean {typed_program()} {_OTHER_NAMES[word.lower()]}?"
    yield near or f"; the commands are {', '.join(commands)}"


def _for_option(command: str, flag: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    known = _options(parser)
    # What is typed is found without case, as in `--JSON`.
    flag = flag.lower() if flag.startswith("--") else flag
    if flag in known:
        yield f"; did you mean {flag}?"
    if flag in _FORMATS and "--format" in known:
        yield f"; did you mean --format {flag[2:]}?"
    yield from _for_address(command, flag)
    if flag in _MQTT:
        typed = typed_program()
        yield f"; for MQTT: {typed} files to_mqtt.py, or {typed} flow --target mqtt"
    if flag in _OUTPUT and command == "files":
        yield "; did you mean --copy DIR?"
    if flag in _OUTPUT and command not in _WRITE_NOTHING and "--output" not in known:
        yield f"; the shell writes a file: {typed_program()} {command} ... > FILE"
    if _SHORT.get(flag) in known:
        yield f"; did you mean {_SHORT[flag]}?"
    yield _of_other_command(flag) or did_you_mean(flag, known)


def _for_address(command: str, flag: str) -> Iterator[str]:
    """Yield hints for options that give an address, or a part of one."""
    if command in _BMS:
        typed = f"{typed_program()} {'run' if command == 'demo' else command}"
        if flag in _SIMULATED:
            yield f"; it belongs to the address, as in {typed} 'sim:?{flag[2:]}=...'"
        if flag in _ADDRESS:
            yield f"; an address has no option, as in {typed} ws://192.168.8.2/ws"
        if flag == "--port":
            yield "; a port is a part of the address, as in ws://192.168.8.2:81/ws"
    if command == "listen" and flag in (*_ADDRESS, "--port", "--publish"):
        yield f"; an address has no option, as in {typed_program()} listen tcp://127.0.0.1:5556"


def _for_argument(command: str, word: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    shown = shortened(without_logins(word))
    is_address = "://" in word or word.startswith("sim:")
    actions = parser._actions  # noqa: SLF001 argparse has no public list
    if word == "help":
        yield ""
    for action in actions:
        if action.option_strings and word in (action.choices or ()):
            yield f"; did you mean {action.option_strings[-1]} {word}?"
    if is_address and command == "demo":
        yield f"; to read it: {typed_program()} run {shown}"
    if is_address and command == "flow":
        yield f"; the address of a BMS follows --url, as in {typed_program()} flow --url {shown}"
    if not is_address and command == "alarms":
        yield f"; did you mean --state-dir {shown}?"
    if not is_address and command in ("record", "flow"):
        yield f"; did you mean --output {shown}?"
    if command == "simulate" and word.isdecimal():
        yield f"; did you mean --port {shown}?"
    taken = [str(action.metavar) for action in actions if not action.option_strings]
    yield f"; it takes one {taken[0]}" if taken else "; it takes options only"


def _options(parser: argparse.ArgumentParser) -> list[str]:
    actions = parser._actions  # noqa: SLF001
    return [flag for action in actions for flag in action.option_strings]


def _of_other_command(flag: str) -> str:
    from recbms_zmq.cli.dispatch import COMMANDS, make_parser

    if not re.match("--[a-z]", flag):  # a short one can be anything
        return ""
    parsers = make_parser(*COMMANDS)[1]
    # `demo` has the options of `run`.
    names = [name for name in COMMANDS if name != "demo" and flag in _options(parsers[name][0])]
    if not names:
        return ""
    first, last = ", ".join(names[:-1]), names[-1]
    return f"; it is an option of {f'{first} and {last}' if first else last}"
