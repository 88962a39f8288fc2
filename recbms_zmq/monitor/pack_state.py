"""The state of one pack, made of its messages: what `render` draws.

Pure: each message comes with its arrival time in monotonic seconds, and what depends on time takes
it as an argument. Which pack a message belongs to is decided in `model`.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from recbms_zmq.monitor.history import History
from recbms_zmq.reporting.messages import (
    Availability,
    Device,
    Event,
    Message,
    Payload,
    Reading,
    Snapshot,
)
from recbms_zmq.sensors.device_info import DeviceInfo
from recbms_zmq.wire.alarms import alarm_text
from recbms_zmq.wire.chemistry import usual_cell_limits

MAX_EVENTS: Final = 20  # of alarms; more than a terminal shows
SAME_WITHIN: Final = 3600.0
"""Seconds within which an alarm that comes and goes is one event with a count."""
MAX_CELLS: Final = 16 * 32
"""As many as a frame can have. Another program's publisher could name more."""

_CELL: Final = re.compile(r"cell_voltage/(\d{1,4})/(\d{1,4})", re.ASCII)
_TEMPERATURE: Final = re.compile(r"temperature/(\d{1,4})/(\d{1,4})", re.ASCII)
_BMS_TEMPERATURE: Final = re.compile(r"bms_temperature/(\d{1,4})", re.ASCII)


class Limits(NamedTuple):
    """The range of a cell's voltage in V; `known` if it comes from the BMS's settings."""

    low: float
    high: float
    known: bool


class Cell(NamedTuple):
    """One cell: the address of its unit, its number from 1, its voltage in V (None if unknown)."""

    unit: int
    number: int
    voltage: float | None
    balancing: bool
    lowest: bool
    highest: bool

    @property
    def name(self) -> str:
        """The cell as in REC's pages: `unit/cell`."""
        return f"{self.unit}/{self.number}"


class Temperature(NamedTuple):
    """A temperature in °C. `number` counts a unit's battery sensors from 1; 0 is its board."""

    unit: int
    number: int
    celsius: float


class ActiveAlarm(NamedTuple):
    """An alarm that is active."""

    number: int | None
    text: str
    unit: int | None
    cell: int | None
    message: str


class PastEvent(NamedTuple):
    """An alarm that was raised or cleared at this time, for the `times`-th time."""

    at: float
    raised: bool
    number: int | None
    text: str
    unit: int | None
    cell: int | None
    times: int = 1

    def is_repeated_by(self, later: "PastEvent") -> bool:
        """Return whether the same happened again soon after; the text may differ."""
        mine, other = (each._replace(at=0.0, text="", times=1) for each in (self, later))
        return mine == other and later.at - self.at <= SAME_WITHIN


class PackState:
    """The last known state of one pack. While it is offline, the last values stay."""

    def __init__(self, name: str) -> None:
        self.name = name
        """Its display name."""
        self.online: bool | None = None
        """None until its first availability message."""
        self.reason = ""
        """Why it is online or offline."""
        self.info: DeviceInfo | None = None
        self.values: dict[str, Payload] = {}
        """The last value of every sensor, by its key."""
        self.power = History()
        self.events: deque[PastEvent] = deque(maxlen=MAX_EVENTS)
        """Newest first."""
        self._run = ""
        self._sequence: dict[str, int] = {}
        self._last_message_at: float | None = None

    def update(self, message: Message, now: float) -> None:
        """Update the state by a message that came now."""
        self.name = message.device_name
        # A new run counts `seq` from 1 again, and may have other units.
        if message.run != self._run:
            self._run = message.run
            self._sequence.clear()
            self.values.clear()
        # The service replays last values when another client subscribes: those are not fresh data.
        replayed = message.seq <= self._sequence.get(message.topic, 0)
        self._sequence[message.topic] = message.seq
        match message:
            case Reading():
                self._last_message_at = self._last_message_at if replayed else now
                self.values[message.key] = message.payload
            case Snapshot():
                self._last_message_at = self._last_message_at if replayed else now
                self.values = dict(message.payload)
            case Availability():
                self._available(message.payload == "online", message.reason)
            case Device():
                self.info = message.payload
            case Event():
                change = message.payload
                raised = change.event == "alarm_raised"
                self._add(
                    PastEvent(now, raised, change.number, change.text, change.unit, change.cell)
                )
        power = self.number("power") if self.online is not False else None
        self.power.add(power, now)

    def disconnected(self, reason: str, now: float) -> None:
        """Mark the pack as offline: the connection to its service is lost."""
        self._available(online=False, reason=reason)
        self.power.add(None, now)

    def _add(self, event: PastEvent) -> None:
        for before in self.events:
            if before.is_repeated_by(event):
                self.events.remove(before)
                event = event._replace(times=before.times + 1)
                break
        self.events.appendleft(event)

    def _available(self, online: bool, reason: str) -> None:
        if online and self.online is False:
            self.values.clear()  # the service publishes everything again; the rest has expired
        self.online = online
        self.reason = reason

    def age(self, now: float) -> float | None:
        """Return the seconds since the last fresh data of this pack, None before the first.

        By the arrival of messages, because the clocks of two machines differ.
        """
        return None if self._last_message_at is None else max(0.0, now - self._last_message_at)

    def number(self, key: str) -> float | None:
        """Return the value of a sensor if it is a number, else None."""
        value = self.values.get(key)
        # Any program can publish: a key of ours may have a value of another type.
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def text(self, key: str) -> str:
        """Return the value of a sensor if it is a text, else ""."""
        value = self.values.get(key)
        return value if isinstance(value, str) else ""

    @property
    def alarm(self) -> ActiveAlarm | None:
        """The active alarm, None if there is none."""
        if self.values.get("problem") is not True:
            return None
        number, unit, cell = map(self._whole, ("error_number", "error_unit", "error_cell"))
        text = self.text("error_text") or alarm_text(number)
        message = self.text("error_message")
        return ActiveAlarm(number, text, unit, cell, "" if message in text else message)

    @property
    def chemistry(self) -> str:
        """The chemistry in words, "" if unknown."""
        return (self.info and self.info.chemistry) or self.text("settings/chemistry")

    @property
    def limits(self) -> Limits:
        """The BMS's own limits of the cell voltage, else those usual for the chemistry."""
        low = self.number("settings/cell_voltage_limit_low")
        high = self.number("settings/cell_voltage_limit_high")
        if low is not None and high is not None and low < high:
            return Limits(low, high, known=True)
        return Limits(*usual_cell_limits(self.chemistry), known=False)

    def cells(self) -> list[Cell]:
        """Return all cells, by unit and number."""
        lowest, highest = self.text("cell_min"), self.text("cell_max")
        sizes = None if self.info is None else {u.address: u.cells for u in self.info.units}
        cells = []
        for unit, number in sorted(_indexes(_CELL, self.values)):
            if sizes is not None and number > sizes.get(unit, 0):
                continue  # the cell is gone; its last value is null
            name = f"{unit}/{number}"
            cells.append(
                Cell(
                    unit,
                    number,
                    self.number(f"cell_voltage/{name}"),
                    self.values.get(f"cell_balancing/{name}") is True,
                    name == lowest,
                    name == highest,
                )
            )
        return cells[:MAX_CELLS]

    def temperatures(self) -> list[Temperature]:
        """Return all known temperatures: those of the battery, then those of the units' boards."""
        found = [
            Temperature(unit, number, celsius)
            for unit, number in sorted(_indexes(_TEMPERATURE, self.values))
            if (celsius := self.number(f"temperature/{unit}/{number}")) is not None
        ]
        boards = [
            Temperature(unit, 0, celsius)
            for (unit,) in sorted(_indexes(_BMS_TEMPERATURE, self.values))
            if (celsius := self.number(f"bms_temperature/{unit}")) is not None
        ]
        return found + boards

    def _whole(self, key: str) -> int | None:
        value = self.number(key)
        return None if value is None else int(value)


def _indexes(pattern: re.Pattern[str], keys: Iterable[str]) -> Iterator[tuple[int, ...]]:
    for key in keys:
        match = pattern.fullmatch(key)
        if match:
            yield tuple(map(int, match.groups()))
