"""`recbms-zmq monitor`: a live view of one or more packs on the terminal."""

import argparse
import contextlib
import os
import sys
from typing import TYPE_CHECKING

from recbms_zmq.cli.listen import add_curve_options
from recbms_zmq.config import readers
from recbms_zmq.config.load import load
from recbms_zmq.config.option import declare, read_argument, refuse_without_effect
from recbms_zmq.config.options import (
    BY_NAME,
    DEFAULT_PUBLISH,
    SOURCE_OPTIONS,
    Config,
)
from recbms_zmq.config.program import install_command
from recbms_zmq.errors import ConfigError
from recbms_zmq.service import logs
from recbms_zmq.text import print_note

if TYPE_CHECKING:
    from recbms_zmq.monitor.feeds import Feed

OPTIONS = (
    *(option for option in SOURCE_OPTIONS if option.name != "log_level"),
    BY_NAME["idle_current"],
)
"""Options of `run` that have an effect here."""
_DUMB = (None, "", "dumb", "unknown")
EPILOG = f"""\
examples:
  recbms-zmq monitor                         what the service here publishes
  recbms-zmq monitor ws://192.168.8.2/ws     a BMS, without a service
  recbms-zmq monitor sim:                    a simulated pack
  recbms-zmq monitor tcp://192.168.8.20:5556 boat=ws://192.168.8.3/ws

Without an argument it subscribes to {DEFAULT_PUBLISH}.

keys: q or Ctrl-C quits; Tab and Shift-Tab select a pack; c toggles a bar for
every cell; j, k, arrows, Page Up and Page Down scroll the cells.

If stdout is not a terminal, or a dumb one, it prints a line whenever something
has changed.

exit codes: 0 stopped as asked; 2 wrong option; 78 rich is not installed, or
wrong configuration.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `monitor`."""
    parser.usage = "%(prog)s [OPTIONS] [SOURCE|ENDPOINT ...]"
    parser.description = (
        "Show packs live on the terminal: charge, power, every cell, temperatures,\n"
        "alarms and what to do about them. Reads a BMS itself, or what a running service\n"
        "publishes."
    )
    parser.epilog = EPILOG
    parser.add_argument(
        "places",
        nargs="*",
        metavar="SOURCE|ENDPOINT",
        help="a BMS, as for run ([NAME=]ws://HOST/ws, sim:), or where a service publishes "
        "(tcp://ADDRESS:PORT, ipc://PATH)",
    )
    parser.add_argument("--config", metavar="FILE", help="read the BMS of this configuration file")
    parser.add_argument(
        "--plain", action="store_true", help="lines instead of a screen, also on a terminal"
    )
    add_curve_options(parser.add_argument_group("of a service"))
    declare(parser.add_argument_group("of a BMS"), OPTIONS)


def main(args: argparse.Namespace) -> int:
    """Show the view."""
    from recbms_zmq.monitor.feeds import SourceFeed, SubscriberFeed
    from recbms_zmq.monitor.loop import Changes, show_lines
    from recbms_zmq.monitor.model import Model
    from recbms_zmq.service.runner import run

    config, endpoints = _places(args)
    terminal = sys.stdout is not None and sys.stdout.isatty()
    on_screen = terminal and not args.plain and os.environ.get("TERM") not in _DUMB
    if on_screen:
        _need_rich()
    changes = Changes()
    model = Model(endpoints)
    feeds: list[Feed] = []
    if config is not None:
        feeds.append(SourceFeed(config, model, changes.notify))
    if endpoints:
        keys = {"server_key": args.curve_server_key, "secret_key": args.curve_secret_key}
        feeds.append(SubscriberFeed(endpoints, model, changes.notify, **keys))
    if not on_screen:
        logs.set_up("warning")
        for endpoint in endpoints:
            print_note(f"subscribing to {endpoint}")
        run(show_lines(model, feeds, changes))
        return 0

    from recbms_zmq.monitor.live import held_log, show_screen

    with contextlib.ExitStack() as stack:
        if sys.stderr is not None and sys.stderr.isatty():
            stack.enter_context(held_log())
        else:
            logs.set_up("warning")
        run(show_screen(model, feeds, changes))
    return 0


def _places(args: argparse.Namespace) -> tuple[Config | None, list[str]]:
    """Return the configuration of the BMS to read here, and the endpoints to subscribe to."""
    endpoints = [place for place in args.places if place.startswith(("tcp://", "ipc://"))]
    sources = [place for place in args.places if place not in endpoints]
    for endpoint in endpoints:
        read_argument("ENDPOINT", readers.endpoint, endpoint)
    if not sources and not args.config:
        names = [option.name for option in OPTIONS]
        refuse_without_effect(args, names, "on a service; it belongs to a BMS")
        return None, endpoints or [DEFAULT_PUBLISH]
    if not endpoints:
        names = ["curve_server_key", "curve_secret_key"]
        refuse_without_effect(args, names, "on a BMS; it belongs to a service")
    given = {option.name: getattr(args, option.name) for option in OPTIONS}
    # One message for each frame, also for one without changes: the view shows how old data is.
    given |= {"emit": "snapshot", "report": "all", "min_interval": "0", "config": args.config}
    return load(given, sources, {}).config, endpoints


def _need_rich() -> None:
    try:
        import rich  # noqa: F401 whether it is there is all we ask
    except ImportError as exc:
        raise ConfigError(
            f"the live view needs the package rich: {install_command('rich')}; "
            "without it, --plain prints lines"
        ) from exc
