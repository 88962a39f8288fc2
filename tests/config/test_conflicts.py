"""What is typed in vain is refused, with the reason; a file and the environment may hold it."""

from pathlib import Path
from typing import Any

import pytest

from recbms_zmq.config.conflicts import RULES, refuse_without_effect
from recbms_zmq.config.load import load
from recbms_zmq.config.options import BY_NAME
from recbms_zmq.errors import UsageError

URL = "ws://192.168.8.2/ws"
VALUES: dict[str, Any] = {
    "publish": ["tcp://127.0.0.1:1"],
    "ipc_mode": "0660",
    "allow_ip": ["::1"],
    "curve_allow": "/keys",
    "format": "text",
    "name": "boat",
    "only": ["soc"],
    "except": ["soc"],
    "emit": "both",
    "report": "all",
    "prefix": "boat",
}
ONCE = "with --once, which prints the state on stdout only"
NO_MESSAGES = "with --format csv if nothing is published: there are no messages"
TABLE: list[tuple[str, dict[str, object], str]] = [
    (name, {"once": "true"}, ONCE)
    for name in (
        *("publish", "hwm", "max_clients", "curve_allow_any", "allow_ip", "ipc_mode"),
        *("state_dir", "exit_on_stdin_close", "report", "refresh", "min_interval"),
        *("energy_max_gap", "allow_plaintext"),
    )
]
TABLE += [
    (name, {"no_publish": "true"}, "with --no-publish")
    for name in ("publish", "hwm", "max_clients", "allow_ip", "ipc_mode", "allow_plaintext")
]
TABLE += [
    (name, {"no_publish": "true", "format": "csv"}, NO_MESSAGES)
    for name in ("prefix", "emit", "report", "refresh", "bare", "only", "except")
]
TABLE += [
    ("timeout", {}, "without --once"),
    ("format", {"no_stdout": "true"}, "with --no-stdout"),
    ("ipc_mode", {}, "without an ipc:// endpoint of --publish"),
    ("allow_ip", {"publish": ["ipc:///x"]}, "without a tcp:// endpoint of --publish"),
    ("allow_plaintext", {"publish": ["ipc:///x"]}, "without a tcp:// endpoint of --publish"),
    (
        "allow_plaintext",
        {"curve_secret_key": "/key", "curve_allow_any": "true"},
        "with --curve-secret-key",
    ),
    ("poll_interval", {}, "without an http:// source"),
    (
        "bare",
        {"emit": "snapshot"},
        "with --emit snapshot: only readings have a part for Home Assistant",
    ),
]


def value_of(name: str) -> object:
    return VALUES.get(name, "true" if BY_NAME[name].is_switch else "7")


@pytest.mark.parametrize(("name", "others", "why"), TABLE)
def test_an_option_without_effect_is_refused(
    name: str, others: dict[str, object], why: str
) -> None:
    keys = {"curve_secret_key": "/key"} if name.startswith("curve_allow") else {}
    given = {**keys, **others, name: value_of(name)}
    with pytest.raises(UsageError) as caught:
        refuse_without_effect(given, load(given, [URL], {}))
    flags = {BY_NAME[each].flag for each in (name, *keys)}
    assert str(caught.value) in {f"{flag}: has no effect {why}" for flag in flags}
    # The same in the environment, of which a run may use a part.
    words = value_of(name)
    variable = {BY_NAME[name].variable: " ".join(words) if isinstance(words, list) else str(words)}
    refuse_without_effect(others, load(keys | others, [URL], variable))


def test_every_rule_has_a_case() -> None:
    named = {name for rule in RULES for name in rule.names}
    assert named - {name for name, *_ in TABLE} == {"curve_secret_key", "curve_allow", "name"}


@pytest.mark.parametrize(
    ("given", "sources"),
    [
        ({"publish": ["ipc:///x"], "ipc_mode": "0660", "emit": "both", "bare": "true"}, [URL]),
        ({"publish": ["tcp://*:1"], "allow_plaintext": "true", "allow_ip": ["10.0.0.0/8"]}, [URL]),
        ({"format": "csv", "report": "all", "only": ["soc"], "prefix": "boat"}, [URL]),
        ({"format": "csv", "no_publish": "true", "min_interval": "60"}, [URL]),
        ({"once": "true", "timeout": "5", "emit": "snapshot", "no_publish": "true"}, [URL]),
        ({"poll_interval": "5"}, [f"a={URL}", "b=http://192.168.8.3/cell"]),
        ({"name": "boat"}, [URL, "house=ws://192.168.8.3/ws"]),
    ],
)
def test_what_has_an_effect_is_accepted(given: dict[str, object], sources: list[str]) -> None:
    refuse_without_effect(given, load(given, sources, {}))


def test_a_name_for_sources_that_have_one_is_refused() -> None:
    given = {"name": "boat"}
    sources = [f"a={URL}", f"b={URL}"]
    with pytest.raises(UsageError, match="--name: has no effect if each source has a name"):
        refuse_without_effect(given, load(given, sources, {}))


def test_sources_of_the_command_line_replace_those_of_the_file_with_a_warning(
    tmp_path: Path,
) -> None:
    path = tmp_path / "recbms.toml"
    path.write_text(f'[[bms]]\nurl = "{URL}"\n', encoding="utf-8")
    loaded = load({"config": str(path)}, ["sim:"], {})
    assert [bms.url for bms in loaded.config.bms] == ["sim:"]
    assert loaded.warnings == [
        f"the BMS of {path} are not read: the command line names what to read"
    ]
