"""The simulated BMS on a real websocket: what it serves, and how each fault reaches a client."""

import asyncio
import contextlib
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
from support.waiting import PATIENCE
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from recbms_zmq.errors import OutputError
from recbms_zmq.simulator import SimulatorOptions
from recbms_zmq.simulator.faults import KINDS, parse_faults
from recbms_zmq.simulator.server import serving


def with_server(
    test: Callable[[str], Awaitable[None]],
    faults: str = "",
    *,
    rate: float = 100,
    host: str = "127.0.0.1",
) -> None:
    """Run an async test with the address of a served BMS."""

    async def run() -> None:
        options = SimulatorOptions(rate=rate, faults=parse_faults(faults) if faults else ())
        async with asyncio.timeout(PATIENCE), serving(options, host) as address:
            await test(address)

    asyncio.run(run())


async def receive(client: ClientConnection) -> Any:
    message = await client.recv()
    assert isinstance(message, str)
    return json.loads(message)


async def get(address: str, path: str = "/cell") -> tuple[int, str, Any]:
    """GET a page of the module at this websocket address."""
    url = address.replace("ws:", "http:").replace("/ws", path)

    def fetch() -> tuple[int, str, Any]:
        with urllib.request.urlopen(url, timeout=PATIENCE) as response:
            return response.status, response.headers["Content-Type"], json.load(response)

    return await asyncio.to_thread(fetch)


async def until_closed(client: ClientConnection) -> ConnectionClosed:
    """Read until the connection ends; return how it ended."""
    try:
        while True:
            await client.recv()
    except ConnectionClosed as exc:
        return exc


async def is_silent(client: ClientConnection) -> bool:
    """Return whether nothing comes for the time of 50 frames."""
    try:
        async with asyncio.timeout(0.5):
            await client.recv()
    except TimeoutError:
        return True
    return False


async def is_answering(client: ClientConnection) -> bool:
    """Return whether a ping is answered within half a second."""
    try:
        async with asyncio.timeout(0.5):
            await (await client.ping())
    except TimeoutError:
        return False
    return True


async def raw_connection(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a websocket without a websocket library; return it after the handshake."""
    host, port = address.removeprefix("ws://").removesuffix("/ws").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: bms\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return first byte and payload of an unmasked websocket frame."""
    first, length = await reader.readexactly(2)
    if length >= 126:
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
    return first, await reader.readexactly(length)


# --- what it serves ---


def test_all_clients_get_the_settings_and_then_the_same_status_frames() -> None:
    async def test(address: str) -> None:
        async with connect(address) as one, connect(address) as other:
            assert one.response is not None
            assert "Sec-WebSocket-Extensions" not in one.response.headers  # no compression
            assert (await receive(one))["type"] == (await receive(other))["type"] == "settings"
            seen: list[set[str]] = [set(), set()]
            while len(seen[0] & seen[1]) < 10:
                for client, frames in zip((one, other), seen, strict=True):
                    frames.add(str(await client.recv()))

    with_server(test)


def test_messages_of_a_client_are_ignored_and_its_pings_answered() -> None:
    async def test(address: str) -> None:
        async with connect(address) as client:
            for number in range(200):
                await client.send(f"message {number}")
            await (await client.ping())
            assert (await receive(client))["type"] == "settings"

    with_server(test)


def test_a_client_that_does_not_read_gets_the_newest_and_delays_no_other() -> None:
    async def test(address: str) -> None:
        async with (
            connect(address, max_size=None) as reader,  # first: it gets all that the slow one gets
            connect(address, max_size=None, max_queue=1, close_timeout=0.1) as slow,
        ):
            seen = {await reader.recv() for _ in range(20)}  # more than socket buffers hold
            await slow.recv()  # the settings
            old = 0
            while await slow.recv() in seen:
                old += 1
        assert old < 15

    with_server(test, "huge=2 100%", rate=20)


def test_the_cell_page_of_older_firmware_is_served_and_no_other_page() -> None:
    async def test(address: str) -> None:
        status, kind, body = await get(address)
        assert (status, kind, list(body)) == (200, "application/json", ["bms_array"])
        with pytest.raises(urllib.error.HTTPError, match="404") as caught:
            await get(address, "/")
        caught.value.close()

    with_server(test)


def test_a_client_that_does_not_send_http_leaves_no_traceback(
    capfd: pytest.CaptureFixture[str],
) -> None:
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
        reason = f"cannot listen on 127.0.0.1, port {port}: Address already in use; choose another"
        with pytest.raises(OutputError, match=reason):
            async with serving(SimulatorOptions(), port=port):
                pass

    with_server(test)


def test_the_package_does_not_import_websockets() -> None:
    code = "import recbms_zmq.simulator, sys; print({'websockets', 'asyncio'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


# --- the command ---


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_command_prints_its_address_and_ends_cleanly(
    stop: signal.Signals, start: Callable[..., Command]
) -> None:
    process = start(
        *("simulate", "--port", "0", "--units", "2", "--cells", "8", "--rate", "50"),
        *("--faults", "alarm=42 at 0s for 1h"),
    )
    address = process.stdout.line("ws://127.0.0.1:")

    async def look() -> None:
        async with asyncio.timeout(PATIENCE), connect(address) as client:
            settings = await receive(client)
            assert (settings["bms_name"], settings["err"]) == ("9M-0000", {"p": 1, "num": 42})
            assert list((await receive(client))["bms_array"]["slave"]) == ["0", "1"]
            process.send_signal(stop)  # while a client is connected
            await client.wait_closed()
            assert client.close_code == 1001

    asyncio.run(look())
    assert (process.wait(), process.stderr.text()) == (0, "")
    assert process.stdout.text() == f"{address}\n"


def test_a_client_without_a_request_does_not_delay_the_end(start: Callable[..., Command]) -> None:
    process = start("simulate", "--port", "0")
    port = process.stdout.line("ws://").removesuffix("/ws").rpartition(":")[2]
    with socket.create_connection(("127.0.0.1", int(port))) as silent:
        assert process.stop() == 0
        assert silent.recv(1) == b""


def test_a_host_that_cannot_be_used_is_an_error_without_its_password(
    start: Callable[..., Command],
) -> None:
    process = start("simulate", "--host", "ws://me:secret@127.0.0.1")
    assert process.wait() == 73
    assert process.stdout.text() == ""
    assert process.stderr.text().startswith(
        "recbms-zmq: the simulated BMS cannot listen on ws://***@127.0.0.1, port 8080: "
    )


def test_the_help_explains_each_fault(start: Callable[..., Command]) -> None:
    text = start("simulate", "--help").stdout.text()
    assert [name for name in KINDS if f"\n  {name} " not in text] == []


# --- faults of connections ---


def test_cut_ends_the_connection_in_the_middle_of_a_frame() -> None:
    async def test(address: str) -> None:
        reader, writer = await raw_connection(address)

        async def until_the_end() -> None:
            while True:
                await frame(reader)

        with pytest.raises(asyncio.IncompleteReadError) as cut:
            await until_the_end()
        writer.close()
        assert 200 < (cut.value.expected or 0) - len(cut.value.partial) < 400

    with_server(test, "cut at 1s")


def test_refuse_closes_the_port_and_opens_it_again() -> None:
    async def test(address: str) -> None:
        async with connect(address) as client:
            await until_closed(client)
        with pytest.raises(ConnectionRefusedError):
            await connect(address, open_timeout=None)
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                async with connect(address) as client:
                    await client.recv()
                    return
            await asyncio.sleep(0.05)

    with_server(test, "refuse at 200ms for 1500ms")


def test_goodbye_sends_a_close_frame_and_keeps_the_connection_open_until_its_end() -> None:
    async def test(address: str) -> None:
        reader, writer = await raw_connection(address)
        while (received := await frame(reader))[0] != 0x88:
            pass
        assert received == (0x88, b"\x03\xe8")
        # Neither an answer nor the end of the connection comes, whatever the client sends.
        writer.write(b"\x88\x82\0\0\0\0\x03\xe8")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await reader.read(1)
        # A new connection gets the same; and all are dropped when the fault has passed.
        late, late_writer = await raw_connection(address)
        assert (await frame(late))[0] == 0x88
        for each in (reader, late):
            with contextlib.suppress(ConnectionResetError):
                assert await each.read() == b""
        for each_writer in (writer, late_writer):
            each_writer.close()
        async with connect(address) as client:
            assert (await receive(client))["type"] == "settings"

    with_server(test, "goodbye at 200ms for 2s")


def test_no_pong_sends_frames_and_answers_no_ping_until_its_end() -> None:
    async def test(address: str) -> None:
        # Without a bound, so that unread frames do not hold pongs back.
        async with connect(address, max_queue=None) as client:
            while await is_answering(client):
                pass
            for _ in range(100):
                await client.recv()
            while not await is_answering(client):
                pass

    with_server(test, "no-pong at 200ms for 3s")


def test_stall_sends_nothing_and_answers_pings_until_its_end() -> None:
    async def test(address: str) -> None:
        async with connect(address) as client:
            while not await is_silent(client):
                pass
            assert await is_answering(client)
            async with connect(address) as late:
                assert await is_silent(late)
            page = asyncio.create_task(get(address))
            assert await is_silent(client)
            assert not page.done()
            assert (await receive(client))["type"] == "status"
            assert (await page)[0] == 200

    with_server(test, "stall at 200ms for 4s")


def test_freeze_answers_neither_pings_nor_handshakes_until_its_end() -> None:
    async def test(address: str) -> None:
        # Without a bound, so that unread frames do not hold pongs back.
        async with connect(address, max_queue=None) as client:
            while await is_answering(client):
                pass
            while not await is_silent(client):
                pass
            with pytest.raises(TimeoutError):
                await connect(address, open_timeout=0.3)
            async with connect(address) as waiting:
                assert (await receive(waiting))["type"] == "settings"
            await (await client.ping())

    with_server(test, "freeze at 200ms for 4s")


# --- faults of frames: what they do is asserted in test_fault_effects and test_traffic ---


def test_the_cell_page_has_the_same_faults() -> None:
    async def test(address: str) -> None:
        _, _, body = await get(address)
        assert len(json.dumps(body)) > 3 * 2**20
        assert body["bms_array"]["master"]["erro"]["st"] == 9

    with_server(test, "huge=3 100%, alarm=9 at 0s for 1h", rate=2)
