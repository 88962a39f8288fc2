"""Tests of text for people: what is masked, and what stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbms_zmq.text import masked, masked_text, quoted

PASSWORD = "pa55w0rd"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("wss://user:pa55w0rd@bms.local:81/ws", "wss://***@bms.local:81/ws"),
        ("WS://user:pa55w0rd@h/ws", "WS://***@h/ws"),
        ("ws://pa55w0rd@h/ws", "ws://***@h/ws"),
        ("ws://user:pa55/w@0rd@h/ws", "ws://***@h/ws"),
        ("ws://user:pa55 w0rd@h/ws", "ws://***@h/ws"),
        ("House=ws://user:pa55w0rd@h/ws", "House=ws://***@h/ws"),
        ("user:pa55w0rd@h", "***@h"),
        ("House=user:pa55w0rd@h", "House=***@h"),
        ("user:pa55/w0rd@h", "***@h"),
        ("wss:/user:pa55w0rd@h", "wss:/***@h"),
        ("ws//user:pa55w0rd@h/ws", "ws//***@h/ws"),
        ("//user:pa55w0rd@h/ws", "//***@h/ws"),
        ("tcp://user:pa55w0rd@h:1", "tcp://***@h:1"),
        ("['tcp://user:pa55w0rd@h:1']", "['tcp://***@h:1']"),
        ("socks5h://user:pa55w0rd@p", "socks5h://***@p"),
        ("ws://h/ws?token=pa55w0rd", "ws://h/ws?***"),
    ],
)
def test_credentials_of_a_url_are_masked(value: str, shown: str) -> None:
    assert masked(value) == shown
    assert PASSWORD not in masked_text(f"cannot connect to {value}: refused")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "ws://192.168.8.2/ws",
        "me@home",
        "Battery @ home",
        "/home/me@work/recbms.toml",
        "/etc/a:b@c/recbms.toml",
        "~/me@work:1/x",
        "ipc://@name",
        "ipc:///run/me@home/pub",
        "ipc://name:of@home",
        "replay:/home/me@work/battery.jsonl?speed=0",
        "replay:me@work.jsonl",
        "sim:?units=2",
        "recbms-zmq@house.service",
        "@",
        "a@b@c",
    ],
)
def test_any_other_at_stays(value: str) -> None:
    assert masked(value) == value
    assert masked_text(f"cannot read {value}: no such file") == (
        f"cannot read {value}: no such file"
    )


@given(
    st.sampled_from(["ws://", "wss://", "http://", "Https://", "socks5://", "tcp://"]),
    st.text(st.characters(codec="ascii", exclude_characters="@?\0", min_codepoint=33)),
)
def test_no_password_is_shown_whatever_is_around_it(scheme: str, user: str) -> None:
    assert PASSWORD not in quoted(f"{scheme}{user}:{PASSWORD}@h")
    assert PASSWORD not in masked(f"{scheme}{user}:{PASSWORD}@h")


@pytest.mark.parametrize(
    "value",
    [
        *("/u:pa55w0rd@h/ws", "x/u:pa55w0rd@h", "\udcff/u:pa55@w0rd@h", "a b:pa55w0rd@"),
        *("x/@:pa55w0rd@h/ws", "w/:s/u:pa55w0rd@h/ws"),
    ],
)
def test_a_sentence_hides_also_what_may_be_a_path(value: str) -> None:
    for each in (value, [value], {"url": value}):
        assert "pa55" not in quoted(each)
        assert "w0rd" not in quoted(each)
    assert quoted("/etc/me@work/x") == "'/etc/me@work/x'"


@pytest.mark.parametrize("end", ["", "@h"])
@pytest.mark.parametrize("part", [":", "//a:b", "-", "a:", "ws:/", "pa55w0rd:"])
def test_a_value_of_any_length_is_quoted_soon(part: str, end: str) -> None:
    value = part * 10**6 + end
    shown = quoted(value)
    assert shown == quoted(value[:4096] + end)
    assert len(shown) <= 80
    assert not end or PASSWORD not in shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("ws://h/ws?token=pa55w0rd", "'ws://h/ws?***'"),
        (["ws://user:pa55w0rd@h"], "['ws://***@h']"),
        ("it's\x1b", '"it\'s\\x1b"'),
        (None, "None"),
        pytest.param(10**5000, "a number without end", id="a long number"),
        ("x" * 78, f"'{'x' * 78}'"),
        ("x" * 79, f"'{'x' * 76}..."),
    ],
)
def test_a_value_is_quoted_for_a_sentence(value: object, shown: str) -> None:
    assert quoted(value) == shown
