"""Memory that each further BMS takes of Python, counted byte by byte: no load changes it.

`python -m tests.bench paced` measures what the system sees of it.
"""

import gc
import os
import subprocess
import sys
import tracemalloc
from typing import Any, Final

from bench import drive
from support.waiting import PATIENCE

from recbms_zmq.clock import Instant
from recbms_zmq.config.load import load
from recbms_zmq.reporting.batch import Batch, Retained
from recbms_zmq.service.fleet import build_fleet

FRAMES: Final = drive.paced_frames(4)
MOST: Final = 39_000
"""Bytes of one BMS, without its connection. About 35,000 are needed: 13,000 for 98 topics with the
parts of their last messages, 5,000 to find those, 10,000 for the last frame's values raw, rounded
and sent. One text more for each topic would take 6,000, its whole body 38,000."""
FEW: Final = 2
MANY: Final = 12


def bytes_of_a_fleet(size: int) -> int:
    """Return what a fleet takes that has read some frames, with the last value of each topic."""
    sources = [f"b{number}=ws://127.0.0.1:9/{number}" for number in range(size)]
    gc.collect()
    tracemalloc.start()
    try:
        retained: dict[Any, Retained] = {}

        def publish(batch: Batch) -> None:
            retained.update({last: last for _, _, last in batch.messages if last})

        fleet = build_fleet(load({}, sources, {}).config, publish)
        for bms in fleet:
            at = Instant(0.0, 1_790_000_000.0)
            bms.pipeline.start(at)
            for second, frame in enumerate(FRAMES, 1):
                assert bms.pipeline.received(frame, at.at(float(second)))
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def bytes_of_a_bms() -> float:
    """Return what each further BMS of a fleet takes."""
    # What all fleets share is made with the largest: caches, and tables that grow by leaps.
    bytes_of_a_fleet(MANY)
    few, many = bytes_of_a_fleet(FEW), bytes_of_a_fleet(MANY)
    return (many - few) / (MANY - FEW)


def test_a_further_bms_takes_little_memory() -> None:
    # In a process of its own: after other tests in the same one 49,000 were counted once.
    measured = subprocess.run(
        [sys.executable, __file__],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        check=True,
        timeout=PATIENCE,
    )
    assert float(measured.stdout) <= MOST


if __name__ == "__main__":
    print(bytes_of_a_bms())
