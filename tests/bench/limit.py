"""The limit: receive from a websocket, send the bytes on ZeroMQ, and nothing else."""

import asyncio
import sys

import zmq
from websockets.asyncio.client import connect


async def main(url: str, endpoint: str) -> None:
    """Run until the connection is closed."""
    with zmq.Context() as context, context.socket(zmq.PUB) as pub:
        pub.set(zmq.SNDHWM, 100_000)
        pub.bind(endpoint)
        async with connect(url, compression=None, proxy=None, ping_interval=None) as connection:
            while True:
                pub.send(await connection.recv(decode=False))


asyncio.run(main(sys.argv[1], sys.argv[2]))
