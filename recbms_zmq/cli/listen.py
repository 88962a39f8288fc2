"""`recbms-zmq listen`: prints what a running service publishes, for people, pipes and scripts."""

import argparse
import contextlib
import math
import re
import signal
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from recbms_zmq.clock import SILENCE
from recbms_zmq.config import readers
from recbms_zmq.config.option import read_argument
from recbms_zmq.config.options import DEFAULT_PUBLISH
from recbms_zmq.errors import Unavailable, UsageError
from recbms_zmq.sensors.selection import Selection

if TYPE_CHECKING:
    from recbms_zmq.client.states import StateLines
    from recbms_zmq.client.subscriber import Subscriber

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
    parser.add_argument("--count", metavar="N", help="stop after this many lines")
    parser.add_argument(
        "--timeout", metavar="SECONDS", help="give up when nothing has come for this long"
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

    from recbms_zmq.client.subscriber import Subscriber

    count = read_argument("--count", readers.count("messages", least=1), args.count)
    timeout = read_argument("--timeout", readers.number("seconds", above=True), args.timeout)
    endpoints = [read_argument("ENDPOINT", readers.endpoint, each) for each in args.endpoints]
    keys = readers.keys("availability", "device", "event", "snapshot")
    only = [read_argument("--only", keys, each) for each in args.only or ()]
    leave_out = [read_argument("--except", keys, each) for each in args.leave_out or ()]
    selection = Selection(only, leave_out)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with (
        zmq.Context() as context,
        Subscriber(context, args.curve_server_key, args.curve_secret_key) as subscriber,
    ):
        prefixes = _prefixes(args.topic or [""], only)
        for prefix in prefixes:
            subscriber.socket.subscribe(prefix)
        for endpoint in endpoints:
            subscriber.connect(endpoint)
        lines = _Lines(args.format, count)
        _print(subscriber, selection, lines, timeout, _Silence(endpoints, prefixes))
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


class _Lines:
    """Prints messages, or the states that they change.

    Args:
        form: json, text or csv.
        most: lines to print; None for no limit.

    """

    def __init__(self, form: str, most: int | None) -> None:
        self._left = math.inf if most is None else most
        self._out = sys.stdout.buffer
        self._states: StateLines | None = None
        if form != "json":
            from recbms_zmq.client import states
            from recbms_zmq.reporting.summary import open_summary

            self._left += form == "csv"  # the header
            self._states = states.StateLines(open_summary(form), self._write_text)

    @property
    def is_full(self) -> bool:
        """Whether all lines are printed."""
        return self._left <= 0

    @property
    def due(self) -> float:
        """The monotonic time at which `advance` prints a line; infinity for never."""
        return self._states.due if self._states else math.inf

    def take(self, body: bytes, now: float) -> None:
        """Print a message, or take what it changes."""
        if self._states is None:
            self._write(body)
            return
        import msgspec

        from recbms_zmq.reporting.messages import decode_message

        with contextlib.suppress(msgspec.DecodeError):  # another program's publisher
            self._states.take(decode_message(body), now)

    def advance(self, now: float) -> None:
        """Print what is due."""
        if self._states is not None:
            self._states.advance(now)

    def flush(self) -> None:
        """Write what is buffered."""
        self._out.flush()

    def _write_text(self, line: str) -> None:
        self._write(line.encode(sys.stdout.encoding, "backslashreplace"))

    def _write(self, line: bytes) -> None:
        if not self.is_full:
            self._left -= 1
            self._out.write(line + b"\n")


class _Silence:
    """Explains on stderr, once, why nothing comes."""

    def __init__(self, endpoints: Sequence[str], topics: Sequence[str]) -> None:
        self._endpoints = endpoints
        self._topics = topics
        self.connected = False
        self.due = time.monotonic() + SILENCE

    def end(self) -> None:
        """Note that something has come, or that it is explained already why not."""
        self.due = math.inf

    def explain(self) -> None:
        """Print the explanation."""
        from recbms_zmq.client.subscriber import why_silent

        self.end()
        _complain(why_silent(self._endpoints, self._topics, connected=self.connected))


def _print(
    subscriber: "Subscriber",
    selection: Selection,
    lines: _Lines,
    timeout: float | None,
    silence: _Silence,
) -> None:
    import zmq

    sub = subscriber.socket
    refusals: set[str] = set()
    poller = zmq.Poller()
    poller.register(sub, zmq.POLLIN)
    poller.register(subscriber.events, zmq.POLLIN)
    deadline = _deadline(timeout)
    lines.flush()
    while not lines.is_full:
        due = min(deadline, lines.due, silence.due)
        left = None if due == math.inf else max(0, math.ceil((due - time.monotonic()) * 1000))
        ready = dict(poller.poll(left))
        now = time.monotonic()
        if now >= silence.due:
            silence.explain()
        if now >= lines.due:
            lines.advance(now)
            lines.flush()
        if not ready and now >= deadline:
            raise Unavailable(f"nothing came within {timeout:g} s")
        if subscriber.events in ready:
            _read_event(subscriber, refusals, silence)
        if sub not in ready:
            continue
        parts = sub.recv_multipart()
        # Other than two parts come from another program's publisher.
        if len(parts) == 2 and selection.has(_key(parts[0])):
            silence.end()
            deadline = _deadline(timeout)
            lines.take(parts[1], now)
        if not sub.poll(0):
            lines.flush()
    lines.flush()


def _key(topic: bytes) -> str:
    return topic.split(b"/", 2)[-1].decode("ascii", "replace")


def _deadline(timeout: float | None) -> float:
    return math.inf if timeout is None else time.monotonic() + timeout


def _read_event(subscriber: "Subscriber", printed: set[str], silence: _Silence) -> None:
    """Print each service that refused the connection once: no message comes from it."""
    connected, refused, endpoint = subscriber.read_event()
    silence.connected |= connected
    if refused and endpoint not in printed:
        printed.add(endpoint)
        silence.end()
        _complain(f"{endpoint} refused the connection: {refused}")


def _complain(text: str) -> None:
    print(f"recbms-zmq: {text}", file=sys.stderr)
