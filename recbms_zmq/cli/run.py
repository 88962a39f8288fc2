"""`recbms-zmq run`: the service."""

import argparse
import gc
import logging
import os
import sys
from collections.abc import Callable
from functools import partial

import msgspec

from recbms_zmq.config.conflicts import refuse_without_effect
from recbms_zmq.config.load import load
from recbms_zmq.config.option import declare
from recbms_zmq.config.options import OPTIONS, Config
from recbms_zmq.errors import ReaderGone
from recbms_zmq.service import logs

DESCRIPTION = """\
Read one or more BMS, and publish every sensor twice: as a JSON line on stdout
and as a ZeroMQ message. It runs until it is stopped, and reconnects by itself.
On a terminal it writes lines for people instead of JSON; see --format.
"""
EPILOG = """\
examples:
  recbms-zmq run ws://192.168.8.2/ws    the address of the BMS's Wi-Fi module
  recbms-zmq run house=ws://192.168.8.2/ws boat=ws://192.168.8.3/ws
  recbms-zmq run ws://192.168.8.2/ws | jq -r 'select(.key=="soc").payload'
  recbms-zmq run --once --timeout 10 ws://192.168.8.2/ws
  recbms-zmq run --format csv --min-interval 60 ws://192.168.8.2/ws > log.csv
  recbms-zmq run --config /etc/recbms-zmq/config.toml

Every option can also be set in the environment (--stale-after is
RECBMS_STALE_AFTER, sources are RECBMS_SOURCES) and in the file
(stale_after = 20, a [[bms]] table with url for each BMS). The command line
beats the environment, which beats the file.

exit codes: 0 stopped as asked; 2 wrong option; 69 nothing came in time
(--once); 73 address or state directory in use; 78 wrong configuration; 141 the
reader of stdout has gone.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `run`."""
    parser.usage = "%(prog)s [OPTIONS] [NAME=]SOURCE ..."
    parser.description = DESCRIPTION
    parser.epilog = EPILOG
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="[NAME=]SOURCE",
        help="where frames come from: ws://HOST/ws or wss://HOST/ws; http://HOST/cell of older "
        "module firmware; sim: for a simulated pack; replay:FILE for a recording made by `record` "
        "(replay:FILE?speed=10; 0 is as fast as possible); - for raw frames on stdin, one per line",
    )
    add_options(parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `run` and `demo`."""
    parser.add_argument(
        "--config", metavar="FILE", help="read options and BMS from a TOML file; - is stdin"
    )
    parser.add_argument(
        "--print-config",
        action="store_true",
        help="print the configuration, and where each option was set, as TOML; exit",
    )
    service = parser.add_argument_group("the service")
    each = parser.add_argument_group(
        "each BMS", "These can also be set in a [[bms]] table of the file."
    )
    declare(service, (option for option in OPTIONS if not option.bms))
    declare(each, (option for option in OPTIONS if option.bms))


def main(args: argparse.Namespace) -> int:
    """Run the service, and return the exit code."""
    # Imports make tens of thousands of objects that stay. Looking for garbage among them takes 3 %
    # of the start.
    gc.disable()
    try:
        config = _configure(args)
        if config is None:
            return 0
        start = _prepare(config)
        gc.freeze()  # the first collection would look at all of them, and that is before a reading
    finally:
        gc.enable()
    start()
    return 0


def _prepare(config: Config) -> Callable[[], None]:
    """Import and make what runs; return what starts it."""
    from recbms_zmq.service.runner import run

    if config.once:
        from recbms_zmq.service.once import print_once

        return partial(run, print_once(config))
    from recbms_zmq.service.selector import ServiceSelector
    from recbms_zmq.service.service import Service

    selector = ServiceSelector()
    return partial(run, Service(config, selector).run(), selector)


def _configure(args: argparse.Namespace) -> Config | None:
    """Load the configuration and set up the log; None if the configuration was to be printed.

    A function of its own, so that where each option was set is not kept for years: 1.5 KiB for each
    BMS.
    """
    loaded = load(vars(args), args.sources, os.environ)
    refuse_without_effect(vars(args), loaded)
    if args.print_config:
        if sys.stdout is None:
            raise ReaderGone("standard output is closed")
        from recbms_zmq.config.toml import as_toml

        print(as_toml(loaded))
        return None
    config = loaded.config
    if config.format is None and _is_for_people(args, config):
        config = msgspec.structs.replace(config, format="text")
    logs.set_up(config.log_level)
    for warning in loaded.warnings:
        logging.getLogger(__name__).warning("%s", warning)
    return config


def _is_for_people(args: argparse.Namespace, config: Config) -> bool:
    """Return whether stdout is a terminal, and nothing is given that concerns messages alone."""
    words = ("emit", "report", "bare", "only", "except")
    asks_for_messages = config.once or any(getattr(args, word) for word in words)
    return sys.stdout is not None and sys.stdout.isatty() and not asks_for_messages
