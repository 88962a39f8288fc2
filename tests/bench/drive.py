"""The frames that the load sends: a seeded drive of the simulated pack, made beforehand.

In a flood 5 % are settings frames and 1 % are malformed. Its last frame raises error 19, which no
other frame does: a subscriber that has received it has received everything.
"""

import random
import re
from typing import Final

from websockets.frames import Frame, Opcode

from recbms_zmq.simulator import SimulatedBms, SimulatorOptions

SETTINGS_SHARE: Final = 0.05
MALFORMED_SHARE: Final = 0.01
LAST_ERROR: Final = 19
SETTINGS_EVERY: Final = 60
"""Frames from one settings frame to the next at the pace of real life."""
STAMP: Final = b'"mincell":0.5'
"""A placeholder in stamped frames: the server replaces it by the time at which it sends."""
STAMP_MODULUS: Final = 1e6
"""Stamps are in ms, modulo this: a cell voltage has three decimals, so they resolve 1 us."""


def frames(count: int, *, seed: int = 1, units: int = 1, cells: int = 4) -> list[bytes]:
    """Return `count` messages, one for each second of a pack's day, and the last frame."""
    rng = random.Random(seed)
    bms = SimulatedBms(SimulatorOptions(units=units, cells=cells, seed=seed))
    drive = []
    for second in range(count):
        share = rng.random()
        if share < SETTINGS_SHARE:
            drive.append(bms.settings(second))
        elif share < SETTINGS_SHARE + MALFORMED_SHARE:
            status = bms.status(second)
            drive.append(status[: rng.randrange(1, len(status))])
        else:
            drive.append(bms.status(second))
    last = bms.status(count).replace(
        b'"erro":{"present":0,"addr":0,"st":0', b'"erro":{"present":1,"addr":2,"st":%d' % LAST_ERROR
    )
    return [*drive, last]


def paced_frames(count: int) -> list[bytes]:
    """Return `count` frames of a real module: stamped status frames, seldom a settings frame."""
    bms = SimulatedBms(SimulatorOptions(seed=1))
    return [
        stamped(bms.status(second)) if second % SETTINGS_EVERY else bms.settings(second)
        for second in range(count)
    ]


def stamped(status: bytes) -> bytes:
    """Return a status frame with a placeholder for the time of sending."""
    return re.sub(rb'"mincell":[0-9.]+', STAMP, status)


def stamp(frame: bytes, now: float) -> bytes:
    """Replace the placeholder by a time in seconds."""
    return frame.replace(STAMP, b'"mincell":%.3f' % (now * 1e3 % STAMP_MODULUS))


def on_the_wire(message: bytes) -> bytes:
    """Return a message as an unmasked websocket frame, as a server sends it."""
    return Frame(Opcode.TEXT, message).serialize(mask=False)
