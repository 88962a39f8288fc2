"""The middle of the pipeline alone, from bytes to messages: `python -m bench.middle FILE WHAT …`.

Reads frames from a file, one a line, and takes them one a second, without a socket or a clock, so
that what it costs can be counted in instructions (tests/e2e/test_e2e_cost.py). Each WHAT is done in
a process of its own, forked when all is ready: `nothing`; `plain`, the plainest program that
makes a line of every value of a frame; or an option of `run`, as `report=all`.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recbms_zmq.clock import Instant
from recbms_zmq.config.load import load
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.sensors.energy import FROM_ZERO
from recbms_zmq.service.fleet import build_fleet

BEGAN = Instant(0.0, 1_790_000_000.0)


def service(options: dict[str, str], publish: Callable[[Batch], None]) -> Callable[[bytes], Any]:
    """Return what takes the frames of a BMS, with nothing around it."""
    (bms,) = build_fleet(load(options, ["-"], {}).config, publish)
    pipeline = bms.pipeline
    pipeline.meter.resume(FROM_ZERO)
    pipeline.start(BEGAN)
    pipeline.connected(BEGAN)
    times = (BEGAN.at(float(second)) for second in range(1, sys.maxsize))
    return lambda frame: pipeline.received(frame, next(times))


def plain(frame: bytes) -> None:
    """Make a line of every value."""
    try:
        values = json.loads(frame)
    except ValueError:
        return
    lines = []

    def walk(key: str, value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(f"{key}/{name}", inner)
        else:
            lines.append(f'{{"topic":"{key}","payload":{json.dumps(value)}}}\n'.encode())

    walk("recbms", values)
    b"".join(lines)


def ready(what: str) -> Callable[[bytes], Any]:
    """Return what takes a frame."""
    if what == "nothing":
        return lambda _: None
    return plain if what == "plain" else service(dict([what.split("=")]), lambda _: None)


def main(file: str, *whats: str) -> None:
    """Do one after the other."""
    frames = Path(file).read_bytes().splitlines()
    for take in [ready(what) for what in whats]:
        child = os.fork()
        if not child:
            for frame in frames:
                take(frame)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    main(*sys.argv[1:])
