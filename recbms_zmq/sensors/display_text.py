"""The texts of a BMS, which are made for REC's web page: without markup, and taken apart.

A text comes from a device on the network and goes to terminals, web pages and logs. So it may hold
nothing that one of them would execute, hide or reorder.
"""

import re
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from recbms_zmq.wire.redaction import redact_text

MAX_TEXT: Final = 200
"""Characters of a text that comes from the BMS; the real ones have about 20."""
_MAX_RAW: Final = 4 * MAX_TEXT
"""Characters that are looked at: entities and tags are longer than what is left of them."""
_LONGEST_KEPT: Final = 40
"""Characters of a text that is kept with its parts; the real ones are shorter."""
Direction = Literal["full", "empty"]

_TAG: Final = re.compile(r"<[a-zA-Z/!?][^<>]*>")
_TAG_START: Final = re.compile(r"<(?=[a-zA-Z/!?])")
# Characters that are shown as nothing, beside those of which `str.isprintable` knows. Compiled when
# it is used first: the texts of most BMS are ASCII.
_INVISIBLE: Final = (
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)


class TimeRemaining(NamedTuple):
    """REC's display text of the time remaining, taken apart.

    Attributes:
        text: without markup.
        minutes: 0 or more; None for a text without a time.
        direction: what the pack will be then; None for a text that does not begin with it.

    """

    text: str
    minutes: int | None
    direction: Direction | None


def plain_text(text: str, *, hide_serial: bool = True) -> str:
    """Return a display text without markup, invisible characters and the serial number.

    Spaces are folded, and at most `MAX_TEXT` characters are left. `plain_text` of the result is
    the result.
    """
    # Cut first, so that the time of the loop is bounded.
    text, before = text[:_MAX_RAW], ""
    # What is left after one step can be markup again: an entity of an entity, a tag in a tag.
    # Every step that changes something makes the text shorter, but for the cut of `_TAG_START`.
    while text != before:
        before = text
        text = _visible(_unescaped(text))
        if "<" in text:
            text = _TAG.sub(" ", text)
    if "<" in text:
        text = _TAG_START.sub("< ", text)
    return (redact_text(text) if hide_serial else text)[:MAX_TEXT].strip()


def _unescaped(text: str) -> str:
    if "&" not in text:
        return text
    import html  # has a table of 2,231 entities; REC's own texts contain none

    return html.unescape(text)


def _visible(text: str) -> str:
    """Return a text without what is not seen: control, format, private and unused characters."""
    text = " ".join(text.split())
    # Nearly all texts end here; the loop in Python is for the others.
    if not text.isprintable():
        text = "".join(char for char in text if char.isprintable())
    return text if text.isascii() else re.sub(_INVISIBLE, "", text)


# Before it there is no other number and no minus: `-1h 05 min` and `2 d 3h 05 min` are no times.
_TIME: Final = re.compile(r"[^\d-]*(\d{1,6}) ?h ?([0-5]?\d) ?min\D*", re.IGNORECASE | re.ASCII)
_DIRECTION: Final = re.compile(r"(full|empty)\b", re.IGNORECASE)


def parse_time_remaining(text: str) -> TimeRemaining:
    """Take apart `Full in:<br> 31h 00 min`, `Empty in: 8 h 29 min`, or any other text."""
    return _kept(text) if len(text) <= _LONGEST_KEPT else _take_apart(text[:_MAX_RAW])


def _take_apart(text: str) -> TimeRemaining:
    plain = plain_text(text)
    time = _TIME.fullmatch(plain)
    word = _DIRECTION.match(plain)
    direction: Direction | None = None
    if word:
        direction = "full" if word[1].lower() == "full" else "empty"
    return TimeRemaining(plain, int(time[1]) * 60 + int(time[2]) if time else None, direction)


# As many texts as a large fleet has at a time. They are short, so all of them take less than 1 MB.
_kept: Final = lru_cache(maxsize=1024)(_take_apart)
