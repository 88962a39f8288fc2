"""`recbms-zmq flow`: prints a Node-RED flow with the user's addresses, for Node-RED's Import.

It makes no connection.
"""

import argparse
import sys

import msgspec

from recbms_zmq.config import readers
from recbms_zmq.config.option import read_argument
from recbms_zmq.errors import UsageError
from recbms_zmq.nodered import SOURCES, TARGETS, FlowOptions, flow_json, lovelace_yaml
from recbms_zmq.sensors.table import SENSORS
from recbms_zmq.text import quoted

LOVELACE = "lovelace"
EXAMPLES = """\
examples:
  recbms-zmq flow --url ws://192.168.8.2/ws > flow.json
  recbms-zmq flow --source zmq --publish tcp://192.168.8.3:5556 --target mqtt
  recbms-zmq flow --target dashboard --url ws://192.168.8.2/ws > dashboard.json
  recbms-zmq flow --target entity-nodes --name boat --device-name "Boat battery"
  recbms-zmq flow --target lovelace --device-name "Boat battery" > lovelace.yaml

Import it in Node-RED: menu, Import, select a file. flows/README.md compares
them.
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
        help=f"the BMS, for exec and daemon; sim: needs no BMS (default: {default.url})",
    )
    parser.add_argument(
        "--publish",
        metavar="ENDPOINT",
        help="ZeroMQ address to subscribe to (default: tcp://127.0.0.1:5556); with exec and "
        "daemon: publish there too (default: publish nothing)",
    )
    parser.add_argument(
        "--name",
        default=default.name,
        metavar="ID",
        help="id of the BMS; another one than %(default)s also gives the flow's nodes ids of "
        "their own, for a second flow beside the first",
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
        "--all-sensors",
        action="store_true",
        help="make entities also of what is disabled at first: settings, resistances, …; for "
        "discovery, states and mqtt",
    )


def main(args: argparse.Namespace) -> int:
    """Print the flow."""
    name = read_argument("--name", readers.name, args.name)
    device_name = args.device_name or ("REC BMS" if name == "main" else f"REC BMS {name}")
    if args.target == LOVELACE:
        _refuse_what_a_view_has_no_use_for(args)
        sys.stdout.write(lovelace_yaml(read_argument("--device-name", _quotable, device_name)))
        return 0
    options = FlowOptions(
        source=args.source or "exec",
        target=args.target,
        publish=read_argument("--publish", readers.endpoint, args.publish),
        name=name,
        device_name=read_argument("--device-name", _quotable, device_name),
        all_sensors=args.all_sensors,
    )
    _refuse_what_does_not_apply(args, options)
    given = {
        word: read_argument(f"--{word}", read, getattr(args, word))
        for word, read in (("url", _word), ("program", _word), ("sensors", _sensors))
        if getattr(args, word) is not None
    }
    options = msgspec.structs.replace(options, **given)
    sys.stdout.write(flow_json(options))
    return 0


def _refuse_what_a_view_has_no_use_for(args: argparse.Namespace) -> None:
    for word in ("source", "url", "publish", "program", "sensors", "all_sensors"):
        if getattr(args, word) not in (None, False):
            flag = f"--{word.replace('_', '-')}"
            raise UsageError(f"{flag}: this view has no use for it; it belongs to flows")


def _refuse_what_does_not_apply(args: argparse.Namespace, options: FlowOptions) -> None:
    """Refuse options that this flow does not use."""
    of_entities = options.target not in ("entity-nodes", "dashboard", "signal-k")
    for word, applies, where in (
        ("url", options.starts_program, "--source exec and daemon"),
        ("program", options.starts_program, "--source exec and daemon"),
        ("sensors", options.target == "entity-nodes", "--target entity-nodes"),
        ("all_sensors", of_entities, "--target discovery, states and mqtt"),
    ):
        if getattr(args, word) not in (None, False) and not applies:
            flag = f"--{word.replace('_', '-')}"
            raise UsageError(f"{flag}: has no effect in this flow; it belongs to {where}")


def _word(given: str) -> str:
    """Read a word that Node-RED puts into a command line without quotes."""
    if not given or not given.isprintable() or any(letter in given for letter in " \"'"):
        raise ValueError("one word without spaces and quotes")
    return given


def _quotable(given: str) -> str:
    """Read a text that Node-RED puts between double quotes."""
    if any(letter in given for letter in '"\\$'):
        raise ValueError('a text without ", \\ and $')
    return readers.text(given)


def _sensors(given: str) -> tuple[str, ...]:
    """Read keys of sensors of the pack. Keys of cells and units have numbers, which vary."""
    known = {sensor.key for sensor in SENSORS if "{" not in sensor.key}
    keys = tuple(key.strip() for key in given.split(","))
    for key in keys:
        if key not in known:
            raise ValueError(f"keys of sensors, separated by commas ({quoted(key)} is not one)")
    return tuple(dict.fromkeys(keys))
