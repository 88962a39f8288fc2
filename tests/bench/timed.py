"""The command with a clock around every frame: `python -m tests.bench.timed run …`.

It measures from the moment at which a source hands over a frame until its messages have been given
to stdout and ZeroMQ. On SIGTERM it prints the times, in seconds, as one line of JSON on stderr.
"""

import json
import sys
import time

from recbms_zmq.cli import main
from recbms_zmq.clock import Instant
from recbms_zmq.service import fleet
from recbms_zmq.service.pipeline import Pipeline

times: list[float] = []


class TimedPipeline(Pipeline):
    """A device that notes how long each frame takes."""

    def received(self, data: bytes, at: Instant) -> bool:
        begin = time.perf_counter()
        valid = super().received(data, at)
        times.append(time.perf_counter() - begin)
        return valid


if __name__ == "__main__":
    fleet.Pipeline = TimedPipeline  # type: ignore[attr-defined]
    code = main()
    print(json.dumps(times), file=sys.stderr)
    sys.exit(code)
