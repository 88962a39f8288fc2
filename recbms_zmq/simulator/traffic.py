"""What a simulated module sends, and when: frames at their rate, and faults.

Pure: the owner of the connections calls `step` with the time, and again at `due`.
"""

from collections import deque
from functools import partial
from itertools import count
from typing import Final, Literal, NamedTuple

import msgspec

from recbms_zmq.simulator import fault_effects
from recbms_zmq.simulator.bms import SimulatedBms
from recbms_zmq.simulator.fault_effects import WebsocketMessage
from recbms_zmq.simulator.fault_schedule import ActiveFault, Schedule
from recbms_zmq.simulator.options import SimulatorOptions
from recbms_zmq.simulator.random_numbers import uniform
from recbms_zmq.wire.frames import Settings, Status

SETTINGS_INTERVAL: Final = 60.0
"""Seconds between settings frames; the real interval is not known."""

_MOST_HELD: Final = 1000  # frames of a burst
_DAMAGE: Final = 400  # stream of random numbers

Link = Literal["up", "deaf", "stalled", "frozen", "parting", "closing", "refusing"]
"""`up`: connections work. `deaf`: nothing is read. `stalled`: nothing is sent. `frozen`: nothing is
sent or read. `parting`: a close frame is sent, nothing is read, and the connections stay open.
`closing`: connections are closed as soon as they are open. `refusing`: no port is open."""

_LINKS: Final[tuple[tuple[str, Link], ...]] = (  # the first active one counts
    ("refuse", "refusing"),
    ("close", "closing"),
    ("goodbye", "parting"),
    ("freeze", "frozen"),
    ("stall", "stalled"),
    ("no-pong", "deaf"),
)

_SENDING: Final = ("up", "deaf")


class Step(NamedTuple):
    """What to do now.

    Attributes:
        messages: to send on every connection; none unless the link is up or deaf.
        link: the state of the module's connections from now on.
        breaks: break connections now; `cut`: after half of a frame.

    """

    messages: tuple[WebsocketMessage, ...]
    link: Link
    breaks: Literal["drop", "cut"] | None


class Traffic:
    """The messages of one simulated BMS, and what happens to its connections.

    Times are real seconds since the start and do not go back.

    Attributes:
        bms: the source of the frames.
        due: the time of the next step.
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
        self._held: deque[WebsocketMessage] = deque(maxlen=_MOST_HELD)
        self._newest = WebsocketMessage(b"")
        self._draws = count()

    @property
    def faults(self) -> dict[str, int]:
        """How often each of the ordered faults has begun."""
        names = dict.fromkeys(fault.name for fault in self.bms.options.faults)
        return {name: self._schedule.times_begun(name) for name in names}

    def step(self, elapsed: float) -> Step:
        """Advance to this time. Frames of the past are left out."""
        is_frame = elapsed >= self._frame_due
        active = self._schedule.step(elapsed, is_frame=is_frame)
        names = {fault.name for fault in active}
        self.link = next((link for name, link in _LINKS if name in names), "up")
        if is_frame:
            self._frame_due = (elapsed // self._interval + 1) * self._interval
            if self._frame_due <= elapsed:  # the quotient was rounded down
                self._frame_due += self._interval
            if elapsed >= self._settings_due:
                self._settings_due = elapsed + SETTINGS_INTERVAL
                self._held.append(self._message(self.bms.settings_frame(elapsed), active))
            self._newest = self._message(self.bms.status_frame(elapsed), active)
            self._held.append(self._newest)
        self.due = min([self._frame_due, *self._schedule.next_times(elapsed)])
        messages: tuple[WebsocketMessage, ...] = ()
        if self.link not in _SENDING:
            self._held.clear()
        elif "burst" not in names:
            messages = tuple(self._held)
            self._held.clear()
        breaks = next((name for name in ("cut", "drop") if name in names), None)
        return Step(messages, self.link, breaks)

    def greeting(self, elapsed: float) -> tuple[WebsocketMessage, ...]:
        """Return the first messages of a new connection: the settings and the newest status."""
        if self.link not in _SENDING:
            return ()
        settings = self._message(
            self.bms.settings_frame(elapsed), self._schedule.for_extra_frame(elapsed)
        )
        return settings, self._newest

    def cell(self, elapsed: float) -> bytes:
        """Return the answer of older firmware at `/cell`: the status without its type."""
        return self._message(
            self.bms.status_frame(elapsed), self._schedule.for_extra_frame(elapsed), has_type=False
        ).data

    def _message(
        self, frame: Status | Settings, active: list[ActiveFault], *, has_type: bool = True
    ) -> WebsocketMessage:
        names = {fault.name for fault in active}
        frame = fault_effects.shifted(
            frame, self._schedule.times_begun("unit"), is_out="unit" in names
        )
        if "empty" in names:
            frame = fault_effects.empty(frame)
        if "clock" in names:
            frame = fault_effects.clock(frame)
        for fault in active:
            if fault.name == "alarm" and fault.number is not None:
                frame = fault_effects.alarm(frame, fault.number)
        message = WebsocketMessage(msgspec.json.encode(frame if has_type else _without_type(frame)))
        draw = partial(self._draw, next(self._draws), count())
        for fault in active:
            message = fault_effects.damaged(fault.name, message, draw, fault.number)
        return message

    def _draw(self, number: int, numbers: "count[int]") -> float:
        return uniform(self._seed, _DAMAGE, number, next(numbers))


def _without_type(frame: Status | Settings) -> object:
    return {"bms_array": frame.bms_array} if isinstance(frame, Status) else frame
