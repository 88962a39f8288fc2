"""Removes the serial number from raw frames, valid or broken, before they are stored or shown.

The serial number (`bms_name`, `1A-2261`) is the password of the Wi-Fi module's firmware page. It is
replaced by something of the same length and shape, so that a frame stays as valid or as broken as
it was. The series in front (`1A-`) stays: it is the model and no secret. `redact` works on bytes,
because a frame that is cut off or no JSON contains the number as well.

It does not find the rest of a number that the end of a message has cut in two, nor a number without
its series (`2261`) anywhere but behind its key: `bms_name`, `seri` or `serial`.
"""

import re
from typing import Final

# Any of these characters can be written as an escape.
_DIGIT: Final = rb"(?:[0-9]|\\u003[0-9])"
# Of JSON's numbers only those with an exponent look alike: 1E-10.
_LETTER: Final = rb"(?:[A-DF-Za-df-z]|\\u00(?:[46][1-46-9A-Fa-f]|[57][0-9Aa]))"
_SERIES: Final = _DIGIT + _LETTER + rb"(?:-|\\u002[Dd])"
_NAME: Final = (
    rb"(?:[Nn]|\\u00[46][Ee])(?:[Aa]|\\u00[46]1)(?:[Mm]|\\u00[46][Dd])(?:[Ee]|\\u00[46]5)"
)
# `bms_name` is a text; `seri`, of the RS-485 instructions, is a number.
_SERI: Final = (
    rb"(?:[Ss]|\\u00[57]3)(?:[Ee]|\\u00[46]5)(?:[Rr]|\\u00[57]2)(?:[Ii]|\\u00[46]9)"
    rb"(?:(?:[Aa]|\\u00[46]1)(?:[Ll]|\\u00[46][Cc]))?"
)
_KEY: Final = rb"(?:" + _NAME + rb"|" + _SERI + rb')"'
# Between a key and its value there is a colon, and in a broken frame anything else; but no brace,
# which another key could follow.
_BETWEEN: Final = rb'[^"\\\w{]{0,8}'
# The key, and its value: a text, which may lack its end, or a number. These patterns are compiled
# when they are used first: that takes 2 % of the start, and most texts of a BMS need none of them.
_MEMBER: Final = (
    rb"(?s)(?P<key>" + _KEY + _BETWEEN + rb":" + _BETWEEN + rb")"
    rb'(?:"(?P<series>' + _SERIES + rb")?"
    rb'(?P<text>(?:[^"\\]|\\.)*)|(?P<number>[-+0-9](?:(?!' + _KEY + rb")[-+.\w])*))"
)
# In any other place, and in a key that was cut in two.
_SERIAL: Final = (
    rb"(" + _SERIES + rb")((?:[0-9A-Za-z]|\\u00(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])){2,})"
)
_CHARACTER: Final = rb"(?s)\\u[0-9A-Fa-f]{4}|\\.|[ -~]"


def redact(data: bytes) -> bytes:
    """Return a raw frame, or any other text, without the serial number, of the same length."""
    # A key is followed by a quotation mark, a series by a hyphen, and each can be an escape.
    if not any(sign in data for sign in (b'"', b"-", b"\\")):
        return data
    # Keys first: a value behind its key need not look like a serial number.
    data = re.sub(_MEMBER, _hide_value, data)
    return re.sub(_SERIAL, _hide_serial, data)


def redact_text(text: str) -> str:
    """Return a decoded text without the serial number."""
    return redact(text.encode("utf-8", "replace")).decode()


def _hide_value(match: "re.Match[bytes]") -> bytes:
    if match["number"] is not None:
        # Ones, because a number cannot begin with two zeros.
        return match["key"] + re.sub(rb"[0-9]", b"1", match["number"])
    hidden = re.sub(_CHARACTER, _hide_character, match["text"])
    return match["key"] + b'"' + (match["series"] or b"") + hidden


def _hide_serial(match: "re.Match[bytes]") -> bytes:
    return match[1] + re.sub(_CHARACTER, _hide_character, match[2])


def _hide_character(match: "re.Match[bytes]") -> bytes:
    """Hide one character of a JSON text. An escape stays one, and half a character stays itself."""
    # A half without its other one makes a frame invalid, and the frame has to stay so.
    is_half = match[0][:3].lower() == rb"\ud"
    return match[0] if is_half else {1: b"*", 2: match[0], 6: rb"\u002a"}[len(match[0])]
