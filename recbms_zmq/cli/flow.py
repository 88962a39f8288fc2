"""`recbms-zmq flow`: prints a Node-RED flow with the user's addresses, for Node-RED's Import.

It makes no connection.
"""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import NamedTuple

from recbms_zmq.cli import output_file
from recbms_zmq.config import readers
from recbms_zmq.config.conflicts import refuse_without_effect as refuse_conflicts
from recbms_zmq.config.load import load
from recbms_zmq.config.option import read_argument, refuse_without_effect
from recbms_zmq.errors import OutputError, UsageError
from recbms_zmq.nodered import FILES, SOURCES, TARGETS, FlowOptions, flow_json, lovelace_yaml
from recbms_zmq.nodered.lovelace import entity_slug
from recbms_zmq.sensors.table import SENSORS
from recbms_zmq.sensors.units import MOST_ADDRESS
from recbms_zmq.service.connect import open_source
from recbms_zmq.text import quoted
from recbms_zmq.wire.frames import MAX_CELLS

LOVELACE = "lovelace"
FIRST_ADDRESS = 2
"""RS-485 address of the first unit, as REC delivers it."""
EXAMPLES = """\
examples:
  recbms-zmq flow --list
  recbms-zmq flow --url ws://192.168.8.2/ws -o flow.json
  recbms-zmq flow --url house=ws://192.168.8.2/ws --url boat=ws://192.168.8.3/ws
  recbms-zmq flow --source zmq --publish tcp://192.168.8.3:5556 --target mqtt
  recbms-zmq flow --target dashboard --url ws://192.168.8.2/ws -o page.json
  recbms-zmq flow --target entity-nodes --name boat --device-name "Boat battery"
  recbms-zmq flow --target lovelace --device-name "Boat battery" --cells 2:16

Import it in Node-RED: menu, Import, select a file. `recbms-zmq files README.md`
compares them.

exit codes: 0 done; 2 wrong option; 73 the file exists, or cannot be written.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    default = FlowOptions(source="exec", target="discovery")
    parser.usage = "%(prog)s [OPTIONS]"
    parser.epilog = EXAMPLES
    parser.add_argument(
        "--source",
        choices=SOURCES,
        help="exec, daemon: Node-RED starts recbms-zmq; zmq, zeromq-node: it subscribes to one "
        f"that runs (default: {default.source})",
    )
    parser.add_argument(
        "--target",
        choices=(*TARGETS, LOVELACE),
        default=default.target,
        help="how Home Assistant's entities are made: discovery and entity-nodes need its "
        "companion integration, mqtt a broker, states nothing; or dashboard: a page of Node-RED's "
        "own, without Home Assistant; or signal-k: deltas for a boat's server; or lovelace: no "
        "flow, but a view for Home Assistant's dashboards, as YAML (default: %(default)s)",
    )
    parser.add_argument(
        "--url",
        action="append",
        metavar="[NAME=]SOURCE",
        help="the BMS, for exec and daemon, as for run; sim: needs no BMS; can be given more than "
        f"once (default: {default.url})",
    )
    parser.add_argument(
        "--publish",
        metavar="ENDPOINT",
        help="the ZeroMQ endpoint to subscribe to (default: tcp://127.0.0.1:5556); with exec and "
        "daemon: publish there too (default: publish nothing)",
    )
    parser.add_argument(
        "--name",
        metavar="ID",
        help=f"id of the BMS, if it is not in --url (default: {default.name}); another one than "
        "the default also gives the flow's nodes ids of their own, for a second flow beside the "
        "first",
    )
    parser.add_argument(
        "--device-name",
        metavar="TEXT",
        help=f"name of the battery for people (default: {default.device_name}, and the id "
        "behind it unless that is main)",
    )
    parser.add_argument(
        "--program",
        metavar="PATH",
        help=f"path of this program for Node-RED, for exec and daemon (default: {default.program})",
    )
    parser.add_argument(
        "--sensors",
        metavar="KEY,KEY",
        help="sensors that get a node, for entity-nodes; recbms-zmq sensors lists the keys "
        f"(default: {', '.join(default.sensors)})",
    )
    parser.add_argument(
        "--cells",
        metavar="UNIT:CELLS",
        help="for entity-nodes: a node for each cell, too; for lovelace: a chart of the cells; "
        "such as 2:16,3:16 for the units with the addresses 2 and 3 and 16 cells each, as "
        "recbms-zmq check shows them; a number alone is of unit 2. All other targets find the "
        "cells by themselves",
    )
    parser.add_argument(
        "--all-sensors",
        action="store_true",
        help="make entities also of what is disabled at first: settings, resistances, …; for "
        "discovery, states and mqtt",
    )
    parser.add_argument(
        "--list", action="store_true", help="list the flows in flows/, with their options; exit"
    )
    output_file.add_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Print the flow."""
    if args.list:
        text = _list()
    elif args.target == LOVELACE:
        text = _view(args)
    else:
        text = flow_json(_options(args))
    path = output_file.requested(args)
    if path is None:
        sys.stdout.write(text)
        return 0
    fd = output_file.create(path, force=args.force)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as exc:
        raise OutputError(f"cannot write {path}: {exc.strerror}") from exc
    return 0


def _list() -> str:
    lines = [
        f"{name:<36}--source {source:<11} --target {target}"
        for name, (source, target) in FILES.items()
    ]
    return "\n".join([*lines, f"{'lovelace.yaml':<36}--target {LOVELACE}"]) + "\n"


def _view(args: argparse.Namespace) -> str:
    names = ("source", "url", "publish", "program", "sensors", "all_sensors")
    refuse_without_effect(args, names, "on this view; it belongs to flows")
    name = read_argument("--name", readers.name, args.name) or "main"
    device_name = read_argument("--device-name", _latin, args.device_name)
    cells = read_argument("--cells", _cells, args.cells) or ()
    return lovelace_yaml(device_name or _default_device_name([name]), cells)


def _options(args: argparse.Namespace) -> FlowOptions:
    default = FlowOptions(source="exec", target="discovery")
    starts_program = (args.source or default.source) in ("exec", "daemon")
    if starts_program:
        bms = _bms(args, default)
    else:
        name = read_argument("--name", readers.name, args.name) or default.name
        bms = [_Bms(name, default.url)]
        read_argument("--publish", _connectable, args.publish)
    first, *others = bms
    device_name = read_argument("--device-name", _quotable, args.device_name)
    options = FlowOptions(
        source=args.source or default.source,
        target=args.target,
        url=first.url,
        others=tuple(f"{each.name}={each.url}" for each in others),
        publish=read_argument("--publish", readers.endpoint, args.publish),
        name=first.name,
        device_name=device_name or _default_device_name([each.name for each in bms]),
        program=read_argument("--program", _word, args.program) or default.program,
        sensors=read_argument("--sensors", _sensors, args.sensors) or default.sensors,
        cells=read_argument("--cells", _cells, args.cells) or (),
        all_sensors=args.all_sensors,
    )
    _refuse_what_does_not_apply(args, options)
    return options


class _Bms(NamedTuple):
    name: str
    url: str


def _bms(args: argparse.Namespace, default: FlowOptions) -> list[_Bms]:
    """Return the BMS that the program is started with, after the checks of `run`."""
    urls = args.url or [default.url]
    given = {"name": args.name, "publish": args.publish and [args.publish]}
    loaded = load(given, urls, {})
    refuse_conflicts(given, loaded)
    for bms in loaded.config.bms:
        read_argument("--url", _word, bms.url)
        if not bms.url.startswith(("replay:", "-")):  # a file is where Node-RED is
            open_source(bms)
    return [_Bms(bms.name, bms.url) for bms in loaded.config.bms]


def _default_device_name(names: Sequence[str]) -> str:
    """Return the name of one BMS; of several, what `run` puts their ids behind."""
    return "REC BMS" if len(names) > 1 or names[0] == "main" else f"REC BMS {names[0]}"


def _refuse_what_does_not_apply(args: argparse.Namespace, options: FlowOptions) -> None:
    """Refuse options that this flow does not use."""
    of_entities = options.target not in ("entity-nodes", "dashboard", "signal-k")
    for word, applies, where in (
        ("url", options.starts_program, "--source exec and daemon"),
        ("program", options.starts_program, "--source exec and daemon"),
        ("sensors", options.target == "entity-nodes", "--target entity-nodes"),
        ("all_sensors", of_entities, "--target discovery, states and mqtt"),
        ("cells", options.target == "entity-nodes", f"--target entity-nodes and {LOVELACE}"),
    ):
        if getattr(args, word) not in (None, False) and not applies:
            flag = f"--{word.replace('_', '-')}"
            raise UsageError(f"{flag}: has no effect in this flow; it belongs to {where}")
    if options.others and options.target == "entity-nodes":
        raise UsageError("--url: entity nodes belong to one BMS; make a flow for each")


def _word(given: str) -> str:
    """Read a word that Node-RED puts into a command line without quotes."""
    if not given or not given.isprintable() or any(letter in given for letter in " \"'"):
        raise ValueError("one word without spaces and quotes")
    return given


def _connectable(given: str) -> str:
    """Read an endpoint to connect to, which names a machine."""
    if "://*" in given or given.endswith(":*"):
        raise ValueError("the address of a machine, such as tcp://192.168.8.3:5556")
    return given


def _quotable(given: str) -> str:
    """Read a text that Node-RED puts between double quotes."""
    if any(letter in given for letter in '"\\$'):
        raise ValueError('a text without ", \\ and $')
    return readers.text(given)


def _latin(given: str) -> str:
    """Read the name of a device of whose entity ids we know how Home Assistant writes them."""
    if not entity_slug(_quotable(given)):
        raise ValueError("a name in Latin letters, as in sensor.NAME_state_of_charge")
    return given


def _sensors(given: str) -> tuple[str, ...]:
    """Read keys of sensors of the pack. Keys of cells and units have numbers, which vary."""
    known = {sensor.key for sensor in SENSORS if "{" not in sensor.key}
    keys = tuple(key.strip() for key in given.split(","))
    for key in keys:
        if key not in known:
            raise ValueError(f"keys of sensors, separated by commas ({quoted(key)} is not one)")
    return tuple(dict.fromkeys(keys))


def _cells(given: str) -> tuple[tuple[int, int], ...]:
    """Read addresses of units, each with its number of cells."""
    found = {}
    for part in given.split(","):
        match = re.fullmatch(r" *(?:(\d{1,3}):)?(\d{1,2}) *", part, re.ASCII)
        unit, count = (int(match[1] or FIRST_ADDRESS), int(match[2])) if match else (0, 0)
        if not 0 < count <= MAX_CELLS or unit > MOST_ADDRESS or unit in found:
            raise ValueError("the cells of each unit, such as 16, or 2:16,3:16")
        found[unit] = count
    return tuple(found.items())
