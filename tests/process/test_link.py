"""What a BMS and its network may do, and what a user sees of it."""

import contextlib
import itertools
import time

import pytest
from support import raw_websocket as raw
from support.bms import Connection, FakeBms, close_at_once
from support.fixtures import MakeBms, Run
from support.frames import status
from support.raw_server import raw_server

pytestmark = pytest.mark.slow


def test_a_bms_that_refuses_is_asked_again_until_it_is_there(make_bms: MakeBms, run: Run) -> None:
    bms = make_bms()
    bms.stop()
    service = run("--no-publish", bms.url)
    service.stderr.line("main: connection refused; trying again")
    bms.start()
    service.message(key="soc")
    service.stderr.line("main: online")
    assert service.availability == ["offline", "online"]


async def talk_nonsense_and_close(connection: Connection) -> None:
    await connection.send("Hello!")
    await connection.close()


def test_a_bms_that_accepts_and_closes_is_not_hammered(make_bms: MakeBms, run: Run) -> None:
    began = time.monotonic()
    flapping = make_bms(behave=close_at_once)
    nonsense = make_bms(behave=talk_nonsense_and_close)
    with raw_server(b"") as closing:
        service = run(
            "--no-publish",
            f"flapping={flapping.url}",
            f"nonsense={nonsense.url}",
            f"closing=ws://{closing.authority}/ws",
        )
        flapping.wait_for_connections(4)
        nonsense.wait_for_connections(4)
        # After about 1, 2 and 4 seconds, of which a quarter at most is left out by the jitter.
        assert flapping.connected_at[3] - began > 0.75 * 7
        assert nonsense.connected_at[3] - began > 0.75 * 7
        # The fourth is not before 0.75 * 7 s, and further ones are 0.75 * 4 s apart or more.
        assert len(closing.requests) <= 2.25 + (time.monotonic() - began) / (0.75 * 4)
    assert sorted(service.log("trying again")) == [
        "closing: the BMS gave no valid answer; trying again",
        "flapping: connection closed by the BMS, code 1000 (OK); trying again",
        "nonsense: connection closed by the BMS, code 1000 (OK); trying again",
    ]


def test_what_is_wrong_with_a_connection_is_logged_in_words(make_bms: MakeBms, run: Run) -> None:
    redirect = b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n\r\n"
    mute = "no answer within 10 s"
    expected = {
        "missing": (b"HTTP/1.1 404 Not Found\r\n\r\n", "the BMS answered with HTTP status 404"),
        "plain": (b"HTTP/1.1 200 OK\r\n\r\nhello", "the BMS answered with HTTP status 200"),
        "captive": (
            redirect,
            "the BMS redirects to another server, which is refused: http://login.example/",
        ),
        "ssh": (b"SSH-2.0-OpenSSH_9.2\r\n", "the BMS gave no valid answer"),
        "endless": (b"x" * 100_000, "the BMS gave no valid answer"),
        "mute": (None, mute),
    }
    good = make_bms()
    with contextlib.ExitStack() as stack:
        servers = {
            name: stack.enter_context(raw_server(answer)) for name, (answer, _) in expected.items()
        }
        sources = [f"{name}=ws://{server.authority}/ws" for name, server in servers.items()]
        service = run("--no-publish", *sources, f"good={good.url}")
        service.stderr.line("mute: ", "trying again")
        assert sorted(service.log("trying again")) == sorted(
            f"{name}: {reason}; trying again" for name, (_, reason) in expected.items()
        )
        service.message(topic="recbms/good/soc")


def test_no_proxy_is_used_unless_one_is_asked_for(bms: FakeBms, run: Run) -> None:
    with raw_server(b"HTTP/1.1 403 Forbidden\r\n\r\n") as proxy:
        names = ("http", "https", "ws", "wss", "all", "socks")
        variables = {f"{name}_proxy": f"http://{proxy.authority}" for name in names}
        variables |= {name.upper(): value for name, value in variables.items()}
        service = run("--no-publish", bms.url, env=variables)
        service.message(key="soc")
        assert proxy.requests == []

        asked = run("--no-publish", "--proxy", f"http://me:secret@{proxy.authority}", bms.url)
        asked.stderr.line("main: the proxy gives no connection", "403")
        assert proxy.requests[0].startswith(f"CONNECT {bms.authority} HTTP/1.1\r\n".encode())
        assert asked.stop() == 0
        assert "secret" not in asked.stderr.text()


@pytest.mark.parametrize("flood", ["pongs", "pings", "fragments", "bad frames", "long frames"])
def test_a_flood_delays_neither_the_other_bms_nor_the_end(
    flood: str, make_bms: MakeBms, run: Run
) -> None:
    keys = ",".join(f'"k{number}":{number}' for number in range(60_000))
    data = {
        "pongs": raw.frame(raw.PONG),
        "pings": raw.frame(raw.PING),
        "fragments": raw.frame(raw.TEXT & 0x7F) + raw.frame(raw.FRAGMENT) * 1000,
        "bad frames": raw.frame(raw.TEXT, b"{}"),
        "long frames": raw.frame(raw.TEXT, f'{{"type":"status",{keys}}}'.encode()),
    }[flood]
    first = data * (2**16 // len(data) + 1)
    if flood == "fragments":
        first, data = data, raw.frame(raw.FRAGMENT)
    endless = itertools.chain([first], itertools.repeat(data * (2**16 // len(data) + 1)))
    server = raw.RawWebSocket(endless)
    try:
        good = make_bms()
        service = run("--no-publish", f"flood={server.url}", f"good={good.url}")
        service.message(device="good", key="soc", payload=28.5)
        for number in range(10):
            good.send(status(soc=number / 100))
            service.message(device="good", key="soc", payload=float(number))
        assert service.stop() == 0
    finally:
        server.close()
    last = [m for m in service.messages if m["key"] == "availability"][-2:]
    assert [(m["payload"], m["reason"]) for m in last] == [("offline", "stopped")] * 2
