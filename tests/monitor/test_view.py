"""What the keys do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbms_zmq.monitor.view import View, press


@pytest.mark.parametrize(
    ("typed", "view"),
    [
        (b"", View(1, 2)),
        (b"\t", View(2, 0)),
        (b"n\x1b[C\x1bOC", View(1, 0)),
        (b"\x1b[Z", View(0, 0)),
        (b"pp", View(2, 0)),
        (b"\x1b[D", View(0, 0)),
        (b"j", View(1, 3)),
        (b"j\x1b[B\x1bOB", View(1, 5)),
        (b"\x1b[A", View(1, 1)),
        (b"k\x1bOA", View(1, 0)),
        (b"kkkkk", View(1, 0)),
        (b"\x1b[6~", View(1, 10)),
        (b" ", View(1, 10)),
        (b"  ", View(1, 12)),
        (b"\x1b[6~\x1b[5~", View(1, 2)),
        (b"c", View(1, 0, all_cells=True)),
        (b"cc", View(1, 0)),
        (b"x\x1b[15~\x1b[1;5C\xc3\xa4\x00", View(1, 2)),
    ],
)
def test_keys_choose_and_scroll(typed: bytes, view: View) -> None:
    assert press(View(1, 2), typed, packs=3, scroll_most=12) == view


@pytest.mark.parametrize("typed", [b"q", b"Q", b"\x04", b"jjq", b"\tqj"])
def test_q_leaves(typed: bytes) -> None:
    assert press(View(), typed, packs=3, scroll_most=12) is None


def test_without_packs_there_is_nothing_to_choose() -> None:
    assert press(View(), b"\tnpj", packs=0, scroll_most=0) == View()


@given(st.binary(), st.integers(0, 5), st.integers(0, 100))
def test_whatever_is_typed_the_choice_is_one_that_there_is(
    typed: bytes, packs: int, scroll_most: int
) -> None:
    view = press(View(), typed, packs=packs, scroll_most=scroll_most)
    if view is not None:
        assert 0 <= view.selected < max(packs, 1)
        assert 0 <= view.scroll <= scroll_most
