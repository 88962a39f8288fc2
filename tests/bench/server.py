"""The load's own process: `python -m tests.bench.server`, told what to do by its arguments.

A flood is written straight to the transport, in frames made beforehand, so that it never is what is
measured. Prints its port; then, when flooding, `connected`, and waits for a line on stdin; when
pacing with `--log`, the times at which it sent the frames.
"""

import argparse
import asyncio
import json
import pickle
import sys
import time
from pathlib import Path

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from .drive import STAMP, on_the_wire


async def flood(connection: ServerConnection, messages: list[bytes]) -> None:
    """Send everything as fast as it is taken, in pieces of about 32 KiB."""
    piece = bytearray()
    for message in messages:
        piece += on_the_wire(message)
        if len(piece) > 32_768:
            await _write(connection, bytes(piece))
            piece.clear()
    await _write(connection, bytes(piece))


async def _write(connection: ServerConnection, data: bytes) -> None:
    connection.transport.write(data)
    while connection.transport.get_write_buffer_size() > 65_536:  # noqa: ASYNC110 it has no event
        await asyncio.sleep(0.001)


async def pace(connection: ServerConnection, messages: list[bytes], rate: float, log: bool) -> None:
    """Send at a rate, and tell when."""
    sent = []
    start = time.monotonic()
    for number, message in enumerate(messages):
        await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
        now = time.monotonic()
        sent.append(now)
        # A cell voltage can hold a time: it has three decimals, and any size is handed on.
        stamped = message.replace(STAMP, b'"mincell":%.3f' % now)
        try:
            await connection.send(stamped, text=True)
        except ConnectionClosed:  # it has seen enough
            return
    if log:
        print(json.dumps(sent), flush=True)


async def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("messages", help="pickled list of messages")
    parser.add_argument("--rate", type=float, help="frames per second; flood without")
    parser.add_argument("--log", action="store_true", help="print when frames were sent")
    args = parser.parse_args()
    messages: list[bytes] = pickle.loads(Path(args.messages).read_bytes())  # noqa: ASYNC240

    async def handler(connection: ServerConnection) -> None:
        if args.rate is None:
            print("connected", flush=True)
            await asyncio.to_thread(sys.stdin.buffer.readline)
            await flood(connection, messages)
        else:
            await pace(connection, messages, args.rate, args.log)
        await connection.wait_closed()

    async with serve(handler, "127.0.0.1", 0, compression=None, backlog=2048) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
