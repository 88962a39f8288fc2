"""Writes messages as bytes.

All of a sensor's message but the payload, `ts` and `seq` is constant. An `Envelope` encodes the
constant parts once and formats the rest between them: encoding whole messages costs several times
as much. A message is ASCII, one line without its newline; on ZeroMQ it is `[topic, message]`.
"""

from functools import lru_cache
from typing import Any, Final

import msgspec

from recbms_zmq.reporting.batch import Outgoing
from recbms_zmq.reporting.messages import Kind
from recbms_zmq.sensors.sensor import Sensor
from recbms_zmq.text import ascii_json_bytes

_encode: Final = msgspec.json.Encoder().encode
LONG_AGO: Final = float("-inf")


# Plain tuples: named ones take six times as long to unpack. Topics need no escapes in JSON.
_Device = tuple[bytes, bytes, bytes]
"""What all messages of a kind of a BMS have in common: the topic up to the key, JSON up to the key
in the topic, and JSON behind the payload: the kind, and the BMS."""
_Constants = tuple[bytes, bytes, bytes, bytes]
"""What all messages of a key have in common: the key, JSON from the key in the topic up to the
payload, JSON behind that of the BMS up to the value of `ts` (key, name and unit), and JSON behind
the value of `seq`: the run, and what Home Assistant needs."""


class Envelope:
    """The constant parts of the messages of one topic, and what the last message had in them.

    A BMS has about a hundred topics. What they share is kept once, and the last message in parts:
    its body would be 400 bytes.

    Args:
        device: of all topics of the BMS.
        constants: of this key of all BMS.

    Attributes:
        seq: count of messages so far.
        sent_at: monotonic time at which the caller sent the last message.

    """

    __slots__ = ("_constants", "_device", "_payload", "_ts", "sent_at", "seq")

    def __init__(self, device: _Device, constants: _Constants) -> None:
        self.seq = 0
        self.sent_at = LONG_AGO
        self._device: Final = device
        self._constants: Final = constants
        self._payload: Any  # of the last message; there is none yet
        self._ts: bytes

    def render(self, payload: Any, ts: bytes) -> Outgoing:
        """Make the next message.

        Args:
            payload: what msgspec can encode and nothing can change; `Raw` for JSON in ASCII.
            ts: ISO 8601, in ASCII.

        """
        self.seq += 1
        self._payload, self._ts = payload, ts
        return self._device[0] + self._constants[0], self.last_body(), self

    @property
    def topic(self) -> bytes:
        """The topic of all messages; not kept, because a hundred of them take 7 KiB."""
        return self._device[0] + self._constants[0]

    def last_body(self) -> bytes:
        """Return the body of the last message, byte for byte."""
        payload = _encode(self._payload)
        if not payload.isascii():
            payload = ascii_json_bytes(self._payload)
        _, begin, device = self._device
        _, end_of_topic, about, origin = self._constants
        # Joining takes three quarters of the time of `%`. This is the largest cost of a message.
        return b"".join(
            (
                begin,
                end_of_topic,
                payload,
                device,
                about,
                self._ts,
                b'","seq":',
                _encode(self.seq),
                origin,
            )
        )


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
        self._path = f"{prefix}/{device}/".encode("ascii")
        self._names = {"device": device, "device_name": device_name}
        self._reading = self._device("reading")
        self._run = run
        self._bare = bare

    def of_sensor(self, sensor: Sensor) -> Envelope:
        """Make the envelope of a sensor's readings."""
        return Envelope(self._reading, _constants_of(sensor, self._run, self._bare))

    def of_kind(self, kind: Kind) -> Envelope:
        """Make the envelope of a kind that has one topic a device."""
        about = {"key": kind, "name": kind.capitalize()}
        return Envelope(self._device(kind), _constants(about, {"run": self._run}))

    def _device(self, kind: Kind) -> _Device:
        about = b"," + _members(kind=kind, **self._names)
        return self._path, b'{"topic":"' + self._path, about


@lru_cache(maxsize=4096)  # shared by all BMS; there are about 2,000 of the largest pack
def _constants_of(sensor: Sensor, run: str, bare: bool) -> _Constants:
    unit = {} if sensor.unit is None else {"unit": sensor.unit}
    ha = {} if bare else {"ha": sensor.home_assistant()}
    return _constants({"key": sensor.key, "name": sensor.name, **unit}, {"run": run, **ha})


def _constants(about: dict[str, Any], origin: dict[str, Any]) -> _Constants:
    key = about["key"].encode("ascii")
    return (
        key,
        key + b'","payload":',
        b"," + _members(**about) + b',"ts":"',
        b"," + _members(**origin) + b"}",
    )


def _members(**members: Any) -> bytes:
    """Encode as the inside of a JSON object."""
    return ascii_json_bytes(members)[1:-1]
