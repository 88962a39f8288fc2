"""`recbms-zmq check`: is a BMS, or a running service, alive? If not, what to do."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from recbms_zmq.cli.listen import add_curve_options
from recbms_zmq.config import readers
from recbms_zmq.config.load import load_one
from recbms_zmq.config.mistakes import is_no_host
from recbms_zmq.config.option import declare, read_argument, refuse_without_effect
from recbms_zmq.config.options import DEFAULT_PUBLISH, SOURCE_OPTIONS, Config
from recbms_zmq.config.program import typed_program
from recbms_zmq.errors import Unavailable
from recbms_zmq.service import logs
from recbms_zmq.text import ascii_json, masked, without_logins

EPILOG = """\
examples:
  recbms-zmq check 192.168.8.2           find the BMS, and how to read it
  recbms-zmq check ws://192.168.8.2/ws   is it alive, and what to do if not
  recbms-zmq check --brief ws://192.168.8.2/ws
  recbms-zmq check                       the service on this machine
  recbms-zmq check --device main tcp://192.168.8.20:5556

For a container: `recbms-zmq files Dockerfile` has a health check that an
offline BMS passes.

exit codes: 0 alive (a service: all BMS are online); 1 a BMS of the service is
offline; 2 wrong option; 69 no status frame, or no service; 78 a file cannot be
used. Alarms and unusual settings are reported, but do not change the exit code.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `check`."""
    parser.usage = "%(prog)s [OPTIONS] [TARGET]"
    parser.description = (
        "Find out whether a BMS or a running service is alive, and what to do if not."
    )
    parser.epilog = EPILOG
    parser.add_argument(
        "target",
        nargs="?",
        metavar="TARGET",
        help="a BMS (HOST, HOST:PORT, ws://HOST/ws, http://HOST/cell, replay:FILE, ...), or where "
        f"a service publishes (tcp://ADDRESS:PORT, ipc://PATH; default: {DEFAULT_PUBLISH})",
    )
    parser.add_argument(
        "--timeout", default="10", metavar="SECONDS", help="wait at most this long (default: 10)"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--brief", action="store_true", help="print the verdict only, one line")
    form.add_argument("--json", action="store_true", help="print a JSON object, for programs")
    service = parser.add_argument_group("of a service")
    service.add_argument(
        "--device",
        action="append",
        metavar="ID",
        help="only this BMS; can be given more than once (default: all)",
    )
    service.add_argument(
        "--prefix",
        metavar="WORD",
        help="first part of its topics (default: recbms)",
    )
    add_curve_options(service)
    declare(parser.add_argument_group("of a BMS"), SOURCE_OPTIONS)


def main(args: argparse.Namespace) -> int:
    """Check a BMS or a service; return the exit code."""
    seconds = read_argument("--timeout", readers.number("seconds", above=True), args.timeout)
    if sys.stdout is not None:
        # The report has °C and Ω: on a terminal without them a question mark is enough.
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    if args.target is None or args.target.startswith(("tcp://", "ipc://")):
        names = [option.name for option in SOURCE_OPTIONS]
        refuse_without_effect(args, names, "on a service; it belongs to a BMS")
        return _check_service(args, seconds)
    names = ["device", "prefix", "curve_server_key", "curve_secret_key"]
    refuse_without_effect(args, names, "on a BMS; it belongs to a service")
    from recbms_zmq.check.addresses import candidates
    from recbms_zmq.service.runner import run

    if is_no_host(args.target):
        read_argument("TARGET", readers.source, args.target)
    urls = candidates(args.target)
    configs = {url: load_one(vars(args), url, os.environ) for url in urls or (args.target,)}
    logs.set_up(next(iter(configs.values())).log_level)
    return run((_find_bms if urls else _check_bms)(args, configs, seconds))


async def _check_bms(args: argparse.Namespace, configs: dict[str, Config], seconds: float) -> int:
    """Check the BMS at a complete address."""
    import asyncio

    from recbms_zmq.check.findings import as_json, full_report, verdict
    from recbms_zmq.check.next_steps import step_without_network
    from recbms_zmq.check.probe import Probe
    from recbms_zmq.service.connect import open_source

    (config,) = configs.values()
    (bms,) = config.bms
    probe = Probe(open_source(bms), step_without_network(bms.url))
    # Beside the connection, which looks it up, too: a name server can be slow.
    look_up = asyncio.create_task(_addresses("" if args.brief else bms.url, seconds))
    await probe.run(seconds, stay=not args.brief)
    addresses = await look_up
    url = masked(bms.url)
    if args.json:
        facts = {"target": url, "url": url, "command": None, "addresses": addresses}
        print(ascii_json(facts | as_json(probe, seconds)))
    elif args.brief:
        print(verdict(probe, seconds))
    else:
        print("\n".join(full_report(probe, url, addresses, seconds)))
    return 0 if probe.arrivals else Unavailable.exit_code


async def _find_bms(args: argparse.Namespace, configs: dict[str, Config], seconds: float) -> int:
    """Find the address of a BMS, and check it."""
    import asyncio

    from recbms_zmq.check import findings
    from recbms_zmq.check.search import search
    from recbms_zmq.service.connect import open_source

    target = without_logins(args.target)
    look_up = asyncio.create_task(_addresses("" if args.brief else next(iter(configs)), seconds))
    found = await search(
        list(configs),
        lambda url: open_source(configs[url].bms[0]),
        seconds,
        stay=not args.brief,
    )
    addresses = await look_up
    failures = {masked(url): why for url, why in found.failures.items()}
    url = None if found.url is None else masked(found.url)
    command = "" if url is None else shlex.join([typed_program(), "run", *_given(args), url])
    if args.json:
        facts = findings.as_json(found.probe, seconds)
        facts |= {"target": target, "url": url, "command": command or None, "addresses": addresses}
        if url is None:
            facts |= {
                "verdict": findings.nothing_found_verdict(failures),
                "failures": [f"{each}: {why}" for each, why in failures.items()],
                "next_step": found.next_step,
            }
        print(ascii_json(facts))
    elif url is None:
        lines = findings.nothing_found(target, failures, found.next_step)
        print("\n".join(lines[-1:] if args.brief else lines))
    elif args.brief:
        print(f"{findings.verdict(found.probe, seconds)}; to read it: {command}")
    else:
        print("\n".join(findings.full_report(found.probe, url, addresses, seconds, command)))
    return Unavailable.exit_code if url is None else 0


def _given(args: argparse.Namespace) -> Sequence[str]:
    """Return the options of a source as they were given, for the command to type."""
    words: list[str] = []
    for option in SOURCE_OPTIONS:
        value = getattr(args, option.name)
        if value is not None and option.name != "log_level":
            words += [option.flag, masked(str(value))]
    return words


async def _addresses(url: str, seconds: float) -> list[str]:
    """Return what the name in an address resolves to; nothing if it has none, or that fails."""
    import asyncio
    import socket

    from recbms_zmq.check.addresses import needs_look_up

    host = needs_look_up(url)
    if host is None:
        return []
    try:
        async with asyncio.timeout(seconds):
            found = await asyncio.get_running_loop().getaddrinfo(
                host, None, type=socket.SOCK_STREAM
            )
    except OSError:
        return []  # the connection fails with a reason
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _check_service(args: argparse.Namespace, seconds: float) -> int:
    from recbms_zmq.client.query import ServiceQuery

    prefix = read_argument("--prefix", readers.name, args.prefix) or "recbms"
    devices = [read_argument("--device", readers.name, each) for each in args.device or ()]
    endpoint = read_argument("TARGET", readers.endpoint, args.target or DEFAULT_PUBLISH)
    facts: dict[str, Any] = {"target": endpoint}
    try:
        with ServiceQuery(endpoint, prefix, args.curve_server_key, args.curve_secret_key) as query:
            found = query.ask(devices, seconds)
    except Unavailable as exc:
        if args.json:
            print(ascii_json(facts | {"alive": False, "verdict": str(exc), "bms": []}))
        if args.target is None:
            hint = f"; to check a BMS: {typed_program()} check 192.168.8.2"
            raise Unavailable(f"{exc}{hint}") from exc
        raise
    lines = [f"{each.device}: {each.payload} ({each.reason})" for each in found]
    is_alive = all(each.payload == "online" for each in found)
    if args.json:
        bms = [{"device": m.device, "state": m.payload, "reason": m.reason} for m in found]
        facts |= {"alive": is_alive, "verdict": "; ".join(lines), "bms": bms}
        print(ascii_json(facts))
    else:
        print("; ".join(lines) if args.brief else "\n".join(lines))
        if not (is_alive or args.brief):
            print(
                "what to do: check the address of the BMS that is offline, as in "
                f"{typed_program()} check 192.168.8.2"
            )
    return 0 if is_alive else 1
