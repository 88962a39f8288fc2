"""The limit: receive from websockets, send the undecoded bytes on ZeroMQ, and nothing else.

`python -m tests.bench.limit URL ENDPOINT [CONNECTIONS [CA_FILE]]`
"""

import asyncio
import ssl
import sys

import zmq
from websockets.asyncio.client import connect

CONNECTS_PER_SECOND = 100  # as the service does


async def main(url: str, endpoint: str, connections: str = "1", ca_file: str = "") -> None:
    """Run until all connections are closed."""
    tls = ssl.create_default_context(cafile=ca_file) if ca_file else None
    with zmq.Context() as context, context.socket(zmq.PUB) as pub:
        pub.set(zmq.SNDHWM, 100_000)
        pub.bind(endpoint)

        async def forward(delay: float) -> None:
            await asyncio.sleep(delay)
            async with connect(
                url, compression=None, proxy=None, ping_interval=None, ssl=tls
            ) as connection:
                while True:
                    pub.send(await connection.recv(decode=False))

        await asyncio.gather(
            *(forward(number / CONNECTS_PER_SECOND) for number in range(int(connections))),
            return_exceptions=True,
        )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
