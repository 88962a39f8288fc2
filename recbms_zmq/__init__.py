"""REC BMS to ZeroMQ, stdout, Node-RED and Home Assistant.

For programs: `decode_message` reads what the service publishes; `decode` and `Normalizer` read what
a BMS sends. The rest of the package is the service itself, and may change from version to version.
"""

from typing import TYPE_CHECKING, Any

from recbms_zmq.version import __version__

if TYPE_CHECKING:
    from recbms_zmq.errors import FrameError, MalformedFrame, RecBmsError, UnknownFrameType
    from recbms_zmq.reporting.messages import (
        AlarmChange,
        Availability,
        Device,
        Event,
        Message,
        Reading,
        Snapshot,
        decode_message,
    )
    from recbms_zmq.sensors.device_info import DeviceInfo, UnitInfo
    from recbms_zmq.sensors.normalize import Normalizer, Readings
    from recbms_zmq.sensors.sensor import Sensor
    from recbms_zmq.sensors.table import SENSORS
    from recbms_zmq.wire.decode import Decoded, decode
    from recbms_zmq.wire.frames import Frame, Settings, Status

_MODULES = {
    "errors": ("FrameError", "MalformedFrame", "RecBmsError", "UnknownFrameType"),
    "reporting.messages": (
        *("AlarmChange", "Availability", "Device", "Event", "Message", "Reading", "Snapshot"),
        "decode_message",
    ),
    "sensors.device_info": ("DeviceInfo", "UnitInfo"),
    "sensors.normalize": ("Normalizer", "Readings"),
    "sensors.sensor": ("Sensor",),
    "sensors.table": ("SENSORS",),
    "wire.decode": ("Decoded", "decode"),
    "wire.frames": ("Frame", "Settings", "Status"),
}
"""Where the public names are. They are imported when they are used first, because the command line
imports this package and needs none of them."""

__all__ = [
    "SENSORS",
    "AlarmChange",
    "Availability",
    "Decoded",
    "Device",
    "DeviceInfo",
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
    "UnitInfo",
    "UnknownFrameType",
    "__version__",
    "decode",
    "decode_message",
]


def __getattr__(name: str) -> Any:
    """Import a public name on its first use."""
    for module, names in _MODULES.items():
        if name in names:
            from importlib import import_module

            value = getattr(import_module(f"recbms_zmq.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names too, before their first use."""
    return sorted({*globals(), *__all__})
