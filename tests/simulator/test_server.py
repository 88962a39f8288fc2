"""The simulated BMS on a real websocket, met by real clients."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.process import Command
from websockets.asyncio.client import ClientConnection, connect

from recbms_zmq.errors import OutputError
from recbms_zmq.simulator import SimulatedBms, SimulatorOptions, traffic
from recbms_zmq.simulator.faults import KINDS, parse_faults
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
    monkeypatch.setattr(traffic, "SETTINGS_INTERVAL", 0.05)

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
            connect(address, max_size=None) as reader,  # first: it sees all the sleeper could see
            connect(address, max_size=None, max_queue=1, close_timeout=0.1) as sleeper,
        ):
            seen = {await reader.recv() for _ in range(20)}  # more than socket buffers hold
            await sleeper.recv()  # the settings
            old = 0
            while await sleeper.recv() in seen:
                old += 1
        assert old < 15  # the rest it has missed, and is up to date

    with_server(test, SimulatorOptions(rate=20, faults=parse_faults("huge=2 100%")))


def test_it_uses_no_compression() -> None:
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
        with pytest.raises(urllib.error.HTTPError, match="404") as caught:
            await get(address.replace("ws:", "http:").replace("/ws", "/"))
        caught.value.close()  # the error is also the answer, with its socket

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


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_command_says_where_it_listens_and_ends_cleanly(
    stop: signal.Signals, start: Callable[..., Command]
) -> None:
    process = start("simulate", "--port", "0", "--units", "2", "--cells", "8", "--rate", "50")
    address = process.stdout.line("ws://127.0.0.1:")

    async def look() -> None:
        async with asyncio.timeout(20), connect(address) as client:
            assert (await receive(client))["bms_name"] == "9M-0000"
            status = await receive(client)
            assert list(status["bms_array"]["slave"]) == ["0", "1"]
            process.send_signal(stop)  # while a client is connected
            await client.wait_closed()
            assert client.close_code == 1001

    asyncio.run(look())
    assert (process.wait(), process.stderr.text()) == (0, "")
    assert process.stdout.text() == f"{address}\n"


def test_a_client_that_never_says_anything_does_not_delay_the_end(
    start: Callable[..., Command],
) -> None:
    process = start("simulate", "--port", "0")
    port = process.stdout.line("ws://").removesuffix("/ws").rpartition(":")[2]
    with socket.create_connection(("127.0.0.1", int(port))) as silent:
        assert process.stop() == 0
        assert silent.recv(1) == b""


def test_the_command_with_a_port_in_use_says_so_and_exits_with_73(
    start: Callable[..., Command],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start("simulate", "--port", str(port))
        assert process.wait() == 73
    assert process.stdout.text() == ""
    assert process.stderr.text() == (
        f"recbms-zmq: the simulated BMS cannot listen on 127.0.0.1, port {port}: address already "
        "in use; choose another with --port (0: any free one) or --host\n"
    )


def test_a_host_that_is_none_is_quoted_without_a_password(start: Callable[..., Command]) -> None:
    process = start("simulate", "--host", "ws://me:secret@127.0.0.1")
    assert process.wait() == 73
    assert process.stderr.text().startswith(
        "recbms-zmq: the simulated BMS cannot listen on ws://***@127.0.0.1, port 8080: "
    )


def test_the_command_takes_faults_and_its_help_explains_each(
    start: Callable[..., Command],
) -> None:
    process = start("simulate", "--port", "0", "--faults", "alarm=42 at 0s for 1h, nan 1%")
    address = process.stdout.line("ws://")

    async def look() -> None:
        async with asyncio.timeout(20), connect(address) as client:
            assert (await receive(client))["err"] == {"p": 1, "num": 42}

    asyncio.run(look())
    told = start("simulate", "--help").stdout.text()
    assert [name for name in KINDS if f"\n  {name} " not in told] == []


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
