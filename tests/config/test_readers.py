"""Tests of the kinds of values that options have."""

import datetime as dt
import itertools
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
PROXY = "the URL of a proxy, such as http://HOST:PORT or socks5h://HOST:PORT"


# A value of a pair is read as the other one, a value alone as itself.
GOOD: list[tuple[Reader, list[Any]]] = [
    (LEAST, [("0", 0.0), ("2.5", 2.5), ("1e3", 1000.0), (20, 20.0), 1e12]),
    (ABOVE, [("0.001", 0.001)]),
    (BETWEEN, [(100, 100.0), ("1", 1.0)]),
    (COUNT, [("2", 2), ("009", 9), 9]),
    (readers.count("messages"), [2**31 - 1]),
    (CHOICE, ["all"]),
    (readers.flag, [(word, True) for word in ("true", "Yes", "ON", "1", True, 1)]),
    (readers.flag, [(word, False) for word in ("false", "no", "off", "0", False)]),
    (readers.text, ["M\u00e4rz 1", "x" * 100]),
    (readers.name, ["house-2_b", "x" * 64]),
    (readers.path, [("/a/b", Path("/a/b")), ("~", Path.home())]),
    (readers.fingerprint, [("AB:" * 31 + "cd", "ab" * 31 + "cd")]),
    (readers.endpoint, ["tcp://127.0.0.1:5556", "tcp://*:*", "tcp://[::1]:0"]),
    (readers.endpoint, ["tcp://[fe80::1%eth0]:65535", "ipc:///run/x", "ipc://" + "x" * 107]),
    (readers.mode, [("0660", readers.Mode(0o660)), ("600", readers.Mode(0o600))]),
    (readers.network, [("192.168.8.2", ip_network("192.168.8.2/32"))]),
    (readers.network, [(n, ip_network(n)) for n in ("192.168.8.0/24", "fe80::/10")]),
    (readers.keys(), [("soc, Power,cell_voltage/*", "soc,power,cell_voltage/*")]),
    (readers.keys(), ["*/271/32,link/[fb]*,settings/remote_switc?"]),
    (readers.keys("event"), ["event"]),
    (readers.source, ["ws://192.168.8.2/ws", "wss://[::1]:8443", "http://h/cell", "-", "sim:"]),
    (readers.source, ["https://h/cell", "http://h.b./cell", "http://b\u00e4t.local/cell"]),
    (readers.source, ["replay:my file.jsonl?speed=2", "sim:?seed=1"]),
    (readers.source, [("WS://bms.local:81/ws?a=B", "ws://bms.local:81/ws?a=B")]),
    (readers.proxy, ["http://p", "http://p:3128", "socks5h://u:p@p:1080"]),
    (readers.proxy, ["https://u:" + "x" * 2000 + "@p"]),
]


@pytest.mark.parametrize(
    ("read", "given_value", "value"),
    [
        (read, *(each if isinstance(each, tuple) else (each, each)))
        for read, values in GOOD
        for each in values
    ],
)
def test_a_good_value_is_read(read: Reader, given_value: Any, value: Any) -> None:
    found = read(given_value)
    assert (found, type(found)) == (value, type(value))


KEYS = "keys of sensors, such as soc,power,cell_voltage/*"
ENDPOINT = "a ZeroMQ endpoint, tcp://ADDRESS:PORT or ipc://PATH"
BAD: list[tuple[Reader, str, list[Any]]] = [
    (
        *(LEAST, "seconds, a number of at least 0"),
        ["-1", "x", "", "nan", "inf", True, 10**400, [1], dt.date(2026, 1, 1)],
    ),
    (ABOVE, "seconds, a number above 0", ["0", "nan"]),
    (BETWEEN, "percent, a number from 1 to 100", ["0.9", "100.1"]),
    (
        *(COUNT, "bytes, a whole number from 2 to 9"),
        ["1", "10", "5.0", 5.0, " 5", "\u0665", True, None, 16**5000],
    ),
    (CHOICE, "one of changes, all", ["All", ["all"]]),
    (readers.flag, "true or false", ["maybe", 2, "", [True]]),
    (readers.text, "a text of one line", ["", "  ", "a\nb", "\ud800", 5]),
    (readers.text, "a text of at most 100 characters", ["x" * 101]),
    (
        *(readers.name, "a name of a-z, 0-9, _ and -, at most 64 characters"),
        ["", "a/b", "a\n", "\u00e4", "x" * 65, 5],
    ),
    (
        *(readers.name, "a name of a-z, 0-9, _ and -, at most 64 characters (perhaps my_boat?)"),
        ["My Boat"],
    ),
    (readers.path, "a path", ["", "ws://h/ws", "wss:/h/ws", "a\0b", 5]),
    (readers.path, "a path of at most 4,095 bytes", ["ä" * 2048]),
    (readers.path, "a path in a home directory that exists", ["~no-such-user/x"]),
    (readers.fingerprint, "a SHA-256 fingerprint, 64 hex digits", ["ab", "g" * 64, 5]),
    (
        *(readers.endpoint, ENDPOINT),
        [
            *("tcp://127.0.0.1:65536", "tcp://127.0.0.1:x"),
            *("tcp://::1:5556", "tcp://:5556", "udp://127.0.0.1:5556", "ipc://"),
            *("ipc://" + "x" * 108, "ipc://" + "\u00e4" * 54, "ipc:///a\nb", 5556),
        ],
    ),
    (
        *(readers.mode, 'the mode of a file as octal text, such as "0660"'),
        [600, "0o600", "0800", "1777"],
    ),
    (
        *(readers.network, "an IP address or a network, such as 192.168.8.0/24"),
        ["h", 5, "192.168.8.1/24"],
    ),
    (
        *(readers.source, SOURCE),
        [
            *("", 5, "ws://h:x/ws"),
            *("ws://[::1/ws", "ws://h /ws", "ws://h\n/ws", "ftp://h/ws", "replay:"),
            *("http://a..b/cell", "ws://.b/ws", f"ws://{'a' * 64}.b/ws", "replay:\n"),
            *("ws://" + "\u00e4" * 64 + ".b/ws", "http://\u00e4..b/cell"),
        ],
    ),
    (readers.source, SOURCE + " (perhaps ws://192.168.8.2/ws?)", ["192.168.8.2"]),
    (readers.source, SOURCE + " (perhaps ws://bms.local/ws?)", ["bms.local"]),
    (readers.source, SOURCE + " (the host is missing)", ["ws://", "ws:///ws", "http://:80/"]),
    (
        *(readers.source, SOURCE + " (without the quotes)"),
        ["'ws://h/ws'", '"ws://h/ws"', "\N{LEFT DOUBLE QUOTATION MARK}ws://h/ws", "<ws://h/ws>"],
    ),
    (readers.source, SOURCE + " (perhaps ws://h:81/ws?)", ["h:81"]),
    (
        *(readers.source, SOURCE + " (a scheme is missing: ws:// or http://)"),
        ["192.168.8.2/ws", "bms.local:81/cell"],
    ),
    (readers.source, SOURCE + " (a colon is missing before the slashes)", ["ws//h/ws"]),
    (
        *(
            readers.source,
            SOURCE + " (perhaps a service publishes there: recbms-zmq listen tcp://h:5556)",
        ),
        ["h:5556"],
    ),
    (
        *(readers.source, SOURCE + " (perhaps sim:, or sim:?units=2&cells=16?)"),
        ["sim", "demo", "simulate", "sim?cells=4", "sim:cells=4", "sim://"],
    ),
    (readers.source, SOURCE + " (perhaps replay:FILE?)", ["file:///tmp/battery.jsonl"]),
    *(
        (read, f"{what} (for MQTT: recbms-zmq files to_mqtt.py, or flow --target mqtt)", [url])
        for read, what in ((readers.source, SOURCE), (readers.endpoint, ENDPOINT))
        for url in ("mqtt://u:secret@h", "MQTTS://h:8883")
    ),
    (readers.source, SOURCE + " (perhaps recbms-zmq run --config /etc/r.toml?)", ["/etc/r.toml"]),
    (
        *(readers.source, SOURCE + " (a configuration is a TOML file: --config FILE)"),
        ["recbms.yaml", "recbms.conf"],
    ),
    (readers.source, SOURCE + " (perhaps replay:./battery.jsonl?)", ["./battery.jsonl"]),
    (
        *(readers.source, SOURCE + " (a port is a number from 1 to 65535)"),
        ["ws://h:0/ws", "ws://h:99999/ws"],
    ),
    (readers.source, SOURCE + " (two slashes follow the colon)", ["ws:/h/ws", "http:h"]),
    (
        *(
            readers.source,
            SOURCE + " (that is where a service publishes: recbms-zmq listen reads it)",
        ),
        ["tcp://h:5556"],
    ),
    (
        *(readers.endpoint, ENDPOINT + " (that is an address of a BMS: recbms-zmq run reads it)"),
        ["ws://h/ws", "http://h"],
    ),
    (
        *(readers.endpoint, ENDPOINT + " (perhaps tcp://127.0.0.1:5556?)"),
        ["127.0.0.1:5556", "127.0.0.1", "5556"],
    ),
    (readers.endpoint, ENDPOINT + " (perhaps tcp://*:5556?)", ["*:5556"]),
    (readers.endpoint, ENDPOINT + " (a port is missing: tcp://h:5556)", ["tcp://h"]),
    (readers.endpoint, ENDPOINT + " (perhaps ipc:///run/pub?)", ["/run/pub"]),
    (readers.endpoint, ENDPOINT + " (a topic follows --topic)", ["recbms/main/soc"]),
    (readers.keys(), KEYS + " (no sensor has 'powr'; did you mean power?)", ["soc,powr"]),
    (
        *(readers.keys(), KEYS + " (no sensor has 'cell_voltage'; did you mean cell_voltage/*?)"),
        ["cell_voltage"],
    ),
    (readers.keys(), KEYS + " (no sensor has '*/272/1')", ["*/272/1"]),
    (readers.keys("event"), KEYS + " (no sensor has 'snapshot')", ["snapshot"]),
    (readers.keys(), KEYS, ["soc,", None]),
    (readers.proxy, PROXY, [5, "", "p:3128", "http://", "http://p:x", "http://p p", "//p"]),
]


@pytest.mark.parametrize(
    ("read", "given_value", "expected"),
    [(read, each, expected) for read, expected, values in BAD for each in values],
    ids=itertools.count(),  # pytest would print 16**5000, which Python does not
)
def test_a_bad_value_is_answered_with_what_is_expected(
    read: Reader, given_value: Any, expected: str
) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        read(given_value)
    assert str(refused.value) == expected


READERS = list(dict.fromkeys(read for read, *_ in GOOD))
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
    ("loopback", "hosts"),
    [
        (True, ["127.0.0.1", "127.1.2.3", "localhost", "[::1]", "lo"]),
        (False, ["*", "0.0.0.0", "192.168.8.2", "[::]", "eth0", "127.0.0.1.example.net"]),
    ],
)
def test_only_loopback_endpoints_are_loopback(loopback: bool, hosts: list[str]) -> None:
    assert [readers.is_loopback(f"tcp://{host}:5556") for host in hosts] == [loopback] * len(hosts)
    assert readers.is_loopback("ipc:///run/recbms")
