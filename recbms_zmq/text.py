"""Text for people: without secrets and control characters, and of limited length.

A text from a user or a BMS may be a URL with a password, of any length, with any character in it.
"""

import contextlib
import json
import re
import sys
from collections.abc import Iterable
from typing import Any, Final

import msgspec

# A URL, also one without its colon or with a slash too few. What these schemes name is a path,
# without credentials.
_NO_LOGIN: Final = r"(?!ipc:|replay:|sim:|file:)"
_URL: Final = re.compile(
    rf"(?<![\w+.-]){_NO_LOGIN}[a-z][\w+.-]*:/+|(?<!:)//(?=[^/\s@:]*:[^@]*@)", re.IGNORECASE
)
_USER_AND_PASSWORD: Final = re.compile(
    rf"[\['\"]*(?:[\w-]+=)?(?={_NO_LOGIN}[^/\s@:]*:[^@]*@)", re.IGNORECASE
)
# Anywhere in a text. Compiled when it is used first: for mistakes only.
_LOGIN: Final = rf"(?i)(?<!\w){_NO_LOGIN}[^\s/@:]*:(?!/)\S*@"
_MOST_SEARCHED: Final = 4096  # characters: the search for a login takes time with their square
_QUERY: Final = re.compile(r"((?:wss?|https?)://[^?]*)\?.*", re.DOTALL | re.IGNORECASE)
_encode = msgspec.json.Encoder().encode


def print_note(text: str) -> None:
    """Print a sentence for people on stderr; on nothing else if that is closed, or on a full disk.

    `print` would take a closed stderr for stdout, where the messages are.
    """
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"recbms-zmq: {text}", file=sys.stderr, flush=True)


def masked(value: str) -> str:
    """Return a value without the credentials and the query of a URL in it.

    Credentials are what is between `://` and the last `@`, because a password can hold an `@` or a
    `/` itself, and what looks like `user:password@host`. An `@` of a path or a name stays.
    """
    start = _URL.search(value) or _USER_AND_PASSWORD.match(value)
    at = value.rfind("@")
    if start and at > start.end():
        value = f"{value[: start.end()]}***{value[at:]}"
    return _QUERY.sub(r"\1?***", value)


def printable(text: str) -> str:
    """Return a text without control characters, which a terminal would obey."""
    return "".join(char if char.isprintable() else "?" for char in text)


def amount(value: float | None, unit: str, decimals: int = 0, *, signed: bool = False) -> str:
    """Return a number with its unit: `13.24 V`, `+7.46 A`, `? W`."""
    if value is None:
        return f"? {unit}"
    return f"{value:{'+' if signed and value else ''}.{decimals}f} {unit}"


def shortened(text: str) -> str:
    """Return a foreign text, cut to a length that fits into a sentence."""
    return text if len(text) <= 80 else text[:77] + "..."


def without_logins(value: str) -> str:
    """Return a foreign value for a sentence: as `masked`, and without a login anywhere in it.

    For what is mistyped, or can be: a path with both a `:` and an `@` may lose a part. Nothing is
    left of what is behind 4,096 characters.
    """
    if len(value) > _MOST_SEARCHED:
        # As if the rest were cut: an `@` in it may be the end of a login.
        value = value[:_MOST_SEARCHED] + "@" * ("@" in value[_MOST_SEARCHED:])
    return re.sub(_LOGIN, "***@", masked(value))


def quoted(value: Any) -> str:
    """Return a foreign value for a sentence: without secrets, at most 80 characters."""
    if isinstance(value, str):
        return shortened(repr(without_logins(value)))
    try:
        return shortened(without_logins(repr(value)))
    except ValueError:  # Python does not print integers of more than 4300 digits
        return "a number without end"


def masked_text(text: str) -> str:
    """Return a text of many words, each as `masked` returns it."""
    # Word by word: across words, an `@` far behind a URL would take everything between with it.
    return " ".join(map(masked, text.split(" "))) if "@" in text or "?" in text else text


def ascii_json(value: Any) -> str:
    """Encode as JSON in ASCII, so that no reader can cut a character in two."""
    return ascii_json_bytes(value).decode()


def ascii_json_bytes(value: Any) -> bytes:
    """Encode as `ascii_json` does, for messages: without a text in between."""
    text = _encode(value)
    if text.isascii():
        return text
    # msgspec writes UTF-8 only. A name with an umlaut is the rare case that takes the slow way.
    return json.dumps(msgspec.to_builtins(value), separators=(",", ":")).encode()


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the known word that is closest, as the end of a sentence; "" without one.

    Case does not count, nor what all options begin with (`--`, `RECBMS_`): with that, any two short
    ones are alike.
    """
    import difflib  # takes 4 ms to import, and is for mistakes only

    def shape(name: str) -> str:
        return name.lower().lstrip("-").removeprefix("recbms_")

    shapes = {shape(name): name for name in known}
    # The time grows with the length times the number of words, and a word can be a whole file.
    wanted = shape(word[:80])
    longer = (shape for shape in shapes if len(wanted) > 2 and shape.startswith(wanted))
    near = sorted(longer, key=len)
    near = near or [shape for shape in shapes if wanted in re.split("[-_]", shape)]
    near = near or difflib.get_close_matches(wanted, shapes, n=1)
    return f"; did you mean {shapes[near[0]]}?" if near else ""
