"""The table of `run`'s options: one row each, for command line, environment and file alike.

`--stale-after 20`, `RECBMS_STALE_AFTER=20` and `stale_after = 20` are the same option. The rows
with `bms` can also stand in a `[[bms]]` table, for that BMS alone.
"""

import argparse
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from recbms_zmq.config import readers
from recbms_zmq.config.readers import Reader
from recbms_zmq.errors import UsageError
from recbms_zmq.text import quoted

DEFAULT_PUBLISH: Final = "tcp://127.0.0.1:5556"


class Option(NamedTuple):
    """One option: its name with underscores, how it is read, and what it is for."""

    name: str
    read: Reader
    default: Any
    help: str
    metavar: str | None = None
    bms: bool = False
    many: bool = False

    @property
    def flag(self) -> str:
        """As it is on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """As it is in the environment."""
        return "RECBMS_" + self.name.upper()

    @property
    def is_switch(self) -> bool:
        """Whether it is on or off, and takes no value on the command line."""
        return self.read is readers.flag


def _seconds(what: str = "seconds", **bounds: Any) -> Reader:
    return readers.number(what, **bounds)


OPTIONS: Final[tuple[Option, ...]] = (
    Option(
        "publish",
        readers.endpoint,
        (DEFAULT_PUBLISH,),
        "publish on this ZeroMQ endpoint; can be given more than once",
        "ENDPOINT",
        many=True,
    ),
    Option("no_publish", readers.flag, False, "publish nothing on ZeroMQ"),
    Option("no_stdout", readers.flag, False, "write nothing on stdout"),
    Option("prefix", readers.name, "recbms", "first part of every topic", "WORD"),
    Option(
        "name", readers.name, "main", "id of the BMS, second part of its topics", "ID", bms=True
    ),
    Option(
        "device_name",
        readers.text,
        None,
        "name of the BMS for people (default: REC BMS, and its id behind it unless that is main); "
        "the id is put behind a name that several BMS have, too",
        "TEXT",
        bms=True,
    ),
    Option(
        "emit",
        readers.choice("readings", "snapshot", "both"),
        "readings",
        "one message per reading (readings), one with all of them (snapshot), or both",
        "WHAT",
        bms=True,
    ),
    Option(
        "report",
        readers.choice("changes", "all"),
        "changes",
        "send readings when they change (changes), or all of them with every frame (all)",
        "WHAT",
        bms=True,
    ),
    Option(
        "refresh",
        _seconds(least=0.01),
        60.0,
        "send a reading again after this time though it has not changed",
        "SECONDS",
        bms=True,
    ),
    Option(
        "min_interval",
        _seconds(),
        0.0,
        "send no topic more often than this; the last value of a burst still goes out",
        "SECONDS",
        bms=True,
    ),
    Option(
        "bare", readers.flag, False, "leave out what is meant for Home Assistant (ha)", bms=True
    ),
    Option(
        "stale_after",
        _seconds(above=True),
        30.0,
        "without a status frame for this long the BMS is offline",
        "SECONDS",
        bms=True,
    ),
    Option(
        "poll_interval",
        _seconds(least=1.0),
        10.0,
        "with http://: ask the BMS this often",
        "SECONDS",
        bms=True,
    ),
    Option(
        "idle_current",
        readers.number("amperes"),
        0.1,
        "up to this current the pack is idle, neither charging nor discharging",
        "AMPERES",
        bms=True,
    ),
    Option(
        "energy_max_gap",
        _seconds(above=True),
        60.0,
        "do not count energy across a longer gap between two status frames",
        "SECONDS",
        bms=True,
    ),
    Option(
        "max_frame",
        readers.count("bytes", least=1024, most=2**30),
        2**20,
        "close a connection that sends a longer message, drop a longer line",
        "BYTES",
        bms=True,
    ),
    Option(
        "ca_file",
        readers.path,
        None,
        "for wss:// and https://: trust the certificates in this PEM file instead of the system's",
        "FILE",
        bms=True,
    ),
    Option(
        "tls_fingerprint",
        readers.fingerprint,
        None,
        "for wss:// and https://: accept only the certificate with this SHA-256 fingerprint",
        "HEX",
        bms=True,
    ),
    Option(
        "proxy",
        readers.text,
        None,
        "for ws:// and wss://: connect through this proxy; without it none is used, whatever the "
        "environment says",
        "URL",
        bms=True,
    ),
    Option(
        "include_serial",
        readers.flag,
        False,
        "put the serial number, which is the module's firmware password, into the device message",
        bms=True,
    ),
    Option(
        "state_dir",
        readers.path,
        None,
        "keep the energy counters in this directory, so that they survive a restart "
        "(default: $STATE_DIRECTORY, which systemd sets; else nothing is written)",
        "DIR",
    ),
    Option(
        "hwm",
        readers.count("messages", least=1),
        None,
        "messages that may wait for a slow subscriber before it loses some "
        "(default: 10000, more with more than 20 BMS)",
        "MESSAGES",
    ),
    Option(
        "allow_plaintext",
        readers.flag,
        False,
        "allow --publish without CURVE on an address that other machines can reach",
    ),
    Option(
        "curve_secret_key",
        readers.path,
        None,
        "encrypt all endpoints with CURVE and the key in this file (made by recbms-zmq keygen)",
        "FILE",
    ),
    Option(
        "curve_allow",
        readers.path,
        None,
        "with CURVE: accept the clients whose public keys are in this folder, as *.key",
        "FOLDER",
    ),
    Option(
        "curve_allow_any",
        readers.flag,
        False,
        "with CURVE: accept every client that knows this service's public key",
    ),
    Option(
        "allow_ip",
        readers.network,
        (),
        "accept tcp:// clients from this address or network only; can be given more than once",
        "ADDRESS",
        many=True,
    ),
    Option(
        "ipc_mode",
        readers.mode,
        readers.Mode(0o600),
        "mode of the sockets of ipc:// paths; 0660 lets the group in",
        "MODE",
    ),
    Option(
        "once",
        readers.flag,
        False,
        "print the whole state once, on stdout only, and exit",
    ),
    Option(
        "timeout",
        _seconds(above=True),
        None,
        "with --once: give up after this time, exit code 69",
        "SECONDS",
    ),
    Option(
        "exit_on_stdin_close",
        readers.flag,
        False,
        "end when stdin is closed, so that it does not outlive the program that started it",
    ),
    Option(
        "log_level",
        readers.choice("debug", "info", "warning", "error"),
        "info",
        "how much to log on stderr: debug, info, warning or error",
        "LEVEL",
    ),
)

BY_NAME: Final[dict[str, Option]] = {option.name: option for option in OPTIONS}
SOURCE_OPTIONS: Final = tuple(
    BY_NAME[name]
    for name in (
        "stale_after",
        "poll_interval",
        "max_frame",
        "ca_file",
        "tls_fingerprint",
        "proxy",
        "log_level",
    )
)
"""What commands need that only read a BMS."""


def read_argument(name: str, read: Reader, given: Any) -> Any:
    """Read an argument that is no row of the table; None if it was not given.

    Raises:
        UsageError: it is not what is expected.

    """
    if given is None:
        return None
    try:
        return read(given)
    except ValueError as exc:
        # Not `from exc`: a traceback must not show more of the value than the sentence does.
        raise UsageError(f"{name}: expected {exc}, got {quoted(given)}") from None


def declare(parser: "argparse._ActionsContainer", options: Iterable[Option]) -> None:
    """Add options to a command line as texts: `config` reads them as from the other places."""
    for option in options:
        if option.is_switch:
            parser.add_argument(
                option.flag, action="store_const", const="true", default=None, help=option.help
            )
        else:
            default = ", ".join(option.default) or None if option.many else option.default
            if isinstance(default, float):
                default = f"{default:g}"
            parser.add_argument(
                option.flag,
                action="append" if option.many else "store",
                metavar=option.metavar,
                help=option.help + (f" (default: {default})" if default is not None else ""),
            )
