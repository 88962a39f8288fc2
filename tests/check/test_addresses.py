import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbms_zmq.check.addresses import candidates, needs_look_up
from recbms_zmq.config import readers

PLAIN = ("ws://{}/ws", "http://{}/cell")
SECURE = ("wss://{}/ws", "https://{}/cell")


@pytest.mark.parametrize(
    ("target", "host", "forms"),
    [
        ("192.168.8.2", "192.168.8.2", PLAIN),
        ("bms.local", "bms.local", PLAIN),
        ("bms", "bms", PLAIN),
        ("192.168.8.2:81", "192.168.8.2:81", PLAIN),
        ("::1", "[::1]", PLAIN),
        ("[fe80::1]:81", "[fe80::1]:81", PLAIN),
        (" 192.168.8.2/ ", "192.168.8.2", PLAIN),
        ("192.168.8.2/ws", "192.168.8.2", PLAIN),
        ("192.168.8.2/cell", "192.168.8.2", PLAIN),
        ("http://192.168.8.2", "192.168.8.2", PLAIN),
        ("http://192.168.8.2/", "192.168.8.2", PLAIN),
        ("HTTP://192.168.8.2/index.html?a=b#c", "192.168.8.2", PLAIN),
        ("http://192.168.8.2/ws", "192.168.8.2", PLAIN),
        ("ws://192.168.8.2", "192.168.8.2", PLAIN),
        ("http://owner:secret@bms/", "owner:secret@bms", PLAIN),
        ("https://bms.example:444/", "bms.example:444", SECURE),
        ("wss://bms.example/", "bms.example", SECURE),
    ],
)
def test_a_host_gives_the_websocket_and_the_page_of_older_firmware(
    target: str, host: str, forms: tuple[str, ...]
) -> None:
    assert candidates(target) == tuple(form.format(host) for form in forms)


@pytest.mark.parametrize(
    "target",
    [
        *("ws://h/ws", "ws://h/other", "http://h/cell", "HTTPS://h/cell/", "sim:", "sim:?units=2"),
        *("replay:file.jsonl", "-", "tcp://h:1", "", "a b", "house=ws://h/ws", "ftp://h/"),
    ],
)
def test_a_complete_address_and_what_is_none_have_no_candidates(target: str) -> None:
    assert candidates(target) == ()


@given(st.text() | st.from_regex(r"(https?://|wss?://)?[\w.:\[\]@-]{1,20}(/\w*)?", fullmatch=True))
def test_every_candidate_has_the_form_of_a_source_or_is_refused_as_one(target: str) -> None:
    for url in candidates(target):
        try:
            assert readers.source(url) == url
        except ValueError as exc:
            assert "expected" in str(exc)  # noqa: PT017 either is right


def test_only_a_name_needs_a_look_up() -> None:
    assert needs_look_up("ws://bms.local/ws") == "bms.local"
    assert [needs_look_up(u) for u in ("ws://10.0.0.1/ws", "ws://[::1]/ws", "sim:")] == [None] * 3
