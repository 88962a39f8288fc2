"""The state of each BMS from its messages, as lines: `listen --format text` and `csv`."""

import math
from collections.abc import Callable
from datetime import datetime
from typing import Final

from recbms_zmq.reporting.messages import (
    Availability,
    Event,
    Message,
    Payload,
    Reading,
    Snapshot,
)
from recbms_zmq.reporting.summary import Summary, describe_alarm
from recbms_zmq.wire.alarms import alarm_guidance

INTERVAL: Final = 1.0
"""Seconds between two lines of a BMS at least."""
SETTLE: Final = 0.2
"""Seconds from a message to its line: all messages of a frame arrive within it."""
_MOST_SECONDS: Final = 1e11  # in the year 5138


class _State:
    """What is known of one BMS. `due` is when its next line is written; infinity for never."""

    def __init__(self) -> None:
        self.values: dict[str, Payload] = {}
        self.availability = ""
        self.wall = 0.0
        self.last_line = -math.inf
        self.due = math.inf


class StateLines:
    """Takes messages, and writes a line for each state and each change.

    Args:
        summary: the kind of line.
        write: takes each line.

    """

    def __init__(self, summary: Summary, write: Callable[[str], None]) -> None:
        self._summary = summary
        self._write = write
        self._states: dict[str, _State] = {}
        if summary.header:
            write(summary.header)

    @property
    def due(self) -> float:
        """The monotonic time at which `advance` has something to do; infinity for never."""
        return min((state.due for state in self._states.values()), default=math.inf)

    def take(self, message: Message, now: float) -> None:
        """Take a message that came now (monotonic seconds). It is ignored if `ts` is no time."""
        wall = _unix_seconds(message.ts)
        if wall is None:
            return
        state = self._states.setdefault(message.device, _State())
        before = dict(state.values)
        match message:
            case Availability():
                self._on_availability(state, message, wall)
            case Event():
                change = message.payload
                verb = change.event.replace("_", " ")
                text = f"{verb}: {describe_alarm(change)}"
                if change.event == "alarm_raised":
                    text += f". {alarm_guidance(change.number, change.advice)}"
                self._change(message.device, wall, text, offline=False)
            case Reading():
                state.values[message.key] = message.payload
            case Snapshot():
                state.values = dict(message.payload)
        # Several services, or a replay, may send an older message after a newer one.
        state.wall = max(state.wall, wall)
        if state.values and state.values != before:
            state.due = min(state.due, max(now + SETTLE, state.last_line + INTERVAL))

    def advance(self, now: float) -> None:
        """Write the lines that are due."""
        for device, state in self._states.items():
            if now >= state.due:
                state.due, state.last_line = math.inf, now
                self._write(self._summary.state(device, state.wall, state.values))

    def _on_availability(self, state: _State, message: Availability, wall: float) -> None:
        offline = message.payload == "offline"
        if offline:
            state.values = {}
            state.due = math.inf
        if message.payload != state.availability:
            state.availability = message.payload
            text = f"offline: {message.reason}" if offline else "online"
            self._change(message.device, wall, text, offline=offline)

    def _change(self, device: str, wall: float, text: str, *, offline: bool) -> None:
        if line := self._summary.change(device, wall, text, offline=offline):
            self._write(line)


def _unix_seconds(ts: str) -> float | None:
    """Return a time as Unix seconds; None if it cannot be read, or is beyond a calendar's end."""
    try:
        seconds = datetime.fromisoformat(ts).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < _MOST_SECONDS else None
