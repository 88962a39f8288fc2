"""`recbms-zmq simulate`: a simulated BMS at a websocket address."""

import argparse
from typing import Final

from recbms_zmq.config import readers
from recbms_zmq.config.option import declare, read_argument
from recbms_zmq.simulator.faults import GRAMMAR, KINDS
from recbms_zmq.simulator.options import OPTIONS, SimulatorOptions, read_options

_ABOUT: Final = """\
It prints its address once it is listening, and serves until it is stopped. The
service can also simulate the same pack itself, without a socket:
recbms-zmq run 'sim:?units=2&cells=16&speed=600'
"""
_EXAMPLES: Final = """\
examples:
  recbms-zmq simulate                          a BMS at ws://127.0.0.1:8080/ws
  recbms-zmq run ws://127.0.0.1:8080/ws        reads it, in another terminal
  recbms-zmq simulate --speed 600              a day passes in 2.4 minutes
  recbms-zmq simulate --units 15 --cells 16    the largest array that REC makes
  recbms-zmq simulate --firmware old           curl http://127.0.0.1:8080/cell
  recbms-zmq simulate --faults 'drop every 1m, garbage 2%, nan 1%'
  recbms-zmq simulate --faults 'stall at 20s for 45s, alarm=4 at 2m for 30s'
  recbms-zmq run 'sim:?units=2&faults=unit+every+30s+for+10s,missing-keys+5%25'

exit codes: 0 stopped as asked; 2 wrong option; 73 the port is in use.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    names = "\n".join(f"  {name:<13} {kind.help}" for name, kind in KINDS.items())
    parser.usage = "%(prog)s [OPTIONS]"
    parser.epilog = f"{_ABOUT}\n{GRAMMAR}NAME is one of\n{names}\n\n{_EXAMPLES}"
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--port", default="8080", help="port to listen on, 0: any free one (default: %(default)s)"
    )
    declare(parser, OPTIONS)


def main(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    import asyncio

    given = {option.name: getattr(args, option.name) for option in OPTIONS}
    options = read_options({name: text for name, text in given.items() if text is not None})
    port = read_argument("--port", readers.count("a port", most=65535), args.port)
    asyncio.run(_serve(options, args.host, port))
    return 0


async def _serve(options: SimulatorOptions, host: str, port: int) -> None:
    import asyncio
    import signal

    from recbms_zmq.simulator.server import serving

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(options, host, port) as address:
        print(address, flush=True)  # a script waits for this line in a pipe
        await stop.wait()
