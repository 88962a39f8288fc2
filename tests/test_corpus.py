"""Every case that was ever found, through every way in.

A file of the corpus is there for a reason, which is its name; see `corpus/README.md`.
"""

from pathlib import Path

import pytest
from fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
CASES = sorted(path for path in CORPUS.glob("*/*") if path.is_file())


@pytest.mark.parametrize("folder", sorted(path.name for path in CORPUS.iterdir() if path.is_dir()))
@pytest.mark.parametrize("target", TARGETS)
def test_every_case_is_met_with_what_was_promised(target: str, folder: str) -> None:
    cases = [path for path in CASES if path.parent.name == folder]
    assert cases
    for path in cases:
        try:
            TARGETS[target](path.read_bytes())
        except Exception as exc:
            exc.add_note(f"the case is {path}")
            raise


def test_no_case_is_there_twice() -> None:
    assert len({path.read_bytes() for path in CASES}) == len(CASES)
