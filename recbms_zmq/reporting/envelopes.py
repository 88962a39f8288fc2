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


class Envelope:
    """The constant parts of the messages of one topic, and what the last message had in them.

    A BMS has about a hundred topics. What they share is kept once, and the last message in parts:
    its body would be 400 bytes.

    Args:
        topic: of all messages; needs no escapes in JSON.
        device: JSON behind the payload: the kind, and the BMS.
        about: JSON behind that, up to the value of `ts`: key, name and unit.
        origin: JSON behind the value of `seq`: the run, and what Home Assistant needs.

    Attributes:
        seq: count of messages so far.
        sent_at: monotonic time at which the caller sent the last message.

    """

    __slots__ = (
        "_about",
        "_device",
        "_origin",
        "_payload",
        "_ts",
        "sent_at",
        "seq",
        "topic",
    )

    def __init__(self, topic: str, device: bytes, about: bytes, origin: bytes) -> None:
        self.topic: Final = topic.encode("ascii")
        self.seq = 0
        self.sent_at = LONG_AGO
        self._device: Final = device
        self._about: Final = about
        self._origin: Final = origin
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
        return self.topic, self.last_body(), self

    def last_body(self) -> bytes:
        """Return the body of the last message, byte for byte."""
        payload = _encode(self._payload)
        if not payload.isascii():
            payload = ascii_json_bytes(self._payload)
        # Joining takes three quarters of the time of `%`. This is the largest cost of a message.
        return b"".join(
            (
                b'{"topic":"',
                self.topic,
                b'","payload":',
                payload,
                self._device,
                self._about,
                self._ts,
                b'","seq":',
                _encode(self.seq),
                self._origin,
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
        self._path = f"{prefix}/{device}/"
        self._names = {"device": device, "device_name": device_name}
        self._reading = _device(kind="reading", **self._names)
        self._run = run
        self._bare = bare

    def of_sensor(self, sensor: Sensor) -> Envelope:
        """Make the envelope of a sensor's readings."""
        about, origin = _constant(sensor, self._run, self._bare)
        return Envelope(self._path + sensor.key, self._reading, about, origin)

    def of_kind(self, kind: Kind) -> Envelope:
        """Make the envelope of a kind that has one topic a device."""
        return Envelope(
            self._path + kind,
            _device(kind=kind, **self._names),
            _about(key=kind, name=kind.capitalize()),
            _origin(run=self._run),
        )


@lru_cache(maxsize=4096)  # shared by all BMS; there are about 2,000 of the largest pack
def _constant(sensor: Sensor, run: str, bare: bool) -> tuple[bytes, bytes]:
    """Return what a sensor's messages have before and behind `ts` and `seq`."""
    unit = {} if sensor.unit is None else {"unit": sensor.unit}
    ha = {} if bare else {"ha": sensor.home_assistant()}
    return _about(key=sensor.key, name=sensor.name, **unit), _origin(run=run, **ha)


def _device(**members: Any) -> bytes:
    return b"," + _members(**members)


def _about(**members: Any) -> bytes:
    return b"," + _members(**members) + b',"ts":"'


def _origin(**members: Any) -> bytes:
    return b"," + _members(**members) + b"}"


def _members(**members: Any) -> bytes:
    """Encode as the inside of a JSON object."""
    return ascii_json_bytes(members)[1:-1]
