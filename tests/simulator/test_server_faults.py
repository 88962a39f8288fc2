"""Each fault, as a real websocket client meets it."""

import asyncio
import contextlib
import json
import re
import time
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.waiting import PATIENCE
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, ConnectionClosedOK

from recbms_zmq.simulator import SimulatedBms, SimulatorOptions
from recbms_zmq.simulator.faults import KINDS, parse_faults
from recbms_zmq.simulator.server import serving


def with_faults(
    faults: str, test: Callable[[str], Awaitable[None]], rate: float = 100, **options: Any
) -> None:
    """Run an async test against a BMS with faults."""

    async def run() -> None:
        chosen = SimulatorOptions(rate=rate, faults=parse_faults(faults), **options)
        async with asyncio.timeout(PATIENCE), serving(chosen) as address:
            await test(address)

    asyncio.run(run())


async def until_closed(client: ClientConnection) -> ConnectionClosed:
    """Read until the connection ends; return how it did."""
    try:
        while True:
            await client.recv()
    except ConnectionClosed as exc:
        return exc


async def is_silent(client: ClientConnection) -> bool:
    """Tell whether nothing comes for a time in which many frames would."""
    try:
        async with asyncio.timeout(0.5):
            await client.recv()
    except TimeoutError:
        return True
    return False


async def is_answering(client: ClientConnection) -> bool:
    """Tell whether a ping is answered within a time in which it easily could be."""
    try:
        async with asyncio.timeout(0.5):
            await (await client.ping())
    except TimeoutError:
        return False
    return True


def seen_by_address(messages: list[Any]) -> list[list[int]]:
    """The orders of the units, one after the other."""
    orders: list[list[int]] = []
    for message in messages:
        order = [unit["address"] for unit in message["bms_array"]["slave"].values()]
        if not orders or orders[-1] != order:
            orders.append(order)
    return orders


def test_drop_breaks_the_connection_off_without_a_goodbye() -> None:
    async def test(address: str) -> None:
        async with connect(address) as client:
            end = await until_closed(client)
            assert isinstance(end, ConnectionClosedError)
            assert (end.rcvd, end.sent) == (None, None)
        async with connect(address) as client:  # the next one works
            for _ in range(50):
                await client.recv()

    with_faults("drop at 200ms", test)


async def raw_bytes(address: str) -> bytes:
    """Everything that comes over the connection after the handshake, until it ends."""
    host, port = address.removeprefix("ws://").removesuffix("/ws").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: bms\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    data = await reader.read()
    writer.close()
    return data


def missing_bytes(data: bytes) -> int:
    """How much the last of these unmasked websocket frames announces but does not have."""
    place = 0
    while place < len(data):
        length, head = data[place + 1], 2
        if length == 126:
            length, head = int.from_bytes(data[place + 2 : place + 4], "big"), 4
        elif length == 127:
            length, head = int.from_bytes(data[place + 2 : place + 10], "big"), 10
        place += head + length
    return place - len(data)


def test_cut_breaks_off_in_the_middle_of_a_frame() -> None:
    async def test(address: str) -> None:
        assert 200 < missing_bytes(await raw_bytes(address)) < 400
        async with connect(address) as client:
            for _ in range(50):
                await client.recv()

    with_faults("cut at 200ms", test)


def test_refuse_leaves_nobody_listening_for_a_while() -> None:
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

    with_faults("refuse at 200ms for 1500ms", test)


def test_close_accepts_and_closes_at_once() -> None:
    async def test(address: str) -> None:
        async with connect(address) as client:
            assert isinstance(await until_closed(client), ConnectionClosedOK)
        for _ in range(3):
            async with connect(address) as client:
                with pytest.raises(ConnectionClosedOK):
                    await client.recv()

    with_faults("close at 200ms for 1h", test)


def test_stall_sends_nothing_but_answers_pings() -> None:
    async def test(address: str) -> None:
        async with connect(address) as client:
            while not await is_silent(client):
                pass
            assert await is_answering(client)
        async with connect(address) as late:  # can be opened, and gets nothing either
            assert await is_silent(late)

    with_faults("stall at 200ms for 1h", test)


def test_after_a_stall_the_same_connection_goes_on() -> None:
    async def test(address: str) -> None:
        async with connect(address) as client:
            while not await is_silent(client):
                pass
            assert json.loads(await client.recv())["type"] == "status"

    with_faults("stall at 200ms for 2s", test)


def test_freeze_answers_nothing_not_even_a_handshake() -> None:
    async def test(address: str) -> None:
        # Without a bound, so that unread frames do not keep the answers away.
        async with connect(address, max_queue=None, close_timeout=0.1) as client:
            while await is_answering(client):
                pass
            while not await is_silent(client):
                pass
            with pytest.raises(TimeoutError):
                await connect(address, open_timeout=0.5)

    with_faults("freeze at 200ms for 1h", test)


def test_after_a_freeze_everything_is_answered_again() -> None:
    async def test(address: str) -> None:
        async with connect(address, max_queue=None) as client:
            while await is_answering(client):
                pass
            async with connect(address) as waiting:
                assert json.loads(await waiting.recv())["type"] == "settings"
            await (await client.ping())

    with_faults("freeze at 200ms for 2s", test)


def test_burst_sends_what_was_held_back_all_at_once() -> None:
    async def test(address: str) -> None:
        arrivals: list[tuple[float, str]] = []

        def came_at_once() -> bool:
            """30 frames that were made over 0.3 s came within a third of that."""
            last = arrivals[-30:]
            made = {clock for _, clock in last}  # at this speed, another one in each frame
            return len(made) == 30 and last[-1][0] - last[0][0] < 0.1

        async with connect(address) as client:
            await client.recv()
            while not came_at_once():
                status = json.loads(await client.recv())["bms_array"]["master"]
                arrivals.append((time.monotonic(), status["time"]))

    with_faults("burst every 500ms for 450ms", test, speed=100, firmware="new")


def test_a_unit_drops_out_and_comes_back_as_the_last() -> None:
    async def test(address: str) -> None:
        messages: list[Any] = []
        async with connect(address) as client:
            await client.recv()
            while seen_by_address(messages)[-3:] != [[2, 3, 4], [3, 4], [3, 4, 2]]:
                messages.append(json.loads(await client.recv()))

    with_faults("unit at 300ms for 300ms", test, units=3)


def test_bad_utf_8_makes_the_client_close() -> None:
    async def test(address: str) -> None:
        async with connect(address) as client:
            end = await until_closed(client)
            assert end.sent is not None
            assert end.sent.code == 1007

    with_faults("bad-utf8 at 200ms", test)


def test_a_huge_frame_makes_a_client_with_a_limit_close() -> None:
    async def test(address: str) -> None:
        async with connect(address) as client:
            end = await until_closed(client)
            assert end.sent is not None
            assert end.sent.code == 1009

    with_faults("huge at 200ms", test)


def is_json(text: str | bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


KEYS = SimulatedBms().status(0).count(b'":')
FRAME_FAULTS: dict[str, Callable[[str | bytes], bool]] = {
    "half-frame": lambda m: str(m).startswith('{"type":"') and not is_json(m),
    "garbage": lambda m: not is_json(m) and "bms_array" not in str(m),
    "binary": lambda m: isinstance(m, bytes) and is_json(m),
    "huge": lambda m: len(m) > 5 * 2**20 and is_json(m),
    "deep": lambda m: str(m).count("[") == 100_000,
    "nan": lambda m: bool(re.search("NaN|nan|inf|Infinity|1e999", str(m))),
    "wrong-types": lambda m: is_json(m) and "bms_array" in str(m),
    "missing-keys": lambda m: is_json(m) and str(m).count('":') < KEYS,
    "unknown-keys": lambda m: is_json(m) and "nova" in str(m),
    "unknown-type": lambda m: json.loads(m)["type"] == "novost",
    "empty": lambda m: json.loads(m)["bms_array"]["slave"] == {},
    "clock": lambda m: json.loads(m)["bms_array"]["master"]["date"] == "01.01.2000",
    "alarm": lambda m: json.loads(m)["bms_array"]["master"]["erro"]["st"] == 2,
    "alarm=42": lambda m: json.loads(m)["bms_array"]["master"]["erro"]["st"] == 42,
}


@pytest.mark.parametrize("name", FRAME_FAULTS)
def test_a_fault_of_frames_arrives_as_ordered(name: str) -> None:
    async def test(address: str) -> None:
        async with connect(address, max_size=None) as client:
            await client.recv()  # the settings, which have other keys
            assert FRAME_FAULTS[name](await client.recv())

    with_faults(f"{name} 100%", test, rate=10)


def test_every_fault_has_been_met_here() -> None:
    alone = {"drop", "cut", "refuse", "close", "stall", "freeze", "burst", "unit", "bad-utf8"}
    assert set(FRAME_FAULTS) | alone == {*KINDS, "alarm=42"}


def test_the_cell_page_has_the_same_faults() -> None:
    async def test(address: str) -> None:
        url = address.replace("ws:", "http:").replace("/ws", "/cell")

        def get() -> bytes:
            with urllib.request.urlopen(url, timeout=PATIENCE) as response:
                body: bytes = response.read()
                return body

        body = await asyncio.to_thread(get)
        assert len(body) > 3 * 2**20
        assert json.loads(body)["bms_array"]["master"]["erro"]["st"] == 9

    with_faults("huge=3 100%, alarm=9 at 0s for 1h", test, rate=2)


def test_the_cell_page_waits_while_the_module_is_stalled() -> None:
    async def test(address: str) -> None:
        url = address.replace("ws:", "http:").replace("/ws", "/cell")

        def get() -> bytes:
            with urllib.request.urlopen(url, timeout=PATIENCE) as response:
                body: bytes = response.read()
                return body

        async with connect(address) as client:
            answer = asyncio.create_task(asyncio.to_thread(get))
            assert await is_silent(client)
            assert not answer.done()
            await client.recv()  # the stall is over
            assert json.loads(await answer)["bms_array"]

    with_faults("stall at 0s for 2s", test)
