"""The programs that are run by hand, where they are called with a wrong name."""

import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.targets import TARGETS

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (
            "fuzz WRONG",
            "unknown target WRONG; targets are " + ", ".join(TARGETS),
        ),
        ("bench WRONG", "unknown part WRONG; parts are paced, floods, single"),
        ("bench --schemes=ws,WRONG", "--schemes: unknown WRONG; there are ws, wss"),
    ],
)
def test_an_unknown_name_is_answered_with_those_that_there_are(command: str, sentence: str) -> None:
    words = [sys.executable, "-m", *f"tests.{command}".split()]
    answer = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    tool = f"python -m tests.{command.split(maxsplit=1)[0]}"
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.splitlines()[-1] == f"{tool}: error: {sentence}"
