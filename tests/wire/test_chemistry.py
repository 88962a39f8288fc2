"""Tests of the codes of chemistries and models, held against REC's manuals."""

import pytest

from recbms_zmq.wire.chemistry import chemistry, model
from recbms_zmq.wire.frames import Settings


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, "Li-Po Kokam high power"),
        (2, "Li-Po Kokam high capacity"),
        (3, "LiFePO4 Winston"),
        (4, "LiFePO4 A123"),
        (5, "LiMn2O4"),
        (6, "code 6"),
        (0, "code 0"),
        (None, None),
    ],
)
def test_a_chemistry_has_a_name_or_is_its_code(code: int | None, words: str | None) -> None:
    assert chemistry(Settings(chemistry_code=code)) == words


@pytest.mark.parametrize(
    ("serial", "words"),
    [
        ("1A-2261", "ABMS"),
        ("1Q-1", "Q"),
        ("9M-77", "Master-Slave"),
        ("2X-1", None),
        ("", None),
        (None, None),
    ],
)
def test_the_series_gives_the_model(serial: str | None, words: str | None) -> None:
    assert model(Settings(serial=serial)) == words
