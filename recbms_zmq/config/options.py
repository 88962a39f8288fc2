"""The options of `run`: each is a field here, and is set by command line, environment or file.

An option is written in one place. A field has its type, its default, and an `About` with the
reader, the help and the metavar. To add one: add the field, use it (a `BmsConfig` reaches
`service.fleet` and `service.connect`, `ReportOptions` the streams of `reporting`, a `Config` the
service), and print the tables of the documentation again.
"""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Struct

from recbms_zmq.config import readers
from recbms_zmq.config.fields import About, options_of
from recbms_zmq.config.option import Option
from recbms_zmq.config.readers import Reader

DEFAULT_PUBLISH: Final = "tcp://127.0.0.1:5556"


def _seconds(*, least: float = 0.0, above: bool = False) -> Reader:
    return readers.number("seconds", least=least, above=above)


class ReportOptions(Struct, frozen=True, kw_only=True):
    """Which readings of a BMS are published, and when. Times are in seconds."""

    emit: Annotated[
        Literal["readings", "snapshot", "both"],
        About(
            readers.choice("readings", "snapshot", "both"),
            "one message per reading (readings), one with all of them (snapshot), or both",
            "WHAT",
        ),
    ] = "readings"
    report: Annotated[
        Literal["changes", "all"],
        About(
            readers.choice("changes", "all"),
            "send readings when they change (changes), or all of them with every frame (all)",
            "WHAT",
        ),
    ] = "changes"
    refresh: Annotated[
        float,
        About(
            _seconds(least=0.01),
            "send a reading again after this time though it has not changed",
            "SECONDS",
        ),
    ] = 60.0
    min_interval: Annotated[
        float,
        About(
            _seconds(),
            "send no topic more often than this; the last value of a burst still goes out",
            "SECONDS",
        ),
    ] = 0.0
    stale_after: Annotated[
        float,
        About(
            _seconds(above=True),
            "without a status frame for this long the BMS is offline",
            "SECONDS",
        ),
    ] = 30.0

    only: Annotated[
        tuple[str, ...],
        About(
            readers.keys("availability", "device", "event"),
            "publish only the sensors with these keys, such as 'soc,power,cell_voltage/*'; "
            "availability, device and alarms are always published",
            "KEYS",
            many=True,
        ),
    ] = ()
    leave_out: Annotated[
        tuple[str, ...],
        About(
            readers.keys(),
            "do not publish the sensors with these keys, such as 'settings/*'",
            "KEYS",
            many=True,
        ),
    ] = msgspec.field(default=(), name="except")


class BmsConfig(Struct, frozen=True, kw_only=True):
    """What applies to one BMS."""

    url: str
    name: Annotated[str, About(readers.name, "id of the BMS, second part of its topics", "ID")] = (
        "main"
    )
    device_name: Annotated[
        str,
        About(
            readers.text,
            "name of the BMS for people (default: REC BMS, and its id behind it unless that is "
            "main); the id is put behind a name that several BMS have, too",
            "TEXT",
            derived=True,
        ),
    ] = ""
    reporting: ReportOptions = ReportOptions()
    bare: Annotated[
        bool, About(readers.flag, "leave out what is meant for Home Assistant (ha)")
    ] = False
    poll_interval: Annotated[
        float, About(_seconds(least=1.0), "with http://: ask the BMS this often", "SECONDS")
    ] = 10.0
    idle_current: Annotated[
        float,
        About(
            readers.number("amperes"),
            "up to this current the pack is idle, neither charging nor discharging",
            "AMPERES",
        ),
    ] = 0.1
    energy_max_gap: Annotated[
        float,
        About(
            _seconds(above=True),
            "do not count energy across a longer gap between two status frames; with http:// it is "
            "at least two poll intervals",
            "SECONDS",
        ),
    ] = 60.0
    max_frame: Annotated[
        int,
        About(
            readers.count("bytes", least=1024, most=2**30),
            "close a connection that sends a longer message, drop a longer line",
            "BYTES",
        ),
    ] = 2**20
    ca_file: Annotated[
        Path | None,
        About(
            readers.path,
            "for wss:// and https://: trust the certificates in this PEM file instead of the "
            "system's",
            "FILE",
        ),
    ] = None
    tls_fingerprint: Annotated[
        str | None,
        About(
            readers.fingerprint,
            "for wss:// and https://: accept only the certificate with this SHA-256 fingerprint",
            "HEX",
        ),
    ] = None
    proxy: Annotated[
        str | None,
        About(
            readers.proxy,
            "for ws:// and wss://: connect through this proxy; without it none is used, also not "
            "that of the environment",
            "URL",
        ),
    ] = None
    include_serial: Annotated[
        bool,
        About(
            readers.flag,
            "put the serial number, which is the module's firmware password, into the device "
            "message",
        ),
    ] = False


class Config(Struct, frozen=True, kw_only=True):
    """What applies to the service."""

    bms: tuple[BmsConfig, ...]
    publish: Annotated[
        tuple[str, ...],
        About(
            readers.endpoint,
            "publish on this ZeroMQ endpoint; can be given more than once",
            "ENDPOINT",
            many=True,
        ),
    ] = (DEFAULT_PUBLISH,)
    no_publish: Annotated[bool, About(readers.flag, "publish nothing on ZeroMQ")] = False
    no_stdout: Annotated[bool, About(readers.flag, "write nothing on stdout")] = False
    format: Annotated[
        Literal["json", "text", "csv"] | None,
        About(
            readers.choice("json", "text", "csv"),
            "what to write on stdout: the messages (json), a line a second for people (text), or "
            "the same as a table (csv); --min-interval makes these lines fewer (default: text on "
            "a terminal, unless --once, --emit, --report, --bare, --only or --except is given; "
            "else json)",
            "FORMAT",
        ),
    ] = None
    prefix: Annotated[str, About(readers.name, "first part of every topic", "WORD")] = "recbms"
    state_dir: Annotated[
        Path | None,
        About(
            readers.path,
            "keep energy counters and the history of alarms in this directory, so that they "
            "survive a restart "
            "(default: $STATE_DIRECTORY, which systemd sets; else nothing is written)",
            "DIR",
        ),
    ] = None
    hwm: Annotated[
        int,
        About(
            readers.count("messages", least=1),
            "messages that may wait for a slow subscriber before it loses some "
            "(default: 10000, more with more than 20 BMS)",
            "MESSAGES",
            derived=True,
        ),
    ] = 0
    max_clients: Annotated[
        int,
        About(
            readers.count("subscribers", least=1),
            "accept at most this many subscribers at a time; with more than 50 the messages that "
            "may wait for each become fewer",
            "SUBSCRIBERS",
        ),
    ] = 256
    allow_plaintext: Annotated[
        bool,
        About(
            readers.flag,
            "allow --publish without CURVE on an address that other machines can reach",
        ),
    ] = False
    curve_secret_key: Annotated[
        Path | None,
        About(
            readers.path,
            "encrypt all endpoints with CURVE and the key in this file (made by recbms-zmq keygen)",
            "FILE",
        ),
    ] = None
    curve_allow: Annotated[
        Path | None,
        About(
            readers.path,
            "with CURVE: accept the clients whose public keys are in this directory, as *.key",
            "DIR",
        ),
    ] = None
    curve_allow_any: Annotated[
        bool,
        About(readers.flag, "with CURVE: accept every client that knows this service's public key"),
    ] = False
    allow_ip: Annotated[
        tuple[Any, ...],
        About(
            readers.network,
            "accept tcp:// clients from this address or network only; can be given more than once",
            "ADDRESS",
            many=True,
        ),
    ] = ()
    ipc_mode: Annotated[
        int,
        About(readers.mode, "mode of the sockets of ipc:// paths; 0660 lets the group in", "MODE"),
    ] = readers.Mode(0o600)
    once: Annotated[
        bool, About(readers.flag, "print the whole state once, on stdout only, and exit")
    ] = False
    timeout: Annotated[
        float | None,
        About(
            _seconds(above=True),
            "with --once: give up after this time, exit code 69 (default: 30)",
            "SECONDS",
        ),
    ] = None
    exit_on_stdin_close: Annotated[
        bool,
        About(
            readers.flag,
            "end when stdin is closed, so that it does not outlive the program that started it",
        ),
    ] = False
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        About(
            readers.choice("debug", "info", "warning", "error"),
            "how much to log on stderr: debug, info, warning or error",
            "LEVEL",
        ),
    ] = "info"


OPTIONS: Final = (*options_of(Config, bms=False), *options_of(BmsConfig, bms=True))
BY_NAME: Final[dict[str, Option]] = {option.name: option for option in OPTIONS}
URL: Final = Option("url", readers.source, None, "where frames come from", "SOURCE", bms=True)
"""What every BMS has: an argument of the command line, and `url` in its table of the file."""
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
