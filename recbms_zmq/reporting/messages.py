"""The message contract, version 1: what leaves the program, as types and as bytes.

The structs are for those who read messages (`decode_message`, `sensors --schema`). Writing does
not go through them: of a sensor's message all but the value, `ts` and `seq` is constant, so
`Envelope` keeps the constant text ready and puts the rest between. Tests hold both to each other.

A message is ASCII, one line without its newline; on ZeroMQ the frames are `[topic, message]`.
"""

import json
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from recbms_zmq.sensors.sensor import Sensor

Payload = float | int | bool | str | None
Kind = Literal["reading", "availability", "event", "snapshot", "device"]


class _Message(Struct, kw_only=True, frozen=True, tag_field="kind"):
    """What every message has.

    Attributes:
        topic: `<prefix>/<device>/<key>`.
        device, device_name: id and human name of the BMS.
        key, name: of the sensor; the key is unique within the device.
        ts: when the frame arrived, UTC, ISO 8601 with milliseconds and `Z`.
        seq: counts the messages of this topic in this run, from 1; a gap is a lost message, a
            repeat is a replay.
        run: 8 hex digits, new at every start.

    """

    topic: str
    device: str
    device_name: str
    key: str
    name: str
    ts: str
    seq: int
    run: str


class Reading(_Message, tag="reading", kw_only=True, frozen=True):
    """The value of one sensor, None for unknown; `ha` is for Home Assistant."""

    payload: Payload
    unit: str | None = None
    ha: dict[str, Any] | None = None


class Availability(_Message, tag="availability", kw_only=True, frozen=True):
    """Whether valid status frames come from the BMS."""

    payload: Literal["online", "offline"]
    reason: str


class AlarmChange(Struct, kw_only=True, frozen=True):
    """An alarm that came or went. `unit` is an address; `cell` a cell or sensor from 1."""

    event: Literal["alarm_raised", "alarm_cleared"]
    number: int | None
    text: str
    unit: int | None
    cell: int | None


class Event(_Message, tag="event", kw_only=True, frozen=True):
    """Something that happened once."""

    payload: AlarmChange


class Snapshot(_Message, tag="snapshot", kw_only=True, frozen=True):
    """All readings in one message, by their keys."""

    payload: dict[str, Payload]


class UnitInfo(Struct, kw_only=True, frozen=True):
    """A BMS unit: its address, and how many cells and temperature sensors it has."""

    address: int
    cells: int
    sensors: int


class DeviceInfo(Struct, kw_only=True, frozen=True):
    """What is known of a pack beside its readings. Capacity in Ah."""

    units: list[UnitInfo]
    model: str | None = None
    chemistry: str | None = None
    capacity: float | None = None
    serial: str | None = None


class Device(_Message, tag="device", kw_only=True, frozen=True):
    """The description of a BMS."""

    payload: DeviceInfo


Message = Reading | Availability | Event | Snapshot | Device

_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def decode_message(body: bytes | str) -> Message:
    """Decode a line of stdout, or the second frame of a ZeroMQ message.

    Raises:
        msgspec.DecodeError: it is no message of this contract.

    """
    return _decoder.decode(body)


Outgoing = tuple[bytes, bytes, bool]
"""A message on its way out: topic, body, and whether it is retained, that is, true until the next
one of its topic. A plain tuple, because a named one takes six times as long to make."""


_encode = msgspec.json.Encoder().encode


def ascii_json(value: Any) -> str:
    """Encode as JSON in ASCII, so that no reader can cut a character in two."""
    text = _encode(value).decode()
    return text if text.isascii() else json.dumps(msgspec.to_builtins(value), separators=(",", ":"))


class Envelope:
    """The constant parts of the messages of one topic, and its count of messages.

    Args:
        topic: of all of them.
        device: the members that say which kind of message it is, and of which BMS.
        about: the members that say what it is about.
        origin: the members at the end.
        retained: whether a message is true until the next one.

    """

    __slots__ = ("_about", "_device", "_head", "_origin", "retained", "seq", "topic")

    def __init__(self, topic: str, device: str, about: str, origin: str, *, retained: bool) -> None:
        self.topic: Final = topic.encode()
        self.seq = 0
        self.retained: Final = retained
        self._head: Final = f'{{"topic":{ascii_json(topic)},"payload":'
        # Not put together, because each is shared with many other topics: a fleet has thousands.
        self._device: Final = device
        self._about: Final = about
        self._origin: Final = origin

    def seal(self, payload: str, ts: str) -> Outgoing:
        """Make the next message; `payload` is JSON in ASCII, `ts` ISO 8601."""
        self.seq += 1
        body = (
            f"{self._head}{payload},{self._device},{self._about},"
            f'"ts":"{ts}","seq":{self.seq},{self._origin}}}'
        )
        return self.topic, body.encode(), self.retained


class Envelopes:
    """Makes the envelopes of one device."""

    def __init__(
        self,
        device: str,
        device_name: str,
        run: str,
        prefix: str = "recbms",
        bare: bool = False,
    ) -> None:
        self._path = f"{prefix}/{device}/"
        self._device = _members(device=device, device_name=device_name)
        self._reading = f'"kind":"reading",{self._device}'
        self._run = run
        self._bare = bare

    def of_sensor(self, sensor: Sensor) -> Envelope:
        """Make the envelope of a sensor's readings."""
        about, origin = _constant(sensor, self._run, self._bare)
        return Envelope(self._path + sensor.key, self._reading, about, origin, retained=True)

    def of_kind(self, kind: Kind) -> Envelope:
        """Make the envelope of a kind that has one topic a device."""
        return Envelope(
            self._path + kind,
            f'"kind":"{kind}",{self._device}',
            _members(key=kind, name=kind.capitalize()),
            _members(run=self._run),
            retained=kind != "event",
        )


@lru_cache(maxsize=4096)  # shared by all BMS; there are about 2,000 of the largest pack
def _constant(sensor: Sensor, run: str, bare: bool) -> tuple[str, str]:
    """Return what a sensor's messages say of it, before and behind what changes."""
    unit = {} if sensor.unit is None else {"unit": sensor.unit}
    ha = {} if bare else {"ha": sensor.home_assistant()}
    return _members(key=sensor.key, name=sensor.name, **unit), _members(run=run, **ha)


def _members(**members: Any) -> str:
    """Encode as the inside of a JSON object."""
    return ascii_json(members)[1:-1]
