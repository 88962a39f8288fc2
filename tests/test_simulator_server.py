"""The simulated BMS on a real websocket, met by real clients."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from recbms_zmq.errors import OutputError
from recbms_zmq.simulator import SimulatedBms, SimulatorOptions, server
from recbms_zmq.simulator.server import serving

FAST = SimulatorOptions(rate=200)


def with_server(
    test: Callable[[str], Awaitable[None]], options: SimulatorOptions = FAST, **where: Any
) -> None:
    """Run an async test against a served BMS; 20 s are far more than it needs."""

    async def run() -> None:
        async with asyncio.timeout(20), serving(options, **where) as address:
            await test(address)

    asyncio.run(run())


async def receive(client: ClientConnection) -> Any:
    message = await client.recv()
    assert isinstance(message, str)
    return json.loads(message)


async def get(url: str) -> tuple[int, str, Any]:
    """GET by an HTTP client that knows nothing of websockets."""

    def fetch() -> tuple[int, str, Any]:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.headers["Content-Type"], json.load(response)

    return await asyncio.to_thread(fetch)


def test_a_client_gets_the_settings_and_then_status_frames() -> None:
    async def test(address: str) -> None:
        async with connect(address) as client:
            frames = [await receive(client) for _ in range(20)]
        assert [frame["type"] for frame in frames] == ["settings"] + ["status"] * 19

    with_server(test)


def test_settings_come_again_after_their_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SETTINGS_INTERVAL", 0.05)

    async def test(address: str) -> None:
        async with connect(address) as client:
            seen = 0
            while seen < 3:
                seen += (await receive(client))["type"] == "settings"

    with_server(test)


def test_all_clients_see_the_same_pack() -> None:
    async def test(address: str) -> None:
        async with connect(address) as one, connect(address) as other:
            seen: list[set[str]] = [set(), set()]
            while len(seen[0] & seen[1]) < 10:
                for client, frames in zip((one, other), seen, strict=True):
                    frames.add(str(await client.recv()))

    with_server(test)


def test_what_a_client_sends_is_ignored_and_pings_are_still_answered() -> None:
    async def test(address: str) -> None:
        async with connect(address) as client:
            for number in range(200):
                await client.send(f"message {number}")
            await (await client.ping())
            assert (await receive(client))["type"] == "settings"

    with_server(test)


def test_a_client_that_does_not_read_costs_the_others_nothing() -> None:
    async def test(address: str) -> None:
        async with (
            connect(address) as reader,  # the first, so that it sees all the sleeper could see
            connect(address, max_queue=1, close_timeout=0.1) as sleeper,
        ):
            seen = {await reader.recv() for _ in range(300)}  # more than socket buffers hold
            assert (await receive(sleeper))["type"] == "settings"
            old = 0
            while await sleeper.recv() in seen:
                old += 1
        assert 0 < old < 280  # the rest it has missed, and is up to date

    with_server(test, SimulatorOptions(units=16, cells=32, rate=100))  # 60 kB a frame


def test_it_asks_for_no_compression_and_sends_no_pings() -> None:
    async def test(address: str) -> None:
        async with connect(address) as client:
            assert client.response is not None
            assert "Sec-WebSocket-Extensions" not in client.response.headers

    with_server(test)


def test_older_firmware_s_cell_page_is_answered() -> None:
    async def test(address: str) -> None:
        status, kind, body = await get(address.replace("ws:", "http:").replace("/ws", "/cell"))
        assert (status, kind, list(body)) == (200, "application/json", ["bms_array"])

    with_server(test)


def test_other_paths_are_not_found() -> None:
    async def test(address: str) -> None:
        with pytest.raises(urllib.error.HTTPError, match="404"):
            await get(address.replace("ws:", "http:").replace("/ws", "/"))

    with_server(test)


def test_it_listens_on_ipv6_too() -> None:
    async def test(address: str) -> None:
        assert address.startswith("ws://[::1]:")
        async with connect(address) as client:
            assert (await receive(client))["type"] == "settings"

    with_server(test, host="::1")


def test_a_client_that_is_none_leaves_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    async def test(address: str) -> None:
        host, port = address.removeprefix("ws://").removesuffix("/ws").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"\x16\x03\x01 certainly not HTTP\r\n\r\n")
        await reader.read()
        writer.close()
        async with connect(address) as client:
            await client.recv()

    with_server(test)
    assert capfd.readouterr() == ("", "")


def test_a_port_in_use_is_an_output_error() -> None:
    async def test(address: str) -> None:
        port = int(address.removesuffix("/ws").rpartition(":")[2])
        with pytest.raises(OutputError, match=f"cannot listen on 127.0.0.1, port {port}: "):
            async with serving(FAST, port=port):
                pass

    with_server(test)


@pytest.fixture
def command() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the real command; whatever is left of it at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "recbms_zmq", "simulate", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_command_says_where_it_listens_and_ends_cleanly(
    stop: signal.Signals, command: Callable[..., subprocess.Popen[str]]
) -> None:
    process = command("--port", "0", "--units", "2", "--cells", "8", "--rate", "50")
    assert process.stdout is not None
    address = process.stdout.readline().rstrip("\n")

    async def look() -> None:
        async with asyncio.timeout(20), connect(address) as client:
            assert (await receive(client))["bms_name"] == "9M-0000"
            status = await receive(client)
            assert list(status["bms_array"]["slave"]) == ["0", "1"]
            process.send_signal(stop)  # while a client is connected
            await client.wait_closed()

    asyncio.run(look())
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def test_the_command_with_a_port_in_use_says_so_and_exits_with_73(
    command: Callable[..., subprocess.Popen[str]],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = command("--port", str(port))
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (73, "")
    assert err == (
        f"recbms-zmq: the simulated BMS cannot listen on 127.0.0.1, port {port}: address already "
        "in use; choose another with --port (0: any free one) or --host\n"
    )


def test_the_package_does_not_import_websockets() -> None:
    code = "import recbms_zmq.simulator, sys; print({'websockets', 'asyncio'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


def test_the_same_pack_is_served_as_is_simulated() -> None:
    async def test(address: str) -> None:
        async with connect(address) as client:
            settings = await receive(client)
        measured = {"socs", "re1v", "op2v", "nnc", "vnc", "toor", "Ah", "cur"}
        expected = json.loads(SimulatedBms(FAST).settings(0))
        for key in measured:
            del settings[key], expected[key]
        assert settings == expected

    with_server(test)
