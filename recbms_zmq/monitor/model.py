"""What the view knows: the state of every pack, made of the messages of the contract.

Pure: messages go in with the time at which they came (monotonic seconds), and everything that
depends on time takes it as an argument. How it looks is `render`'s business.
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
from recbms_zmq.wire.alarms import ALARMS, AlarmType
from recbms_zmq.wire.chemistry import usual_cell_limits

MAX_EVENTS: Final = 20
MAX_CELLS: Final = 16 * 32
"""As many as a frame can have; a publisher that is not ours could name more."""

_CELL: Final = re.compile(r"cell_voltage/(\d{1,4})/(\d{1,4})", re.ASCII)
_TEMPERATURE: Final = re.compile(r"temperature/(\d{1,4})/(\d{1,4})", re.ASCII)
_BMS_TEMPERATURE: Final = re.compile(r"bms_temperature/(\d{1,4})", re.ASCII)


class Limits(NamedTuple):
    """Voltages between which a cell should be; `known` if they come from the BMS's settings."""

    low: float
    high: float
    known: bool


class Cell(NamedTuple):
    """One cell. `unit` is an address, `number` counts from 1; the voltage is None if unknown."""

    unit: int
    number: int
    voltage: float | None
    balancing: bool
    lowest: bool
    highest: bool

    @property
    def place(self) -> str:
        """As REC names it: `unit/cell`."""
        return f"{self.unit}/{self.number}"


class Temperature(NamedTuple):
    """A temperature in °C. `number` counts a unit's battery sensors from 1, 0 is its board."""

    unit: int
    number: int
    celsius: float


class ActiveAlarm(NamedTuple):
    """An alarm that is active now; `known` is its row in REC's table, if it has one."""

    number: int | None
    text: str
    unit: int | None
    cell: int | None
    message: str
    known: AlarmType | None


class PastEvent(NamedTuple):
    """An alarm that came or went at this time."""

    at: float
    raised: bool
    number: int | None
    text: str
    unit: int | None
    cell: int | None


class Pack:
    """One pack as it was last heard of. While it is offline, the last values stay."""

    def __init__(self, name: str) -> None:
        self.name = name
        """For people."""
        self.online: bool | None = None
        """None until the first word about it."""
        self.reason = ""
        """Why it is online or offline."""
        self.info: DeviceInfo | None = None
        self.values: dict[str, Payload] = {}
        """The last value of every sensor, by its key."""
        self.power = History()
        self.events: deque[PastEvent] = deque(maxlen=MAX_EVENTS)
        """The newest first."""
        self._run = ""
        self._sequence: dict[str, int] = {}
        self._heard: float | None = None

    def take(self, message: Message, now: float) -> None:
        """Take a message that came now."""
        self.name = message.device_name
        if message.run != self._run:
            self._run = message.run
            self._sequence.clear()
            self.values.clear()
        # The service repeats its last word for others who join; that is no news of the pack.
        replayed = message.seq <= self._sequence.get(message.topic, 0)
        self._sequence[message.topic] = message.seq
        match message:
            case Reading():
                self._heard = self._heard if replayed else now
                self.values[message.key] = message.payload
            case Snapshot():
                self._heard = self._heard if replayed else now
                self.values = dict(message.payload)
            case Availability():
                self._available(message.payload == "online", message.reason)
            case Device():
                self.info = message.payload
            case Event():
                change = message.payload
                raised = change.event == "alarm_raised"
                self.events.appendleft(
                    PastEvent(now, raised, change.number, change.text, change.unit, change.cell)
                )
        power = self.number("power") if self.online is not False else None
        self.power.add(power, now)

    def lost(self, reason: str, now: float) -> None:
        """Take note that whoever told of this pack has gone."""
        self._available(online=False, reason=reason)
        self.power.add(None, now)

    def _available(self, online: bool, reason: str) -> None:
        if online and self.online is False:
            self.values.clear()  # everything is said again; what is not is no longer there
        self.online = online
        self.reason = reason

    def age(self, now: float) -> float | None:
        """Return the seconds since the last news of this pack, None before the first.

        Counted on our own clock from when a message came, since clocks of two machines differ.
        """
        return None if self._heard is None else max(0.0, now - self._heard)

    def number(self, key: str) -> float | None:
        """Return the value of a sensor that is a number."""
        value = self.values.get(key)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def text(self, key: str) -> str:
        """Return the value of a sensor that is a text, empty without one."""
        value = self.values.get(key)
        return value if isinstance(value, str) else ""

    @property
    def alarm(self) -> ActiveAlarm | None:
        """The active alarm."""
        if self.values.get("problem") is not True:
            return None
        number, unit, cell = map(self._whole, ("error_number", "error_unit", "error_cell"))
        known = None if number is None else ALARMS.get(number)
        text = self.text("error_text") or (known.text if known else "Error")
        message = self.text("error_message")
        return ActiveAlarm(number, text, unit, cell, "" if message in text else message, known)

    @property
    def chemistry(self) -> str:
        """In words, empty if unknown."""
        return (self.info and self.info.chemistry) or self.text("settings/chemistry")

    @property
    def limits(self) -> Limits:
        """The cell voltages between which the BMS keeps on, else those usual for the chemistry."""
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
        for unit, number in sorted(_places(_CELL, self.values)):
            if sizes is not None and number > sizes.get(unit, 0):
                continue  # it has gone, and its last word was "unknown"
            place = f"{unit}/{number}"
            cells.append(
                Cell(
                    unit,
                    number,
                    self.number(f"cell_voltage/{place}"),
                    self.values.get(f"cell_balancing/{place}") is True,
                    place == lowest,
                    place == highest,
                )
            )
        return cells[:MAX_CELLS]

    def temperatures(self) -> list[Temperature]:
        """Return all temperatures that are known: of each unit the battery's, then the board's."""
        found = [
            Temperature(unit, number, celsius)
            for unit, number in sorted(_places(_TEMPERATURE, self.values))
            if (celsius := self.number(f"temperature/{unit}/{number}")) is not None
        ]
        boards = [
            Temperature(unit, 0, celsius)
            for (unit,) in sorted(_places(_BMS_TEMPERATURE, self.values))
            if (celsius := self.number(f"bms_temperature/{unit}")) is not None
        ]
        return found + boards

    def _whole(self, key: str) -> int | None:
        value = self.number(key)
        return None if value is None else int(value)


def _places(pattern: re.Pattern[str], keys: Iterable[str]) -> Iterator[tuple[int, ...]]:
    for key in keys:
        match = pattern.fullmatch(key)
        if match:
            yield tuple(map(int, match.groups()))


class Model:
    """All packs, and the ways on which one hears of them.

    A way is an endpoint of a service, or empty for what is read in this process. Two services may
    both have a pack of the same topic, so packs are told apart by way and topic.
    """

    def __init__(self, ways: Iterable[str] = ()) -> None:
        self.connected: dict[str, bool] = dict.fromkeys(ways, False)
        """Whether there is a connection to the service at each endpoint."""
        self.refusals: dict[str, str] = {}
        """Why the service at an endpoint does not let us in."""
        self._packs: dict[tuple[str, str], Pack] = {}

    @property
    def packs(self) -> list[Pack]:
        """In the order in which they were first heard of."""
        return list(self._packs.values())

    def take(self, message: Message, now: float, way: str = "") -> None:
        """Take a message that came now on this way."""
        # A message that got through proves the connection; its own event may come later.
        if way in self.connected:
            self.connected[way] = True
        # With the prefix, which another service on the same endpoint may use to be told apart.
        key = (way, message.topic.removesuffix(message.key))
        pack = self._packs.get(key)
        if pack is None:
            pack = self._packs[key] = Pack(message.device_name)
        pack.take(message, now)

    def explain(self, device: str, reason: str, way: str = "") -> None:
        """Take note of why a device is offline."""
        for (pack_way, topic), pack in self._packs.items():
            if pack_way == way and topic.endswith(f"/{device}/") and not pack.online:
                pack.reason = reason

    def connection(self, way: str, connected: bool, now: float) -> None:
        """Take note that the connection to a service has come or gone."""
        self.connected[way] = connected
        if connected:
            self.refusals.pop(way, None)
        else:
            for (pack_way, _), pack in self._packs.items():
                if pack_way == way:
                    pack.lost(f"no connection to the service at {way}", now)

    def refused(self, way: str, why: str) -> None:
        """Take note that a service does not let us in."""
        self.refusals[way] = why
