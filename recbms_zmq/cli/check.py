"""`recbms-zmq check`: is a BMS, or a running service, alive? If not, what to do."""

import argparse
import asyncio
import ipaddress
import os
import socket
import sys
from urllib.parse import urlsplit

from recbms_zmq.cli.listen import add_curve_options
from recbms_zmq.config import readers
from recbms_zmq.config.load import load_one
from recbms_zmq.config.option import declare, read_argument
from recbms_zmq.config.options import DEFAULT_PUBLISH, SOURCE_OPTIONS, Config
from recbms_zmq.errors import Unavailable
from recbms_zmq.service import logs
from recbms_zmq.service.runner import run
from recbms_zmq.text import masked

EPILOG = f"""\
examples:
  recbms-zmq check ws://192.168.8.2/ws     a BMS: what is there, how it is, what to do if it fails
  recbms-zmq check --brief ws://192.168.8.2/ws
  recbms-zmq check                         the service on this machine: are its BMS online?
  recbms-zmq check --device main tcp://192.168.8.20:5556

In a Dockerfile: HEALTHCHECK CMD ["recbms-zmq", "check", "--brief"]

exit codes: 0 alive (a service: all BMS are online); 1 a BMS of the service is offline; 2 wrong
option; 69 no status frame, or no service; 78 a file cannot be used.
Alarms and unusual settings are reported, but do not change the exit code.

Without a target it checks the service at {DEFAULT_PUBLISH}.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `check`."""
    parser.usage = "%(prog)s [OPTIONS] [TARGET]"
    parser.description = (
        "Check whether a BMS or a running service is alive, and print what to do if it is not."
    )
    parser.epilog = EPILOG
    parser.add_argument(
        "target",
        nargs="?",
        default=DEFAULT_PUBLISH,
        metavar="TARGET",
        help="a BMS (ws://HOST/ws, http://HOST/cell, replay:FILE, ...), or where a service "
        "publishes (tcp://ADDRESS:PORT, ipc://PATH)",
    )
    parser.add_argument(
        "--timeout", default="10", metavar="SECONDS", help="wait at most this long (default: 10)"
    )
    parser.add_argument("--brief", action="store_true", help="print the verdict only, one line")
    service = parser.add_argument_group("of a service")
    service.add_argument(
        "--device", action="append", metavar="ID", help="only this BMS; can be given more than once"
    )
    service.add_argument(
        "--prefix",
        default="recbms",
        metavar="WORD",
        help="first part of its topics (default: recbms)",
    )
    add_curve_options(service)
    declare(parser.add_argument_group("of a BMS"), SOURCE_OPTIONS)


def main(args: argparse.Namespace) -> int:
    """Check the target, and return the exit code."""
    seconds = read_argument("--timeout", readers.number("seconds", above=True), args.timeout)
    if sys.stdout is not None:
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    if args.target.startswith(("tcp://", "ipc://")):
        return _check_service(args, seconds)
    config = load_one(vars(args), args.target, os.environ)
    logs.set_up(config.log_level)
    return run(_check_bms(config, seconds, brief=args.brief))


async def _check_bms(config: Config, seconds: float, *, brief: bool) -> int:
    from recbms_zmq.check.findings import full_report, verdict
    from recbms_zmq.check.probe import Probe
    from recbms_zmq.service.connect import open_source

    (bms,) = config.bms
    probe = Probe(open_source(bms))
    addresses = [] if brief else await _addresses(bms.url, seconds)
    await probe.run(seconds, stay=not brief)
    if brief:
        print(verdict(probe, seconds))
    else:
        print("\n".join(full_report(probe, masked(bms.url), addresses, seconds)))
    return 0 if probe.arrivals else Unavailable.exit_code


async def _addresses(url: str, seconds: float) -> list[str]:
    """Resolve the name in an address; return nothing if it has none, or that fails."""
    host = urlsplit(url).hostname if "://" in url else None
    if host is None or _is_address(host):
        return []
    try:
        async with asyncio.timeout(seconds):
            found = await asyncio.get_running_loop().getaddrinfo(
                host, None, type=socket.SOCK_STREAM
            )
    except OSError:
        return []  # the connection reports it
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _check_service(args: argparse.Namespace, seconds: float) -> int:
    from recbms_zmq.client.query import ServiceQuery

    prefix = read_argument("--prefix", readers.name, args.prefix)
    devices = [read_argument("--device", readers.name, each) for each in args.device or ()]
    endpoint = read_argument("TARGET", readers.endpoint, args.target)
    with ServiceQuery(endpoint, prefix, args.curve_server_key, args.curve_secret_key) as query:
        found = query.ask(devices, seconds)
    lines = [f"{each.device}: {each.payload} ({each.reason})" for each in found]
    print(("; " if args.brief else "\n").join(lines))
    return 0 if all(each.payload == "online" for each in found) else 1
