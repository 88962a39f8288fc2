"""Text as people and programs may see it: without secrets, control characters, or endless words.

What a user or a BMS gave may be a URL with a password, of any length, with anything in it.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

_SCHEME: Final = re.compile(r"[\['\"]*(?:[\w-]+=)?[\w+.-]+://")
_QUERY: Final = re.compile(r"((?:wss?|https?)://[^?]*)\?.*", re.DOTALL)
_encode = msgspec.json.Encoder().encode


def masked(value: str) -> str:
    """Return one value, perhaps a URL, without what may be a secret in it.

    Everything in front of the last `@` goes, and the query of a `ws:` or `http:` URL. That hides
    too much of an odd value rather than too little: a password can hold an `@` or a `/` itself.
    """
    before, at, after = value.rpartition("@")
    scheme = _SCHEME.match(before)
    start = scheme[0] if scheme else ""
    if at and before != start:  # ipc://@NAME is no secret
        value = f"{start}***@{after}"
    return _QUERY.sub(r"\1?***", value)


def printable(text: str) -> str:
    """Return a text without control characters, which a terminal would obey."""
    return "".join(char if char.isprintable() else "?" for char in text)


def shortened(text: str) -> str:
    """Return a text that fits into a sentence: it may be of any length, and was not made by us."""
    return text if len(text) <= 80 else text[:77] + "..."


def quoted(value: Any) -> str:
    """Return what was given as it is quoted in a sentence: without secrets, and not too long."""
    if isinstance(value, str):
        text = repr(masked(value))
    else:
        try:
            text = masked(repr(value))
        except ValueError:  # Python does not print integers of more than 4300 digits
            text = "a number without end"
    return shortened(text)


def masked_text(text: str) -> str:
    """Return a text of many words without what may be a secret in them."""
    return " ".join(map(masked, text.split(" "))) if "@" in text or "?" in text else text


def ascii_json(value: Any) -> str:
    """Encode as JSON in ASCII, so that no reader can cut a character in two."""
    text = _encode(value).decode()
    return text if text.isascii() else json.dumps(msgspec.to_builtins(value), separators=(",", ":"))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the known word that is closest, as the end of a sentence; "" without one."""
    import difflib  # takes 4 ms to import, and is for mistakes only

    near = difflib.get_close_matches(word[:80], known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
