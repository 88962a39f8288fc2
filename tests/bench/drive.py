"""The load: a seeded drive of the simulated pack, made beforehand and framed for the wire.

5 % are settings frames, 1 % are malformed. The last frame raises error 19, which no other does:
whoever sees it has seen everything.
"""

import random
import re
from typing import Final

from websockets.frames import Frame, Opcode

from recbms_zmq.simulator import SimulatedBms, SimulatorOptions

SETTINGS_SHARE: Final = 0.05
MALFORMED_SHARE: Final = 0.01
LAST_ERROR: Final = 19
STAMP: Final = b'"mincell":0.5'
"""What `stamped` puts into a frame, for the server to replace by the time of sending."""


def frames(count: int, *, seed: int = 1, units: int = 1, cells: int = 4) -> list[bytes]:
    """Return `count` messages, as one second each of a pack's day, and the one that ends it."""
    chance = random.Random(seed)
    bms = SimulatedBms(SimulatorOptions(units=units, cells=cells, seed=seed))
    drive = []
    for second in range(count):
        lot = chance.random()
        if lot < SETTINGS_SHARE:
            drive.append(bms.settings(second))
        elif lot < SETTINGS_SHARE + MALFORMED_SHARE:
            status = bms.status(second)
            drive.append(status[: chance.randrange(1, len(status))])
        else:
            drive.append(bms.status(second))
    last = bms.status(count).replace(
        b'"erro":{"present":0,"addr":0,"st":0', b'"erro":{"present":1,"addr":2,"st":%d' % LAST_ERROR
    )
    return [*drive, last]


def on_the_wire(message: bytes) -> bytes:
    """Return a message as an unmasked websocket frame, as a server sends it."""
    return Frame(Opcode.TEXT, message).serialize(mask=False)


def stamped(messages: list[bytes]) -> list[bytes]:
    """Return the status frames among these with a place for the time of sending."""
    return [re.sub(rb'"mincell":[0-9.]+', STAMP, each) for each in messages if b'"mincell"' in each]
