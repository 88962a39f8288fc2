"""`recbms-zmq listen`: prints what a running service publishes, for people, pipes and scripts."""

import argparse
import re
import signal
import sys

from recbms_zmq.config import readers
from recbms_zmq.config.option import read_argument
from recbms_zmq.config.options import DEFAULT_PUBLISH
from recbms_zmq.errors import UsageError
from recbms_zmq.sensors.selection import Selection

EPILOG = """\
examples:
  recbms-zmq listen                     everything, from the service here
  recbms-zmq listen --format text       the state, a line a second
  recbms-zmq listen --topic recbms/main/cell_voltage/ tcp://192.168.8.20:5556
  recbms-zmq listen --topic recbms/main/soc --count 1 --timeout 5 | jq .payload
  recbms-zmq listen --only 'availability,soc,cell_voltage/*'

exit codes: 0 after --count lines; 2 wrong option; 69 nothing came for
--timeout seconds; 78 a key file cannot be used.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `listen`."""
    parser.usage = "%(prog)s [OPTIONS] [ENDPOINT ...]"
    parser.description = "Subscribe to a running service, and print its messages as JSON lines."
    parser.epilog = EPILOG
    parser.add_argument(
        "endpoints",
        nargs="*",
        default=[DEFAULT_PUBLISH],
        metavar="ENDPOINT",
        help=f"where a service publishes (default: {DEFAULT_PUBLISH})",
    )
    parser.add_argument(
        "--topic",
        action="append",
        metavar="PREFIX",
        help="only topics that begin with this; can be given more than once",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="KEYS",
        help="only messages with these keys, such as 'availability,soc,cell_voltage/*'",
    )
    parser.add_argument(
        "--except",
        dest="leave_out",
        action="append",
        metavar="KEYS",
        help="no messages with these keys, such as 'settings/*,link/*'",
    )
    parser.add_argument("--count", metavar="N", help="stop after this many lines (default: never)")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        help="give up when nothing has come for this long (default: never)",
    )
    parser.add_argument(
        "--format",
        choices=("json", "text", "csv"),
        default="json",
        help="what to print: the messages (json); the state of each BMS, a line a second if it "
        "changes, for people (text) or as a table (csv) (default: json)",
    )
    add_curve_options(parser)


def add_curve_options(parser: "argparse._ActionsContainer") -> None:
    """Declare the keys for CURVE."""
    parser.add_argument(
        "--curve-server-key",
        metavar="FILE",
        help="with CURVE: the public key of the service",
    )
    parser.add_argument(
        "--curve-secret-key",
        metavar="FILE",
        help="with CURVE: this client's key, which the service has to accept (default: a new one)",
    )


def main(args: argparse.Namespace) -> int:
    """Print messages as lines."""
    import zmq

    from recbms_zmq.client.lines import Lines, print_lines
    from recbms_zmq.client.silence import Silence
    from recbms_zmq.client.subscriber import Subscriber
    from recbms_zmq.interrupts import raise_interrupts

    count = read_argument("--count", readers.count("messages", least=1), args.count)
    timeout = read_argument("--timeout", readers.number("seconds", above=True), args.timeout)
    endpoints = [read_argument("ENDPOINT", readers.endpoint, each) for each in args.endpoints]
    keys = readers.keys("availability", "device", "event", "snapshot")
    only = [read_argument("--only", keys, each) for each in args.only or ()]
    leave_out = [read_argument("--except", keys, each) for each in args.leave_out or ()]
    selection = Selection(only, leave_out)
    # By exceptions: stdout is flushed. Being stopped is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    raise_interrupts()
    with (
        zmq.Context() as context,
        Subscriber(context, args.curve_server_key, args.curve_secret_key) as subscriber,
    ):
        prefixes = _prefixes(args.topic or [""], only)
        for prefix in prefixes:
            subscriber.socket.subscribe(prefix)
        for endpoint in endpoints:
            subscriber.connect(endpoint)
        silence = Silence(endpoints, prefixes)
        print_lines(subscriber, selection, Lines(args.format, count), timeout, silence)
    return 0


def _prefixes(topics: list[str], only: list[str]) -> list[str]:
    """Return what to subscribe to: as little as can hold the wanted keys.

    The keys of a topic begin after its second slash, so they narrow a prefix that names a BMS.
    """
    found = set()
    for topic in topics:
        *bms, key = topic.split("/", 2)
        for pattern in ",".join(only).split(",") if len(bms) == 2 else [""]:
            start = re.split(r"[*?[]", pattern, maxsplit=1)[0]
            if start.startswith(key):
                found.add("/".join((*bms, start)))
            elif key.startswith(start):
                found.add(topic)
    if not found:
        raise UsageError("--only: no topic with these keys begins with --topic")
    return sorted(found)
