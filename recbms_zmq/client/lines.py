"""What `listen` prints: messages, or the states that they change."""

import contextlib
import math
import sys
import time

import msgspec
import zmq

from recbms_zmq.client.silence import Silence
from recbms_zmq.client.states import StateLines
from recbms_zmq.client.subscriber import LONGEST_WAIT, Subscriber
from recbms_zmq.errors import Unavailable
from recbms_zmq.reporting.messages import decode_message
from recbms_zmq.reporting.summary import open_summary
from recbms_zmq.sensors.selection import Selection


class Lines:
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
            self._left += form == "csv"  # the header
            self._states = StateLines(open_summary(form), self._write_text)

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


def print_lines(
    subscriber: Subscriber,
    selection: Selection,
    lines: Lines,
    timeout: float | None,
    silence: Silence,
) -> None:
    """Print what comes, until all lines are printed.

    Args:
        subscriber: connected and subscribed.
        selection: keys of the messages to print.
        lines: prints them.
        timeout: seconds without a wanted message after which it gives up; None for never.
        silence: explains why nothing comes.

    Raises:
        Unavailable: nothing came for so long.

    """
    sub = subscriber.socket
    poller = zmq.Poller()
    poller.register(sub, zmq.POLLIN)
    poller.register(subscriber.events, zmq.POLLIN)
    deadline = _deadline(timeout)
    lines.flush()
    while not lines.is_full:
        due = min(deadline, lines.due, silence.due)
        left = min(LONGEST_WAIT, max(0.0, due - time.monotonic()))
        ready = dict(poller.poll(math.ceil(left * 1000)))
        now = time.monotonic()
        if now >= silence.due:
            silence.explain()
        if now >= lines.due:
            lines.advance(now)
            lines.flush()
        if subscriber.events in ready:
            _read_event(subscriber, silence)
        if sub in ready:
            parts = sub.recv_multipart()
            # Other than two parts come from another program's publisher.
            wanted = len(parts) == 2 and selection.has(_key(parts[0]))
            silence.received(wanted=wanted)
            if wanted:
                deadline = _deadline(timeout)
                lines.take(parts[1], now)
            if not sub.poll(0):
                lines.flush()
        if now >= deadline:
            why = silence.why()
            raise Unavailable(f"nothing came within {timeout:g} s{why and f': {why}'}")
    lines.flush()


def _key(topic: bytes) -> str:
    return topic.split(b"/", 2)[-1].decode("ascii", "replace")


def _deadline(timeout: float | None) -> float:
    return math.inf if timeout is None else time.monotonic() + timeout


def _read_event(subscriber: Subscriber, silence: Silence) -> None:
    connected, refused, endpoint = subscriber.read_event()
    if connected:
        silence.connected(endpoint)
    elif refused:
        silence.refused(endpoint, refused)
    else:
        silence.disconnected(endpoint)
