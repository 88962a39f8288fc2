"""What is known of the connection to a BMS, for the sensors of it."""

from msgspec import Struct

from recbms_zmq.sensors.sensor import Unknown


class Link(Struct, frozen=True):
    """What is known of the connection itself.

    Attributes:
        frames: valid frames in this run.
        bad_frames: frames that were dropped, and frames with fields that were.
        reconnects: connections made after the first one.
        frame_interval: seconds between the last two status frames; UNKNOWN before the second one.

    """

    frames: int
    bad_frames: int
    reconnects: int
    frame_interval: float | Unknown
