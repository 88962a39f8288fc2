"""The BMS of the benchmark: `python -m tests.bench.server FRAMES …`, a process of its own.

It prints its port, then does one of these:

- flood: prints `connected` when a client is there, waits for a line on stdin, and sends all frames
  as fast as the client takes them. They are framed beforehand, so that the server is not what the
  benchmark measures.
- `--rate R`: sends the frames to a client at a rate, then prints the times of sending.
- `--fleet N`: sends one frame a second to each of N clients for ever, evenly spread over the
  second. Prints `connected` when all clients are there, and for every line on stdin the number of
  frames sent so far.
"""

import argparse
import asyncio
import itertools
import json
import os
import pickle
import ssl
import sys
import time
from pathlib import Path

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from .drive import SETTINGS_EVERY, on_the_wire, stamp

PIECE = 32_768
"""Bytes that a flood writes at once."""


async def flood(connection: ServerConnection, messages: list[bytes]) -> None:
    """Send everything as fast as it is taken."""
    print("connected", flush=True)
    await asyncio.to_thread(sys.stdin.buffer.readline)
    piece = bytearray()
    for message in messages:
        piece += on_the_wire(message)
        if len(piece) > PIECE:
            await _write(connection, bytes(piece))
            piece.clear()
    await _write(connection, bytes(piece))


async def _write(connection: ServerConnection, data: bytes) -> None:
    connection.transport.write(data)
    while connection.transport.get_write_buffer_size() > 2 * PIECE:  # noqa: ASYNC110 no event
        await asyncio.sleep(0.001)


async def send_at_rate(connection: ServerConnection, messages: list[bytes], rate: float) -> None:
    """Send at a rate; print the times of sending."""
    times = []
    start = time.monotonic()
    for number, message in enumerate(messages):
        await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
        times.append(time.monotonic())
        try:
            await connection.send(message, text=True)
        except ConnectionClosed:
            return
    print(json.dumps(times), flush=True)


class Fleet:
    """Sends one frame a second to each of `size` clients."""

    def __init__(self, messages: list[bytes], size: int) -> None:
        self._messages = messages
        self._size = size
        self._start = time.monotonic()
        self._places = itertools.count()
        self._connected = 0
        self._is_complete = False
        self._sent = 0

    async def serve(self, connection: ServerConnection) -> None:
        """Send until the client leaves: settings first, then from its own second of the day."""
        place = next(self._places)
        self._connected += 1
        # Not by the places: a client that comes back has another one.
        if self._connected == self._size and not self._is_complete:
            self._is_complete = True
            print("connected", flush=True)
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._print_count)
        try:
            await self._send(connection, place)
        finally:
            self._connected -= 1

    async def _send(self, connection: ServerConnection, place: int) -> None:
        second = int(time.monotonic() - self._start) + 1
        frame = place % len(self._messages) // SETTINGS_EVERY * SETTINGS_EVERY
        while True:
            due = self._start + second + place / self._size
            await asyncio.sleep(due - time.monotonic())
            message = stamp(self._messages[frame % len(self._messages)], time.monotonic())
            try:
                await connection.send(message, text=True)
            except ConnectionClosed:
                return
            self._sent += 1
            second += 1
            frame += 1

    def _print_count(self) -> None:
        if os.read(sys.stdin.fileno(), 1):
            print(self._sent, flush=True)
        else:
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())


async def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("messages", help="pickled list of messages")
    parser.add_argument("--rate", type=float, help="frames a second")
    parser.add_argument("--fleet", type=int, help="clients, each with one frame a second")
    parser.add_argument("--certificate", nargs=2, metavar=("FILE", "KEY"), help="serve wss://")
    args = parser.parse_args()
    messages: list[bytes] = pickle.loads(Path(args.messages).read_bytes())  # noqa: ASYNC240
    fleet = Fleet(messages, args.fleet or 0)
    tls = None
    if args.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*args.certificate)

    async def handle(connection: ServerConnection) -> None:
        if args.fleet:
            await fleet.serve(connection)
        elif args.rate:
            await send_at_rate(connection, messages, args.rate)
        else:
            await flood(connection, messages)
        await connection.wait_closed()

    async with serve(
        handle, "127.0.0.1", 0, ssl=tls, compression=None, ping_interval=None, backlog=2048
    ) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
