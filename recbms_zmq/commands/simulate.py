"""`recbms-zmq simulate`: a simulated BMS at a websocket address."""

import argparse
import asyncio
import signal
from typing import Final

from recbms_zmq import values
from recbms_zmq.options import read_argument
from recbms_zmq.simulator.faults import GRAMMAR, KINDS
from recbms_zmq.simulator.options import OPTIONS, SimulatorOptions, read_options
from recbms_zmq.simulator.server import serving

_ABOUT: Final = """\
It prints its address when it listens, then serves until it is stopped. The same pack can be had
inside the service, without a socket: recbms-zmq run 'sim:?units=2&cells=16&speed=600'
"""
_EXAMPLES: Final = """\
examples:
  recbms-zmq simulate                           a BMS at ws://127.0.0.1:8080/ws
  recbms-zmq run ws://127.0.0.1:8080/ws         reads it, in another terminal
  recbms-zmq simulate --speed 600               a day passes in 2.4 minutes
  recbms-zmq simulate --units 15 --cells 16     the largest array that REC makes
  recbms-zmq simulate --firmware old            what curl http://127.0.0.1:8080/cell gives then
  recbms-zmq simulate --faults 'drop every 1m, garbage 2%, nan 1%'
  recbms-zmq simulate --faults 'stall at 20s for 45s, alarm=4 at 2m for 30s'
  recbms-zmq run 'sim:?units=2&faults=unit+every+30s+for+10s,missing-keys+5%25'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    names = "\n".join(f"  {name:<13} {kind.help}" for name, kind in KINDS.items())
    parser.epilog = f"{_ABOUT}\n{GRAMMAR}NAME is one of\n{names}\n\n{_EXAMPLES}"
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default %(default)s)"
    )
    parser.add_argument(
        "--port", default="8080", help="port to listen on, 0: any free one (default %(default)s)"
    )
    for name, option in OPTIONS.items():
        # Texts: they are checked in one place, for the command line and for sim: URLs.
        parser.add_argument(f"--{name}", metavar=option.metavar, help=option.help)


def main(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    texts = {name: text for name in OPTIONS if (text := getattr(args, name)) is not None}
    port = read_argument("--port", values.count("a port", most=65535), args.port)
    asyncio.run(_serve(read_options(texts), args.host, port))
    return 0


async def _serve(options: SimulatorOptions, host: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(options, host, port) as address:
        print(address, flush=True)
        await stop.wait()
