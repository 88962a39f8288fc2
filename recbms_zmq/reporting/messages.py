"""The message contract, version 1, as types: for programs that read messages.

`decode_message` reads a message; `recbms-zmq sensors --schema` prints the JSON schema of these
types. `envelopes` writes messages without them, and the tests compare what it writes with them.
"""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from recbms_zmq.sensors.device_info import DeviceInfo

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
    """The value of one sensor, None (null) for unknown; `ha` is for Home Assistant."""

    payload: Payload
    unit: str | None = None
    ha: dict[str, Any] | None = None


class Availability(_Message, tag="availability", kw_only=True, frozen=True):
    """Whether valid status frames come from the BMS."""

    payload: Literal["online", "offline"]
    reason: str


class AlarmChange(Struct, kw_only=True, frozen=True):
    """An alarm that came or went.

    Attributes:
        number: REC's error number.
        text: what the number means.
        advice: what the owner does; empty where REC's manual has none.
        unit: address of the unit.
        cell: number of the cell or temperature sensor, from 1.

    """

    event: Literal["alarm_raised", "alarm_cleared"]
    number: int | None
    text: str
    advice: str
    unit: int | None
    cell: int | None


class Event(_Message, tag="event", kw_only=True, frozen=True):
    """Something that happened once."""

    payload: AlarmChange


class Snapshot(_Message, tag="snapshot", kw_only=True, frozen=True):
    """All readings in one message, by their keys."""

    payload: dict[str, Payload]


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
