"""A program's end: what must not hold it up."""

import subprocess
import sys


def test_nothing_that_is_left_is_looked_through_for_garbage() -> None:
    code = (
        "import asyncio, gc; from recbms_zmq.service.runner import run\n"
        "run(asyncio.sleep(0)); print(gc.get_freeze_count() > 0, len(gc.get_objects()) < 100)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("True True\n", "")
