"""What the sources that connect over a network share."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fixtures import MakeBms
from support.module import FakeModule
from support.receiver import run_source

from recbms_zmq.errors import InvalidResponse
from recbms_zmq.sources.http import HttpSource
from recbms_zmq.sources.network import follow_redirect
from recbms_zmq.sources.websocket import WebSocketSource

FOLLOWED = [
    ("ws://h/ws", "/ws/", "ws://h/ws/"),
    ("ws://h:81/ws", "//h:81/x?y#z", "ws://h:81/x?y"),
    ("ws://h/ws", "http://h/ws/", "ws://h/ws/"),
    ("ws://h/ws", "https://h/ws", "wss://h/ws"),
    ("ws://h/ws", "wss://H:443/ws", "wss://H:443/ws"),
    ("ws://h:81/ws", "wss://h:81/ws", "wss://h:81/ws"),
    ("wss://h/ws", "/", "wss://h/"),
    ("http://me:pw@h/cell", "https://h/cell", "https://me:pw@h/cell"),
    ("http://h/cell", "cell/", "http://h/cell/"),
    ("http://[::1]:80/cell", "http://[::1]/x", "http://[::1]/x"),
]
REFUSED = [
    ("ws://h/ws", "ws://other/ws"),
    ("ws://h/ws", "ws://h:81/ws"),
    ("ws://h:81/ws", "wss://h/ws"),
    ("ws://h/ws", "wss://h:8443/ws"),
    ("wss://h/ws", "ws://h/ws"),
    ("https://h/cell", "http://h/cell"),
    ("http://h/cell", "ftp://h/cell"),
    ("http://h/cell", "file:///etc/passwd"),
    ("http://h/cell", "//h@other/"),
    ("http://h/cell", "http://h:x/"),
    ("http://h/cell", "http://[h/"),
]


@pytest.mark.parametrize(("url", "location", "target"), FOLLOWED)
def test_a_redirect_leads_to_another_path_or_to_tls(url: str, location: str, target: str) -> None:
    assert follow_redirect(url, location) == target


@pytest.mark.parametrize(("url", "location"), REFUSED)
def test_a_redirect_to_anything_else_is_refused_and_named(url: str, location: str) -> None:
    with pytest.raises(InvalidResponse, match="the BMS redirects to another server, which is"):
        follow_redirect(url, location)


def test_what_a_redirect_points_to_is_named_without_secrets() -> None:
    with pytest.raises(InvalidResponse) as refused:
        follow_redirect("ws://h/ws", "ws://me:pw@other/1A-2261\x1b?key=x" + "y" * 500)
    assert str(refused.value).endswith("refused: ws://***@other/1A-****??***")


@given(st.text(max_size=30), st.sampled_from(["ws://h/ws", "https://a:b@h:8443/cell"]))
def test_any_location_is_followed_on_the_same_host_or_refused(location: str, url: str) -> None:
    try:
        target = follow_redirect(url, location)
    except InvalidResponse:
        return
    scheme, _, rest = target.partition("://")
    assert scheme in ({"ws", "wss"} if url.startswith("ws") else {"https"})
    assert rest.split("/")[0].split("?")[0].rpartition("@")[2].lower() in ("h", "h:8443")


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Return a port at which the first address of every name does not answer."""
    silent, address = "127.0.0.2", "127.0.0.1"
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((silent, 0), backlog=0))
        for _ in range(3):  # more than its queue takes
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())

        def look_up(_: str, port: int, *__: Any) -> Any:
            kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
            return [(*kind, (host, port)) for host in (silent, address)]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        yield listener.getsockname()[1]


def test_a_websocket_is_found_behind_an_address_that_does_not_answer(
    port: int, make_bms: MakeBms
) -> None:
    make_bms(port=port)
    source = WebSocketSource(f"ws://bms.test:{port}/ws")
    assert run_source(source, 1) == [("connected", "")]


def test_a_page_is_found_behind_an_address_that_does_not_answer(port: int) -> None:
    with contextlib.closing(FakeModule(address=("127.0.0.1", port))):
        source = HttpSource(f"http://bms.test:{port}/cell")
        assert run_source(source, 1) == [("connected", "")]
