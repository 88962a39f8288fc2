"""Runs one target by hand; see the package's docstring."""

import argparse
import importlib
import sys
import tempfile
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
        return once(args.target)
    with atheris.instrument_imports(include=["recbms_zmq"]):
        targets = importlib.import_module("tests.fuzz.targets")
    importlib.import_module("tests.fuzz.frames").quiet()
    target = targets.TARGETS[args.target]
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


def once(name: str) -> int:
    """Go through the corpus, where there is no atheris."""
    importlib.import_module("tests.fuzz.frames").quiet()
    target = importlib.import_module("tests.fuzz.targets").TARGETS[name]
    files = sorted(path for path in CORPUS.rglob("*") if path.is_file())
    for path in files:
        target(path.read_bytes())
    print(f"{name}: {len(files)} cases are good; atheris, which looks for new ones, is not there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
