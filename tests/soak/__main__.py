"""Runs the soak and prints its verdict; see the package's docstring for what it looks at."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from .soak import Broken, Soak
from .verdict import Verdict
from .vitals import Vitals

GROWTH = 4 * 2**20
"""Bytes of memory that may be more in the second calm than in the first, however long the chaos
between them was. Nothing in the service grows with time; but how much of what it once had is given
back is the allocator's affair: what a stalled reader leaves unread (3,000 messages of about 0.5 KB
each) and what a frame of 1 MiB takes while it is read stays with the process, in pieces."""


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak",
        description=__doc__,
        epilog="Ends with 0 if every promise was kept, with 1 if not. A seed draws the same faults "
        "again; what comes of them depends on the machine too.",
    )
    parser.add_argument("--seconds", type=float, default=600, help="of chaos (default %(default)s)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="(default: the time)")
    parser.add_argument("--bms", type=int, default=20, help="how many (default %(default)s)")
    args = parser.parse_args()
    print(f"seed {args.seed}: {args.bms} BMS, {args.seconds:g} s", flush=True)
    verdict = Verdict()
    with tempfile.TemporaryDirectory(prefix="soak") as folder:
        soak = Soak(Path(folder), args.seed, args.bms, verdict)
        try:
            run(soak, args.seconds, verdict)
        except Broken:
            pass
        except BaseException as exc:
            verdict.fail("the soak itself ran to its end", repr(exc))
            raise
        finally:
            soak.close()
            print("\n".join(verdict.lines()), flush=True)
    return 0 if verdict.passed else 1


def run(soak: Soak, seconds: float, verdict: Verdict) -> None:
    """Let there be a chaos, a calm, a longer chaos, a calm, and the end."""
    soak.begin()
    # The first one is the warm-up: after it everything has been needed once.
    warm_up = max(seconds / 4, 10.0)
    soak.chaos(warm_up)
    before = soak.calm()
    print(f"first calm:  {before}", flush=True)
    soak.chaos(max(seconds - warm_up, 10.0))
    after = soak.calm(before)
    print(f"second calm: {after}", flush=True)
    soak.end()
    print("\n".join(soak.report()))
    for what in ("frames published", "offline", "lost by slow readers"):
        if not verdict.counts[what]:
            verdict.fail("the chaos was one", f"{what}: 0")
    look_at(before, after, verdict)


def look_at(before: Vitals, after: Vitals, verdict: Verdict) -> None:
    """Compare the process in the two calms; files and threads have been compared."""
    growth = after.memory - before.memory
    print(f"memory: {growth / 2**20:+.2f} MiB; processor: {after.cpu:.1f} s")
    if growth > GROWTH:
        verdict.fail("memory is flat", f"{growth / 2**20:+.2f} MiB, at most {GROWTH / 2**20:g}")


if __name__ == "__main__":
    sys.exit(main())
