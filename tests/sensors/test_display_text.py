"""Tests of the texts of a BMS: what they lose, and what is read from them."""

import re
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbms_zmq.sensors import display_text
from recbms_zmq.sensors.display_text import (
    MAX_TEXT,
    TimeRemaining,
    parse_time_remaining,
    plain_text,
)


@pytest.mark.parametrize(
    ("text", "plain", "minutes", "direction"),
    [
        ("Full in:<br> 31h 00 min", "Full in: 31h 00 min", 1860, "full"),
        ("Empty in: 8 h 29 min", "Empty in: 8 h 29 min", 509, "empty"),
        ("Empty in:<br> 0 h 05 min", "Empty in: 0 h 05 min", 5, "empty"),
        ("Full in:<br> 105h 03 min", "Full in: 105h 03 min", 6303, "full"),
        ("Full in:<BR/>31h&nbsp;00&nbsp;min", "Full in: 31h 00 min", 1860, "full"),
        ("Full in:<br>31h00min", "Full in: 31h00min", 1860, "full"),
        ("empty in: 1 h 1 min.", "empty in: 1 h 1 min.", 61, "empty"),
        ("31h 00 min", "31h 00 min", 1860, None),
        ("Full in:<br> --h -- min", "Full in: --h -- min", None, "full"),
        ("Full in: -1h 05 min", "Full in: -1h 05 min", None, "full"),
        ("Full in: 1.5h 05 min", "Full in: 1.5h 05 min", None, "full"),
        ("Full in: 2 d 3h 05 min", "Full in: 2 d 3h 05 min", None, "full"),
        ("Full in: 3h 75 min", "Full in: 3h 75 min", None, "full"),
        ("Full in: 3h 05 min 12 s", "Full in: 3h 05 min 12 s", None, "full"),
        ("Full in: 1234567h 00 min", "Full in: 1234567h 00 min", None, "full"),
        ("Full in: 45 min", "Full in: 45 min", None, "full"),
        ("Full", "Full", None, "full"),
        ("Fully charged", "Fully charged", None, None),
        ("Idle", "Idle", None, None),
        ("Error", "Error", None, None),
        ("", "", None, None),
        ("&#9731;<br", "\u2603< br", None, None),
    ],
)
def test_a_time_remaining_is_read_or_only_kept_as_text(
    text: str, plain: str, minutes: int | None, direction: Any
) -> None:
    assert parse_time_remaining(text) == TimeRemaining(plain, minutes, direction)


def test_a_long_text_is_cut() -> None:
    assert plain_text("<i>" + "x" * 10_000) == "x" * 200
    assert plain_text("&lt;" * 10_000) == "<" * 200


PIECES = st.sampled_from(
    [
        *("<", ">", "&lt;", "&gt;", "&#60;", "&#x3c;", "&amp;", "amp;", "lt;", "&", "#", "60;"),
        *("b", "br", "/", "!", "?", "img src=x onerror=1", "script", "a", " ", "\n", "&nbsp;"),
        *("\u200b", "&#8203;", "&zwj;", "\u202e", "&#x202e;", "\u2066", "\u00ad", "&shy;"),
        *("\U000e0041", "&#xe0041;", "\ufe0f", "\u3164", "\x1b[31m", "&#27;", "\ud83d", "\ue000"),
        *("1A-2261", "\U0001f50b", "\u2603"),
    ]
)
TEXTS = st.lists(PIECES, max_size=30).map("".join) | st.text()


@given(TEXTS)
def test_a_plain_text_has_no_markup_and_nothing_invisible(text: str) -> None:
    plain = plain_text(text)
    assert plain.isprintable()
    assert not re.search(r"<[a-zA-Z/!?]", plain)
    assert not re.search("[\u2066\u202e\u200b\u3164\ufe0f\u00ad\U000e0041]", plain)
    assert "2261" not in plain or "1A-2261" not in text
    assert len(plain) <= MAX_TEXT
    assert plain == plain.strip()
    assert "  " not in plain
    assert plain_text(plain) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Full in:<br> 31h 00 min", "Full in: 31h 00 min"),
        ("&lt;img src=x onerror=alert(1)&gt;Full", "Full"),
        ("&amp;lt;img src=x&amp;gt;Full", "Full"),
        ("&<b></b>lt;img&gt; x", "& lt;img> x"),
        ("<<b>img src=x>", "< img src=x>"),
        ("<img src=x onerror=alert(1) ", "< img src=x onerror=alert(1)"),
        ("Fu\u200bll&#8203;", "Full"),
        ("a&#x202e;b", "ab"),
        ("\U000e0041\U000e0042c", "c"),
        ("3 < 4 &gt; 2", "3 < 4 > 2"),
        ("cell <3.2 V and >3.1 V", "cell <3.2 V and >3.1 V"),
        ("55 \u00b0C", "55 \u00b0C"),
        ("unit 1A-2261", "unit 1A-****"),
    ],
)
def test_a_text_is_cleaned_after_its_entities_are_decoded(text: str, plain: str) -> None:
    assert plain_text(text) == plain


def test_the_cache_of_texts_is_bounded_in_bytes() -> None:
    """Whatever a BMS sends: another text with each frame, each as long as one can be."""
    parse_time_remaining("Full in:<br> 31h 00 min")  # imports, and compiles
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(5000):
        for length in (10, 34, 100_000):
            parse_time_remaining(f"{number:04} " + "\U0001f50b" * length)
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert kept < 2**20


def test_a_text_that_comes_again_is_not_taken_apart_again() -> None:
    """Neither of one BMS, whose text stays for a minute, nor of a fleet of a thousand."""
    texts = [f"Empty in:<br> {number}h 05 min" for number in range(1000)]
    for text in texts:
        parse_time_remaining(text)
    before = display_text._kept.cache_info().hits
    for text in texts:
        parse_time_remaining(text)
    assert display_text._kept.cache_info().hits - before == len(texts)
