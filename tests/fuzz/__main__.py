"""Runs one target by hand; see the package's docstring."""

import argparse
import importlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
CORPUS = HERE.parent / "corpus"
FOUND = HERE.parents[1] / "build" / "fuzz-found"
TOKENS = [
    *('"type":"status"', '"type":"settings"', '"bms_array"', '"master"', '"slave"', '"nap"'),
    *('"bms_name":"1A-2261"', "NaN", "1e999", "\\ud800", "null", "[[bms]]", "Content-Length: "),
    *("Transfer-Encoding: chunked", "HTTP/1.1 200 OK\r\n", '"event":"frame"', '"monotonic":'),
]
"""What chance would take long to find; the corpus has the rest."""


def main() -> int:
    """Run a target until its time is over, or until it has found something."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="0: another one every time")
    args = parser.parse_args()
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        return once(args.target, find(args.target, parser))
    with atheris.instrument_imports(include=["recbms_zmq"]):
        target = find(args.target, parser)
    FOUND.mkdir(parents=True, exist_ok=True)
    grown = FOUND / f"corpus-{args.target}"  # goes on where the last run has ended
    grown.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".dict") as words:
        for token in TOKENS:
            escaped = "".join(f"\\x{byte:02x}" for byte in token.encode())
            words.write(f'"{escaped}"\n')
        words.flush()
        options = [
            f"-max_total_time={args.seconds}",
            f"-seed={args.seed}",
            f"-dict={words.name}",
            f"-artifact_prefix={FOUND}/{args.target}-",
            "-max_len=4096",
            "-timeout=30",
            "-rss_limit_mb=1024",
            "-print_final_stats=1",
        ]
        atheris.Setup([sys.argv[0], *options, str(grown), str(CORPUS)], target)
        atheris.Fuzz()  # does not come back
    return 0


def find(name: str, parser: argparse.ArgumentParser) -> Callable[[bytes], None]:
    """Return a target; its import is the first one of `recbms_zmq`, which atheris has to see."""
    importlib.import_module("tests.fuzz.frames").quiet()
    targets: dict[str, Callable[[bytes], None]]
    targets = importlib.import_module("tests.fuzz.targets").TARGETS
    if name not in targets:
        parser.error(f"unknown target {name}; targets are {', '.join(targets)}")
    return targets[name]


def once(name: str, target: Callable[[bytes], None]) -> int:
    """Go through the corpus, where there is no atheris."""
    files = sorted(path for path in CORPUS.rglob("*") if path.is_file())
    for path in files:
        target(path.read_bytes())
    print(f"{name}: {len(files)} cases are good; atheris, which looks for new ones, is not there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
