"""Any file, environment and command line is accepted, or refused with one sentence.

The sentence has one of the documented exit codes, and no password.
"""

import os
from typing import Any

from fuzz import words
from hypothesis import given
from hypothesis import strategies as st

from recbms_zmq.cli.dispatch import COMMANDS
from recbms_zmq.config.options import OPTIONS
from recbms_zmq.nodered import SOURCES, TARGETS
from recbms_zmq.simulator.options import OPTIONS as SIMULATOR

SECRET = f"u:{words.PASSWORD}@h"
TEXTS = st.sampled_from(
    (
        *("", " ", "0", "1", "-1", "1.5", "nan", "inf", "1e400", "9" * 5000, "true", "no", "all"),
        *("main", "a/b", "\u00e4", "\0", "a\nb", "\x1b[2J", "\udcff", "x" * 300, "~x/y", "/", "."),
        *("tcp://127.0.0.1:1", "tcp://*:5556", "ipc:///x", "0660", "10.0.0.0/8", "ab" * 32),
        *("-", "sim:", "sim:?cells=99", "replay:/", "replay:x?speed=y", "ws://h/ws", "ws://["),
        *(f"ws://{SECRET}/ws", f"a=http://{SECRET}/cell", f"tcp://{SECRET}:1", f"ws://{SECRET}:x/"),
        *("u:any@h", f"socks5://{SECRET}", f"wss:/{SECRET}", f"ws://{SECRET} /ws", "soc,voltage"),
    )
)
ANY = TEXTS | st.text(max_size=8)

# --- files ---

STRINGS = ANY.map(lambda text: '"' + "".join(map(_escaped, text)) + '"')


def _escaped(char: str) -> str:
    """Write a character for TOML, half ones as they cannot be written."""
    if char.isalnum() and char.isascii():
        return char
    return f"\\U{ord(char):08x}"


LITERALS = st.sampled_from(
    (
        *("0", "1", "-1", "1.5", "nan", "-inf", "true", "0x" + "f" * 4000, "1_0", "0o660", "01"),
        *("1979-05-27T07:32:00Z", "07:32:00", "[]", "[[]]", "{}", "{a=1}", "[", "'''", '"\\ud800"'),
        *("[" * 1200 + "]" * 1200, "{a=" * 300 + "1" + "}" * 300),
    )
)
SCALARS = STRINGS | LITERALS
TOML_VALUES = SCALARS | st.lists(SCALARS, max_size=3).map(lambda items: f"[{', '.join(items)}]")
NAMES = st.sampled_from(
    [option.name for option in OPTIONS] + ["url", "x", "bms", '"\u00e4"', "a.b"]
)
LINES = st.tuples(NAMES | STRINGS, TOML_VALUES).map(" = ".join)
TABLES = st.sampled_from(
    [
        "[[bms]]",
        "[bms]",
        "[[bms.bms]]",
        '[[bms]]\nurl = "ws://h/ws"\n',
        "[x]",
        "# \x7f",
        "\r",
        "\x00",
    ]
)
DOCUMENTS = st.lists(LINES | TABLES | st.text(max_size=9), max_size=8).map("\n".join)


@given(DOCUMENTS.map(lambda text: text.encode("utf-8", "replace")) | st.binary(max_size=99))
def test_any_file_is_a_configuration_or_one_sentence(document: bytes) -> None:
    words.configuration(document)


# --- the environment ---

VARIABLES = st.sampled_from(
    [option.variable for option in OPTIONS] + ["RECBMS_SOURCES", "RECBMS_X", "STATE_DIRECTORY", ""]
)
IN_ENVIRONMENT = ANY.map(lambda text: text.replace("\0", ""))


@given(st.dictionaries(VARIABLES, IN_ENVIRONMENT, max_size=5), st.sampled_from([[], ["sim:"]]))
def test_any_environment_is_a_configuration_or_one_sentence(
    environ: dict[str, str], sources: list[str]
) -> None:
    words.check_loading({}, sources, environ, origin="RECBMS_")


# --- the command line ---


def _flags() -> list[str]:
    named = [option.flag for option in OPTIONS] + [f"--{name}" for name in SIMULATOR]
    others = "config print-config duration output topic count timeout device brief plain curve-"
    more = "server-key format schema url source target program sensors all-sensors host port help"
    return [*named, *(f"--{word}" for word in f"{others} {more}".split()), "-o", "-h", "--version"]


def _in_argv(text: str) -> str:
    return text.replace("\0", "")


ARGUMENTS = ANY.map(_in_argv)
CHOICES = st.sampled_from([*SOURCES, *TARGETS, "bash", "markdown", "json", "changes", "snapshot"])
WORDS = st.one_of(
    ARGUMENTS,
    CHOICES,
    st.sampled_from(_flags()),
    st.tuples(st.sampled_from(_flags()), ARGUMENTS).map("=".join),
    st.sampled_from(["--", "--=", "-", "-oo", "--help=x", "---"]),
)


@given(
    st.sampled_from([*COMMANDS, *COMMANDS, "", "rnu", "--version"]),
    st.lists(WORDS | st.tuples(st.sampled_from(_flags()), ARGUMENTS), max_size=5),
)
def test_any_words_are_answered_with_a_code_and_at_most_one_sentence(
    command: str, rest: list[Any]
) -> None:
    argv = [command] if command else []
    for word in rest:
        argv += word if isinstance(word, tuple) else [word]
    code, out, err = words.command_line(argv)
    words.check_answer(code, err)
    assert code not in (2, 78) or out == ""


def test_the_fence_keeps_what_is_tried_here_from_doing_any_harm() -> None:
    outside = f"/tmp/recbms-outside-{os.getpid()}"
    assert words.command_line(["record", "sim:", "-o", outside]) == (
        73,
        "",
        f"recbms-zmq: cannot write {outside}: Permission denied\n",
    )
    assert not os.path.lexists(outside)
