"""`recbms-zmq find`: the addresses of BMS in the network, and the commands that read them."""

import argparse
import math
import shlex
import textwrap
from typing import TYPE_CHECKING, Any, Final

from recbms_zmq.config import readers
from recbms_zmq.config.load import load_one
from recbms_zmq.config.option import read_argument
from recbms_zmq.config.options import SOURCE_OPTIONS
from recbms_zmq.config.program import typed_program
from recbms_zmq.errors import Unavailable, UsageError
from recbms_zmq.text import ascii_json, print_note

if TYPE_CHECKING:
    from collections import Counter
    from ipaddress import IPv4Address, IPv4Network

    from recbms_zmq.check.search import Search
    from recbms_zmq.check.sweep import Answer
    from recbms_zmq.sources import Source

EPILOG: Final = """\
examples:
  recbms-zmq find                      look in the networks of this machine
  recbms-zmq find 192.168.8.0/24       look in this one

It asks private IPv4 addresses only, at most 1,022 of a network (a /22), 32 at a
time, each with one connection at a time, at port 80: /ws, and /cell if a web
server answers there. It prints first what it is about to do. Ctrl-C ends it.

exit codes: 0 a BMS was found; 2 wrong option; 69 no BMS was found.
"""

_OTHERS: "Final[dict[Answer, str]]" = {
    "possible": "possible",
    "web server": "with another web server",
    "refused": "without a web server",
    "silent": "without an answer",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `find`."""
    parser.usage = "%(prog)s [OPTIONS] [NETWORK]"
    parser.description = "Find the BMS in the network, and the command that reads each of them."
    parser.epilog = EPILOG
    parser.add_argument(
        "network",
        nargs="?",
        metavar="NETWORK",
        help="where to look, such as 192.168.8.0/24 (default: the networks of this machine)",
    )
    parser.add_argument(
        "--timeout",
        default="5",
        metavar="SECONDS",
        help="wait for the status of an address at most this long (default: 5)",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object, for programs")


def main(args: argparse.Namespace) -> int:
    """Look in the networks; return the exit code."""
    from recbms_zmq.check import networks as rules
    from recbms_zmq.check.sweep import AT_A_TIME, sweep
    from recbms_zmq.service import logs
    from recbms_zmq.service.runner import run

    seconds = read_argument("--timeout", readers.number("seconds", above=True), args.timeout)
    given = read_argument("NETWORK", rules.read_network, args.network)
    networks = _own_networks() if given is None else [given]
    addresses = list(dict.fromkeys(address for network in networks for address in network.hosts()))
    logs.set_up("error")  # of no use here: a redirect, a library's warning
    where = ", ".join(map(str, networks))
    duration = math.ceil(len(addresses) / AT_A_TIME) * seconds
    print_note(
        f"looking for a REC BMS in {where}: {_count(len(addresses))}, port 80, {AT_A_TIME} at a "
        f"time, one connection to each at a time; about {duration:g} s at most. Ctrl-C ends it."
    )
    results = _Results(as_json=args.json)
    answers = run(sweep(addresses, _open_source, seconds, results.add))
    verdict, step = _verdict(where, answers), "" if results.bms else _next_steps()
    if args.json:
        facts = {
            "networks": list(map(str, networks)),
            "addresses": len(addresses),
            "bms": results.bms,
            "possible": results.possible,
            "verdict": verdict,
            "next_step": step or None,
        }
        print(ascii_json(facts))
    else:
        print("\n".join([verdict, *textwrap.wrap(step, 80, break_on_hyphens=False)]))
    return 0 if results.bms else Unavailable.exit_code


class _Results:
    """Collects what is found, and prints it at once unless it is for a program."""

    def __init__(self, *, as_json: bool) -> None:
        self.bms: list[dict[str, Any]] = []
        self.possible: list[dict[str, Any]] = []
        self._as_json = as_json

    def add(self, address: "IPv4Address", answer: "Answer", found: "Search") -> None:
        """Take one result of the sweep."""
        from recbms_zmq.check.findings import short_facts, summary

        if answer == "bms":
            command = shlex.join([typed_program(), "run", found.url or ""])
            facts = {"address": str(address), "url": found.url, "command": command}
            self.bms.append(facts | short_facts(found.probe))
            text = summary(found.probe)
        else:
            command = shlex.join([typed_program(), "check", str(address)])
            reason = "; ".join(dict.fromkeys(found.failures.values()))
            self.possible.append({"address": str(address), "reason": reason, "command": command})
            text = f"may be a BMS ({reason})"
        if not self._as_json:
            print(f"{address}  {text}\n    {command}", flush=True)


def _own_networks() -> "list[IPv4Network]":
    """Return the networks of this machine in which to look; print those that are too large.

    Raises:
        UsageError: there is none, or this system does not list them.

    """
    from recbms_zmq.check import networks as rules

    found = rules.own_networks()
    if found is None:
        raise UsageError(f"this system does not list its networks: name one, as in {_example()}")
    for network in filter(rules.is_too_large, found):
        print_note(
            f"{network} has {network.num_addresses - 2:,} addresses, which is too many; to look "
            f"in a part of it: {typed_program()} find {rules.part_with_this_machine(network)}"
        )
    networks = [network for network in found if not rules.is_too_large(network)]
    if not networks:
        raise UsageError(
            "this machine is in no private network of at most 1,022 addresses: name one, as in "
            + _example()
        )
    return networks


def _open_source(url: str) -> "Source":
    from recbms_zmq.service.connect import open_source

    # Without the options of the environment: with a proxy, the address would be another one.
    options = dict.fromkeys(option.name for option in SOURCE_OPTIONS)
    return open_source(load_one(options, url, {}).bms[0])


def _verdict(where: str, answers: "Counter[Answer]") -> str:
    parts = [f"{answers[each]} {words}" for each, words in _OTHERS.items() if answers[each]]
    rest = f"; others: {', '.join(parts)}" if parts else ""
    return f"{answers['bms'] or 'no'} BMS found in {where}{rest}"


def _count(number: int) -> str:
    return f"{number:,} address{'' if number == 1 else 'es'}"


def _next_steps() -> str:
    """Return what to do when no BMS was found."""
    return (
        "Is the module on, and in the same network as this machine? A guest network keeps devices "
        "apart. The router lists the addresses of its devices. If the module is in another "
        f"network, name it: {_example()}. If you know its address: {typed_program()} check "
        "192.168.8.2"
    )


def _example() -> str:
    return f"{typed_program()} find 192.168.8.0/24"
