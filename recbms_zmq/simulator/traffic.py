"""What a simulated module puts on its connections, and when: frames at their rate, and faults.

Pure: whoever has the connections asks what to do at a time, and `due` says when to ask again.
"""

from collections import deque
from functools import partial
from itertools import count
from typing import Final, Literal, NamedTuple

import msgspec

from recbms_zmq.simulator import fault_effects
from recbms_zmq.simulator.bms import SimulatedBms
from recbms_zmq.simulator.fault_effects import Message
from recbms_zmq.simulator.fault_schedule import Acting, Schedule
from recbms_zmq.simulator.options import SimulatorOptions
from recbms_zmq.simulator.random_numbers import uniform
from recbms_zmq.wire.frames import Settings, Status

SETTINGS_INTERVAL: Final = 60.0
"""Seconds between settings frames; the real interval is not known."""

_MOST_HELD: Final = 1000  # frames of a burst
_DAMAGE: Final = 400  # stream of random numbers

Link = Literal["up", "stalled", "frozen", "closing", "refusing"]
"""`up`: connections work. `stalled`: nothing is sent. `frozen`: nor is anything answered.
`closing`: they are closed as soon as they are open. `refusing`: nobody listens."""

_LINKS: Final[tuple[tuple[str, Link], ...]] = (  # the first that acts counts
    ("refuse", "refusing"),
    ("close", "closing"),
    ("freeze", "frozen"),
    ("stall", "stalled"),
)


class Step(NamedTuple):
    """What to do now.

    Attributes:
        messages: to be sent on every connection; none unless the link is up.
        link: the state of the module's link from now on.
        breaks: connections break off now, `cut` after half of a frame.

    """

    messages: tuple[Message, ...]
    link: Link
    breaks: Literal["drop", "cut"] | None


class Traffic:
    """The messages of one simulated BMS, and what happens to its connections.

    Times are real seconds since the start and do not go back.

    Attributes:
        bms: what the messages tell of.
        due: when to ask for the next step.
        link: the state of the link since the last step.

    """

    def __init__(self, options: SimulatorOptions) -> None:
        self.bms = SimulatedBms(options)
        self.due = 0.0
        self.link: Link = "up"
        self._seed = options.seed
        self._interval = 1 / options.rate
        self._schedule = Schedule(options.faults, options.seed)
        self._frame_due = 0.0
        self._settings_due = 0.0
        self._held: deque[Message] = deque(maxlen=_MOST_HELD)
        self._newest = Message(b"")
        self._draws = count()

    @property
    def faults(self) -> dict[str, int]:
        """How often each of the ordered faults has begun."""
        names = dict.fromkeys(fault.name for fault in self.bms.options.faults)
        return {name: self._schedule.begun(name) for name in names}

    def step(self, elapsed: float) -> Step:
        """Go on to this time. A frame that is late is left out, not made up for."""
        is_frame = elapsed >= self._frame_due
        acting = self._schedule.step(elapsed, is_frame=is_frame)
        names = {fault.name for fault in acting}
        self.link = next((link for name, link in _LINKS if name in names), "up")
        if is_frame:
            self._frame_due = (elapsed // self._interval + 1) * self._interval
            if self._frame_due <= elapsed:  # the quotient was rounded down
                self._frame_due += self._interval
            if elapsed >= self._settings_due:
                self._settings_due = elapsed + SETTINGS_INTERVAL
                self._held.append(self._message(self.bms.settings_frame(elapsed), acting))
            self._newest = self._message(self.bms.status_frame(elapsed), acting)
            self._held.append(self._newest)
        self.due = min([self._frame_due, *self._schedule.changes(elapsed)])
        messages: tuple[Message, ...] = ()
        if self.link != "up":
            self._held.clear()
        elif "burst" not in names:
            messages = tuple(self._held)
            self._held.clear()
        breaks = next((name for name in ("cut", "drop") if name in names), None)
        return Step(messages, self.link, breaks)

    def greeting(self, elapsed: float) -> tuple[Message, ...]:
        """Give what a new connection is sent at once: the settings and the newest status."""
        if self.link != "up":
            return ()
        settings = self._message(self.bms.settings_frame(elapsed), self._schedule.aside(elapsed))
        return settings, self._newest

    def cell(self, elapsed: float) -> bytes:
        """Give what older firmware answers at `/cell`: the status without its type."""
        return self._message(
            self.bms.status_frame(elapsed), self._schedule.aside(elapsed), has_type=False
        ).data

    def _message(
        self, frame: Status | Settings, acting: list[Acting], *, has_type: bool = True
    ) -> Message:
        names = {fault.name for fault in acting}
        frame = fault_effects.shifted(frame, self._schedule.begun("unit"), is_out="unit" in names)
        if "empty" in names:
            frame = fault_effects.empty(frame)
        if "clock" in names:
            frame = fault_effects.clock(frame)
        for fault in acting:
            if fault.name == "alarm" and fault.number is not None:
                frame = fault_effects.alarm(frame, fault.number)
        message = Message(msgspec.json.encode(frame if has_type else _without_type(frame)))
        draw = partial(self._draw, next(self._draws), count())
        for fault in acting:
            message = fault_effects.damaged(fault.name, message, draw, fault.number)
        return message

    def _draw(self, number: int, numbers: "count[int]") -> float:
        return uniform(self._seed, _DAMAGE, number, next(numbers))


def _without_type(frame: Status | Settings) -> object:
    return {"bms_array": frame.bms_array} if isinstance(frame, Status) else frame
