"""Tests of the kinds of values that options have."""

import datetime as dt
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbms_zmq.config import readers
from recbms_zmq.config.readers import Reader

LEAST = readers.number("seconds")
ABOVE = readers.number("seconds", above=True)
BETWEEN = readers.number("percent", least=1, most=100)
COUNT = readers.count("bytes", least=2, most=9)
CHOICE = readers.choice("changes", "all")
SOURCE = (
    "a source: ws://HOST/ws, wss://HOST/ws, http://HOST/cell, sim:, replay:FILE, or - for stdin"
)
ENDPOINT = "a ZeroMQ endpoint, tcp://ADDRESS:PORT or ipc://PATH"


@pytest.mark.parametrize(
    ("read", "given_value", "value"),
    [
        (LEAST, "0", 0.0),
        (LEAST, "2.5", 2.5),
        (LEAST, "1e3", 1000.0),
        (LEAST, 20, 20.0),
        (LEAST, 1e12, 1e12),
        (ABOVE, "0.001", 0.001),
        (BETWEEN, 100, 100.0),
        (BETWEEN, "1", 1.0),
        (COUNT, "2", 2),
        (COUNT, "009", 9),
        (COUNT, 9, 9),
        (readers.count("messages"), 2**31 - 1, 2**31 - 1),
        (CHOICE, "all", "all"),
        (readers.flag, "true", True),
        (readers.flag, "Yes", True),
        (readers.flag, "ON", True),
        (readers.flag, "1", True),
        (readers.flag, True, True),
        (readers.flag, 1, True),
        (readers.flag, "false", False),
        (readers.flag, "no", False),
        (readers.flag, "off", False),
        (readers.flag, "0", False),
        (readers.flag, False, False),
        (readers.text, "M\u00e4rz 1", "M\u00e4rz 1"),
        (readers.text, "x" * 100, "x" * 100),
        (readers.name, "house-2_b", "house-2_b"),
        (readers.name, "x" * 64, "x" * 64),
        (readers.path, "/a/b", Path("/a/b")),
        (readers.path, "~", Path.home()),
        (readers.fingerprint, "AB:" * 31 + "cd", "ab" * 31 + "cd"),
        (readers.endpoint, "tcp://127.0.0.1:5556", "tcp://127.0.0.1:5556"),
        (readers.endpoint, "tcp://*:*", "tcp://*:*"),
        (readers.endpoint, "tcp://[::1]:0", "tcp://[::1]:0"),
        (readers.endpoint, "tcp://[fe80::1%eth0]:65535", "tcp://[fe80::1%eth0]:65535"),
        (readers.endpoint, "ipc:///run/x", "ipc:///run/x"),
        (readers.endpoint, "ipc://" + "x" * 107, "ipc://" + "x" * 107),
        (readers.mode, "0660", readers.Mode(0o660)),
        (readers.mode, "600", readers.Mode(0o600)),
        (readers.network, "192.168.8.2", ip_network("192.168.8.2/32")),
        (readers.network, "192.168.8.0/24", ip_network("192.168.8.0/24")),
        (readers.network, "fe80::/10", ip_network("fe80::/10")),
        (readers.keys(), "soc, Power,cell_voltage/*", "soc,power,cell_voltage/*"),
        (
            readers.keys(),
            "*/271/32,link/[fb]*,settings/remote_switc?",
            "*/271/32,link/[fb]*,settings/remote_switc?",
        ),
        (readers.keys("event"), "event", "event"),
        (readers.source, "ws://192.168.8.2/ws", "ws://192.168.8.2/ws"),
        (readers.source, "WS://bms.local:81/ws?a=B", "ws://bms.local:81/ws?a=B"),
        (readers.source, "wss://[::1]:8443", "wss://[::1]:8443"),
        (readers.source, "http://h/cell", "http://h/cell"),
        (readers.source, "https://h/cell", "https://h/cell"),
        (readers.source, "http://h.b./cell", "http://h.b./cell"),
        (readers.source, "http://b\u00e4t.local/cell", "http://b\u00e4t.local/cell"),
        (readers.source, "-", "-"),
        (readers.source, "replay:my file.jsonl?speed=2", "replay:my file.jsonl?speed=2"),
        (readers.source, "sim:", "sim:"),
        (readers.source, "sim:?seed=1", "sim:?seed=1"),
    ],
)
def test_a_good_value_is_read(read: Reader, given_value: Any, value: Any) -> None:
    found = read(given_value)
    assert (found, type(found)) == (value, type(value))


AT_LEAST = "seconds, a number of at least 0"
MORE = "seconds, a number above 0"
PERCENT = "percent, a number from 1 to 100"
WHOLE = "bytes, a whole number from 2 to 9"
TEXT = "a text of one line"
NAME = "a name of a-z, 0-9, _ and -, at most 64 characters"
MODE = 'the mode of a file as octal text, such as "0660"'
KEYS = "keys of sensors, such as soc,power,cell_voltage/*"
NETWORK = "an IP address or a network, such as 192.168.8.0/24"
FINGERPRINT = "a SHA-256 fingerprint, 64 hex digits"


@pytest.mark.parametrize(
    ("read", "given_value", "expected"),
    [
        (LEAST, "-1", AT_LEAST),
        (LEAST, "x", AT_LEAST),
        (LEAST, "", AT_LEAST),
        (LEAST, "nan", AT_LEAST),
        (LEAST, "inf", AT_LEAST),
        (LEAST, True, AT_LEAST),
        (LEAST, 10**400, AT_LEAST),
        (LEAST, [1], AT_LEAST),
        (LEAST, dt.date(2026, 1, 1), AT_LEAST),
        (ABOVE, "0", MORE),
        (ABOVE, "nan", MORE),
        (BETWEEN, "0.9", PERCENT),
        (BETWEEN, "100.1", PERCENT),
        (COUNT, "1", WHOLE),
        (COUNT, "10", WHOLE),
        (COUNT, "5.0", WHOLE),
        (COUNT, 5.0, WHOLE),
        (COUNT, " 5", WHOLE),
        (COUNT, "\u0665", WHOLE),
        (COUNT, True, WHOLE),
        pytest.param(COUNT, 16**5000, WHOLE, id="a number that Python does not print"),
        (COUNT, None, WHOLE),
        (CHOICE, "All", "one of changes, all"),
        (CHOICE, ["all"], "one of changes, all"),
        (readers.flag, "maybe", "true or false"),
        (readers.flag, 2, "true or false"),
        (readers.flag, "", "true or false"),
        (readers.flag, [True], "true or false"),
        (readers.text, "", TEXT),
        (readers.text, "  ", TEXT),
        (readers.text, "a\nb", TEXT),
        (readers.text, "\ud800", TEXT),
        (readers.text, 5, TEXT),
        (readers.text, "x" * 101, "a text of at most 100 characters"),
        (readers.name, "", NAME),
        (readers.name, "Main", NAME),
        (readers.name, "a/b", NAME),
        (readers.name, "a\n", NAME),
        (readers.name, "\u00e4", NAME),
        (readers.name, "x" * 65, NAME),
        (readers.name, 5, NAME),
        (readers.path, "", "a path"),
        (readers.path, "ws://h/ws", "a path"),
        (readers.path, "wss:/h/ws", "a path"),
        (readers.path, "a\0b", "a path"),
        (readers.path, 5, "a path"),
        (readers.path, "ä" * 2048, "a path of at most 4,095 bytes"),
        (readers.path, "~no-such-user/x", "a path in a home directory that exists"),
        (readers.fingerprint, "ab", FINGERPRINT),
        (readers.fingerprint, "g" * 64, FINGERPRINT),
        (readers.fingerprint, 5, FINGERPRINT),
        (
            readers.endpoint,
            "ws://h/ws",
            f"{ENDPOINT} (that is an address of a BMS: recbms-zmq run reads it)",
        ),
        (
            readers.source,
            "tcp://h:5556",
            f"{SOURCE} (that is where a service publishes: recbms-zmq listen reads it)",
        ),
        (readers.source, "ws:/h/ws", f"{SOURCE} (two slashes follow the colon)"),
        (readers.endpoint, "127.0.0.1:5556", f"{ENDPOINT} (perhaps tcp://127.0.0.1:5556?)"),
        (readers.endpoint, "tcp://127.0.0.1", ENDPOINT),
        (readers.endpoint, "tcp://127.0.0.1:65536", ENDPOINT),
        (readers.endpoint, "tcp://127.0.0.1:x", ENDPOINT),
        (readers.endpoint, "tcp://::1:5556", ENDPOINT),
        (readers.endpoint, "tcp://:5556", ENDPOINT),
        (readers.endpoint, "udp://127.0.0.1:5556", ENDPOINT),
        (readers.endpoint, "ipc://", ENDPOINT),
        (readers.endpoint, "ipc://" + "x" * 108, ENDPOINT),
        (readers.endpoint, "ipc://" + "\u00e4" * 54, ENDPOINT),
        (readers.endpoint, "ipc:///a\nb", ENDPOINT),
        (readers.endpoint, 5556, ENDPOINT),
        (readers.mode, 600, MODE),
        (readers.mode, "0o600", MODE),
        (readers.mode, "0800", MODE),
        (readers.mode, "1777", MODE),
        (readers.network, "h", NETWORK),
        (readers.network, 5, NETWORK),
        (readers.network, "192.168.8.1/24", NETWORK),
        (readers.source, "", SOURCE),
        (readers.source, 5, SOURCE),
        (readers.source, "ws://", SOURCE),
        (readers.source, "ws:///ws", SOURCE),
        (readers.source, "ws://h:0/ws", f"{SOURCE} (a port is a number from 1 to 65535)"),
        (readers.source, "http://a..b/cell", SOURCE),
        (readers.source, "ws://.b/ws", SOURCE),
        (readers.source, f"ws://{'a' * 64}.b/ws", SOURCE),
        (readers.source, "ws://" + "\u00e4" * 64 + ".b/ws", SOURCE),
        (readers.source, "http://\u00e4..b/cell", SOURCE),
        (readers.source, "ws://h:99999/ws", f"{SOURCE} (a port is a number from 1 to 65535)"),
        (readers.source, "ws://h:x/ws", SOURCE),
        (readers.source, "ws://[::1/ws", SOURCE),
        (readers.source, "ws://h /ws", SOURCE),
        (readers.source, "ws://h\n/ws", SOURCE),
        (readers.source, "ftp://h/ws", SOURCE),
        (readers.source, "sim:x", SOURCE),
        (readers.source, "replay:", SOURCE),
        (readers.keys(), "soc,powr", KEYS + " (no sensor has 'powr'; did you mean power?)"),
        (
            *(readers.keys(), "cell_voltage"),
            KEYS + " (no sensor has 'cell_voltage'; did you mean cell_voltage/*?)",
        ),
        (readers.keys(), "*/272/1", KEYS + " (no sensor has '*/272/1')"),
        (readers.keys("event"), "snapshot", KEYS + " (no sensor has 'snapshot')"),
        (readers.keys(), "soc,", KEYS),
        (readers.keys(), None, KEYS),
        (readers.source, "replay:\n", SOURCE),
        (readers.source, "192.168.8.2", SOURCE + " (perhaps ws://192.168.8.2/ws?)"),
        (readers.source, "bms.local", SOURCE + " (perhaps ws://bms.local/ws?)"),
    ],
)
def test_a_bad_value_is_answered_with_what_is_expected(
    read: Reader, given_value: Any, expected: str
) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        read(given_value)
    assert str(refused.value) == expected


READERS = [
    LEAST,
    ABOVE,
    BETWEEN,
    COUNT,
    CHOICE,
    readers.flag,
    readers.text,
    readers.name,
    readers.path,
    readers.fingerprint,
    readers.endpoint,
    readers.mode,
    readers.network,
    readers.keys(),
    readers.source,
]
TOML = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400)])
    | st.floats()
    | st.text()
    | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
ALMOST = st.sampled_from(["ws://", "wss://[", "tcp://", "ipc://", "sim:", "~"]).flatmap(
    lambda start: st.text().map(lambda rest: start + rest)
)


@given(st.sampled_from(READERS), TOML | ALMOST)
def test_no_value_is_answered_with_anything_but_a_value_error(read: Reader, value: Any) -> None:
    try:
        read(value)
    except ValueError as exc:
        assert type(exc) is ValueError  # noqa: PT017 every value may be good or bad


@pytest.mark.parametrize(
    ("endpoint", "loopback"),
    [
        ("tcp://127.0.0.1:5556", True),
        ("tcp://127.1.2.3:5556", True),
        ("tcp://localhost:5556", True),
        ("tcp://[::1]:5556", True),
        ("tcp://lo:5556", True),
        ("ipc:///run/recbms", True),
        ("tcp://*:5556", False),
        ("tcp://0.0.0.0:5556", False),
        ("tcp://192.168.8.2:5556", False),
        ("tcp://[::]:5556", False),
        ("tcp://eth0:5556", False),
        ("tcp://127.0.0.1.example.net:5556", False),
    ],
)
def test_only_loopback_endpoints_are_loopback(endpoint: str, loopback: bool) -> None:
    assert readers.is_loopback(endpoint) is loopback


@pytest.mark.parametrize(
    "url", ["http://p", "http://p:3128", "socks5h://u:p@p:1080", "https://u:" + "x" * 2000 + "@p"]
)
def test_a_proxy_is_a_url_of_any_sane_length(url: str) -> None:
    assert readers.proxy(url) == url


@pytest.mark.parametrize("given", [5, "", "p:3128", "http://", "http://p:x", "http://p p", "//p"])
def test_a_proxy_is_a_url(given: Any) -> None:
    with pytest.raises(ValueError, match="the URL of a proxy"):
        readers.proxy(given)
