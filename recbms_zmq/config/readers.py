"""Readers: one for each kind of value that an option can have.

A reader takes a text (from the command line or the environment) or a value of a TOML file, and
returns the option's value. It raises `ValueError` with what it expects, as the middle of a
sentence: `--refresh: expected seconds, a number of at least 0.01, got 'soon'`.
"""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from recbms_zmq.config.mistakes import instead_of_endpoint, instead_of_source

Reader = Callable[[Any], Any]

_TRUE: Final = ("1", "true", "yes", "on")
_FALSE: Final = ("0", "false", "no", "off")
NAME: Final = re.compile(r"[a-z0-9_-]+")
LONGEST_PATH: Final = 4095
"""Bytes; Linux opens no longer one (PATH_MAX, with the NUL behind it)."""
_URL: Final = re.compile(r"[\w+.-]+:/")


def number(what: str, *, least: float = 0.0, most: float = math.inf, above: bool = False) -> Reader:
    """Read a finite number of at least `least`; with `above`, more than that."""
    bound = f"{'above' if above else 'of at least'} {least:g}"
    if most < math.inf:
        bound = f"above {least:g}, at most {most:g}" if above else f"from {least:g} to {most:g}"
    expected = f"{what}, a number {bound}"

    def read(given: Any) -> float:
        try:
            value = math.nan if isinstance(given, bool) else float(given)
        except (TypeError, ValueError, OverflowError):
            value = math.nan
        if not (least < value if above else least <= value) or not value <= min(most, 1e12):
            raise ValueError(expected)
        return value

    return read


def count(what: str, *, least: int = 0, most: int = 2**31 - 1) -> Reader:
    """Read a whole number."""
    expected = f"{what}, a whole number from {least} to {most}"

    def read(given: Any) -> int:
        value = given
        # Not `int` alone, which takes "1_000", " 5 " and the digits of all scripts.
        if isinstance(given, str) and re.fullmatch(r"\d{1,10}", given, re.ASCII):
            value = int(given)
        if type(value) is not int or not least <= value <= most:
            raise ValueError(expected)
        return value

    return read


def choice(*words: str) -> Reader:
    """Read one of some words."""
    expected = "one of " + ", ".join(words)

    def read(given: Any) -> str:
        if given not in words:
            raise ValueError(expected)
        return str(given)

    return read


def flag(given: Any) -> bool:
    """Read true or false."""
    if given in (True, False):  # also 1 and 0 of a TOML file
        return bool(given)
    word = given.lower() if isinstance(given, str) else ""
    if word not in _TRUE + _FALSE:
        raise ValueError("true or false")
    return word in _TRUE


def text(given: Any) -> str:
    """Read a text of one line."""
    if not isinstance(given, str) or not given.strip() or not given.isprintable():
        raise ValueError("a text of one line")
    if len(given) > 100:
        raise ValueError("a text of at most 100 characters")
    return given


def proxy(given: Any) -> str:
    """Read the URL of a proxy. Its password may be long: at most 4,096 characters in all."""
    expected = "the URL of a proxy, such as http://HOST:PORT or socks5h://HOST:PORT"
    if not isinstance(given, str) or not given.isprintable() or " " in given or len(given) > 4096:
        raise ValueError(expected)
    try:
        parts = urlsplit(given)
        valid = bool(parts.scheme and parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(expected)
    return given


def name(given: Any) -> str:
    """Read a name that can be part of a topic."""
    if isinstance(given, str) and NAME.fullmatch(given) and len(given) <= 64:
        return given
    expected = "a name of a-z, 0-9, _ and -, at most 64 characters"
    if isinstance(given, str) and re.fullmatch("[A-Za-z0-9][A-Za-z0-9 ]{0,63}", given.rstrip(" ")):
        expected += f" (perhaps {re.sub(' +', '_', given.strip().lower())}?)"
    raise ValueError(expected)


def keys(*kinds: str) -> Reader:
    """Read patterns of sensors' keys, separated by commas; `kinds` are keys of other messages."""

    def read(given: Any) -> str:
        from recbms_zmq.sensors.selection import mistake  # the table takes 30 ms to import

        expected = "keys of sensors, such as soc,power,cell_voltage/*"
        patterns = given.replace(" ", "").lower().split(",") if isinstance(given, str) else [""]
        for pattern in patterns:
            if pattern not in kinds and (wrong := mistake(pattern)):
                raise ValueError(f"{expected} ({wrong})" if pattern else expected)
        return ",".join(patterns)

    return read


def path(given: Any) -> Path:
    """Read the path of a file."""
    # A URL here is a mistake, and a file of its name would be quoted with the password.
    if not isinstance(given, str) or not given or "\0" in given or _URL.match(given):
        raise ValueError("a path")
    if len(given.encode("utf-8", "surrogateescape")) > LONGEST_PATH:
        raise ValueError(f"a path of at most {LONGEST_PATH:,} bytes")
    try:
        return Path(given).expanduser()
    except RuntimeError as exc:
        raise ValueError("a path in a home directory that exists") from exc


def fingerprint(given: Any) -> str:
    """Read a SHA-256 fingerprint; colons and case do not matter."""
    digits = given.replace(":", "").lower() if isinstance(given, str) else ""
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError("a SHA-256 fingerprint, 64 hex digits")
    return digits


def endpoint(given: Any) -> str:
    """Read a ZeroMQ endpoint to bind: `tcp://ADDRESS:PORT` or `ipc://PATH`."""
    expected = "a ZeroMQ endpoint, tcp://ADDRESS:PORT or ipc://PATH"
    if not isinstance(given, str) or not given.isprintable():
        raise ValueError(expected)
    scheme, _, rest = given.partition("://")
    if scheme == "ipc" and 0 < len(rest.encode()) <= 107:  # the length of a Unix socket's path
        return given
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.%\w]+\]|[^\s:\[\]/]+):(\d{1,5}|\*)", rest, re.ASCII)
    if scheme == "tcp" and match and (match[2] == "*" or 0 <= int(match[2]) <= 65535):
        return given
    raise ValueError(expected + instead_of_endpoint(given))


class Mode(int):
    """The mode of a file, shown as people write it."""

    def __str__(self) -> str:
        return f"{self:04o}"


def mode(given: Any) -> Mode:
    """Read the mode of a file, octal digits as text: a TOML number 600 would be decimal."""
    if not isinstance(given, str) or not re.fullmatch(r"0?[0-7]{3}", given):
        raise ValueError('the mode of a file as octal text, such as "0660"')
    return Mode(int(given, 8))


def network(given: Any) -> Any:
    """Read an IP address, or a network of addresses."""
    import ipaddress

    try:
        return ipaddress.ip_network(given if isinstance(given, str) else "")
    except ValueError:
        raise ValueError("an IP address or a network, such as 192.168.8.0/24") from None


def is_loopback(address: str) -> bool:
    """Return whether only this machine can reach a ZeroMQ endpoint."""
    scheme, _, rest = address.partition("://")
    if scheme != "tcp":
        return True
    host = rest.rpartition(":")[0].strip("[]")
    return host in ("localhost", "::1", "lo") or bool(re.fullmatch(r"127(\.\d{1,3}){3}", host))


def _is_host(name: str) -> bool:
    """Return whether a name is one for a look-up: Python raises UnicodeError for some others."""
    if name.isascii():  # without the codec below, which takes a while to import
        return all(0 < len(label) < 64 for label in name.removesuffix(".").split("."))
    try:
        return bool(name.encode("idna"))
    except UnicodeError:
        return False


def source(given: Any) -> str:
    """Read the address of a BMS, and return it with its scheme in lower case.

    What is behind the scheme is checked by the source itself.
    """
    expected = (
        "a source: ws://HOST/ws, wss://HOST/ws, http://HOST/cell, sim:, replay:FILE, or - for stdin"
    )
    if not isinstance(given, str) or not given.isprintable():
        raise ValueError(expected)
    scheme, colon, rest = given.partition(":")
    url = f"{scheme.lower()}{colon}{rest}"
    if re.match("replay:.", url):  # a file's name may hold spaces
        return url
    if " " in url:
        raise ValueError(expected)
    if url in ("-", "sim:") or url.startswith("sim:?"):
        return url
    try:
        parts = urlsplit(url)
        valid = (
            parts.scheme in ("ws", "wss", "http", "https")
            and parts.hostname
            and _is_host(parts.hostname)
            and parts.port != 0
        )
    except ValueError:  # a port that is no number, a bracket that is not closed
        valid = False
    if not valid:
        raise ValueError(expected + instead_of_source(url))
    return url
