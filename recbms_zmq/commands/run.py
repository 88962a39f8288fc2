"""`recbms-zmq run`: the service."""

import argparse
import asyncio
import logging
import os

from recbms_zmq import logs
from recbms_zmq.config import load
from recbms_zmq.lookups import Lookups
from recbms_zmq.options import OPTIONS

EPILOG = """\
examples:
  recbms-zmq run ws://192.168.8.2/ws
  recbms-zmq run house=ws://192.168.8.2/ws boat=ws://192.168.8.3/ws
  recbms-zmq run --no-publish ws://192.168.8.2/ws | jq -r 'select(.key=="soc").payload'
  recbms-zmq run --once --timeout 10 ws://192.168.8.2/ws
  recbms-zmq run --config /etc/recbms.toml

Every option can also be set in the environment (--stale-after is RECBMS_STALE_AFTER, sources are
RECBMS_SOURCES) and in the file (stale_after = 20, a [[bms]] table with url for each BMS). The
command line beats the environment, which beats the file.

exit codes: 0 ended as asked; 2 wrong option; 69 nothing came in time (--once); 73 address or
state directory in use;
78 wrong configuration; 141 the reader of stdout has gone.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `run`."""
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="[NAME=]SOURCE",
        help="where frames come from: ws://HOST/ws, wss://HOST/ws, or sim: for a simulated pack",
    )
    add_options(parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` and `demo` have in common."""
    parser.epilog = EPILOG
    parser.add_argument("--config", metavar="FILE", help="read options and BMS from a TOML file")
    parser.add_argument(
        "--print-config", action="store_true", help="show what applies and where it was set; exit"
    )
    for option in OPTIONS:
        # The value itself is read by `config`, in the same way as from the other places.
        if option.is_switch:
            parser.add_argument(
                option.flag, action="store_const", const="true", default=None, help=option.help
            )
        else:
            default = ", ".join(option.default) or None if option.many else option.default
            parser.add_argument(
                option.flag,
                action="append" if option.many else "store",
                metavar=option.metavar,
                help=option.help + (f" (default: {default})" if default is not None else ""),
            )


def main(args: argparse.Namespace) -> int:
    """Run the service."""
    loaded = load(vars(args), args.sources, os.environ)
    if args.print_config:
        print("\n".join(loaded.origins))
        return 0
    config = loaded.config
    logs.set_up(config.log_level)
    for warning in loaded.warnings:
        logging.getLogger(__name__).warning("%s", warning)
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(Lookups())
        if config.once:
            from recbms_zmq.once import print_once

            runner.run(print_once(config))
        else:
            from recbms_zmq.service import Service

            runner.run(Service(config).run())
    return 0
