"""REC BMS to ZeroMQ, stdout, Node-RED and Home Assistant.

For programs: `decode_message` reads what the service sends, `decode` and `Normalizer` read what a
BMS sends. The rest of the package is the service itself, and may change from version to version.
"""

from recbms_zmq.errors import FrameError, MalformedFrame, RecBmsError, UnknownFrameType
from recbms_zmq.reporting.messages import (
    Availability,
    Device,
    Event,
    Message,
    Reading,
    Snapshot,
    decode_message,
)
from recbms_zmq.sensors.normalize import Normalizer, Readings
from recbms_zmq.sensors.sensor import Sensor
from recbms_zmq.sensors.table import SENSORS
from recbms_zmq.wire.frames import Decoded, Frame, Settings, Status, decode

__version__ = "0.1.0"

__all__ = [
    "SENSORS",
    "Availability",
    "Decoded",
    "Device",
    "Event",
    "Frame",
    "FrameError",
    "MalformedFrame",
    "Message",
    "Normalizer",
    "Reading",
    "Readings",
    "RecBmsError",
    "Sensor",
    "Settings",
    "Snapshot",
    "Status",
    "UnknownFrameType",
    "__version__",
    "decode",
    "decode_message",
]
