"""Runs the benchmark and prints its tables; the package's docstring explains the comparison."""

import argparse
import importlib.metadata
import itertools
import json
import platform
import sys
from pathlib import Path
from typing import Any

from . import floods, paced, single

PARTS = ("paced", "floods", "single")
NAMED = {
    "schemes": list(paced.SCHEMES),
    "modes": list(paced.MODES),
    "subscribers": list(paced.SUBSCRIBERS),
}
QUICK = [paced.Case(size, "ws", "changes", "reading") for size in (1, 100)]


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help="paced: fleets at one frame a second; floods: as fast as it goes; "
        "single: delay, memory and start with one BMS. Default: all",
    )
    parser.add_argument("--quick", action="store_true", help="few cases, few rounds")
    parser.add_argument("--json", metavar="FILE", help="write all results to this file too")
    parser.add_argument(
        "--beside",
        metavar="NAME=PYTHON",
        default=[],
        action="append",
        help="measure the recbms-zmq of this Python as well, in the same run",
    )
    group = parser.add_argument_group("paced")
    group.add_argument("--seconds", type=float, default=20, help="of a measurement")
    group.add_argument("--rounds", type=int, default=3)
    for name, choices in {"sizes": map(str, paced.SIZES), **NAMED}.items():
        group.add_argument(f"--{name}", default=",".join(choices), help="default: %(default)s")
    args = parser.parse_args()
    for name, known in NAMED.items():
        if unknown := set(getattr(args, name).split(",")) - set(known):
            parser.error(f"--{name}: unknown {', '.join(unknown)}; there are {', '.join(known)}")
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"unknown part {', '.join(unknown)}; parts are {', '.join(PARTS)}")
    parts = args.parts or PARTS
    # The installation of this Python has no name.
    pythons = {"": sys.executable} | dict(pair.split("=", 1) for pair in args.beside)
    results: dict[str, Any] = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in ("websockets", "pyzmq", "msgspec")},
    }
    print(json.dumps(results))
    if "paced" in parts:
        cases = [
            paced.Case(int(size), *words)
            for size, *words in itertools.product(
                args.sizes.split(","),
                args.schemes.split(","),
                args.modes.split(","),
                args.subscribers.split(","),
            )
        ]
        results |= paced.run(
            pythons,
            QUICK if args.quick else cases,
            seconds=args.seconds,
            rounds=1 if args.quick else args.rounds,
        )
    if "floods" in parts:
        results["floods"] = floods.run(pythons, quick=args.quick)
    if "single" in parts:
        results["single"] = single.run(pythons, quick=args.quick)
    if args.json:
        Path(args.json).write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
