"""Writes messages as bytes.

All of a sensor's message but the payload, `ts` and `seq` is constant. An `Envelope` encodes the
constant parts once and formats the rest between them: encoding whole messages costs several times
as much. A message is ASCII, one line without its newline; on ZeroMQ it is `[topic, message]`.
"""

from functools import lru_cache
from typing import Any, Final

from recbms_zmq.reporting.batch import Outgoing
from recbms_zmq.reporting.messages import Kind
from recbms_zmq.sensors.sensor import Sensor
from recbms_zmq.text import ascii_json


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

    def render(self, payload: str, ts: str) -> Outgoing:
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
