"""Decodes one message of REC's Wi-Fi module.

Most frames are valid, and one typed msgspec decoder reads them. A frame that it refuses is decoded
again without types: `lenient.salvage` keeps the good fields and reports the paths of the bad ones.
A frame that is not JSON is repaired first, as far as known faults of other firmware go.

The cost of a message is bounded by its size, whatever is in it: a few times what Python's own
parser takes. A broken module, or another server at its address, can send anything.
"""

import re
from codecs import BOM_UTF8
from typing import Any, Final, NamedTuple

import msgspec

from recbms_zmq.errors import MalformedFrame, UnknownFrameType
from recbms_zmq.wire.frames import Frame, Settings, Status
from recbms_zmq.wire.lenient import salvage
from recbms_zmq.wire.redaction import redact_text


class Decoded(NamedTuple):
    """A frame, and the paths of the fields that were left out of it (`$.bms_array.…`)."""

    frame: Frame
    dropped: tuple[str, ...]


_FRAMES: Final[dict[str, type[Frame]]] = {"status": Status, "settings": Settings}
# msgspec's `strict=False` would take the texts "nan" and "1e9" for numbers.
_strict = msgspec.json.Decoder(Frame)
_untyped = msgspec.json.Decoder()

_LONGEST_REPAIRED: Final = 2**18
"""Bytes. The largest real frame, 16 units of 16 cells, has less than a fifth of this."""

_CONTROL_TO_SPACE: Final = bytes(max(byte, 32) for byte in range(256))
# Patterns for broken frames, which most BMS never send. They are compiled when they are used first.
# Escapes of half a character; a pair of them is one character and stays.
_LONE_SURROGATE: Final = (
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
# What C's printf makes of a float that is not finite, and exponents beyond a float. It begins with
# a set of characters, which the regex engine skips to, and looks back from there: a pattern that
# begins with the lookbehind takes ten times as long on a message without any of these.
_NOT_FINITE: Final = (
    r"[-+nNiI\d](?<=[\s:,\[].)"
    r"(?:(?:(?<=[-+])[nN]|(?<=[nN]))[aA][nN]"
    r"|(?:(?<=[-+])[iI]|(?<=[iI]))[nN][fF](?:[iI][nN][iI][tT][yY])?"
    r"|[\d.]*[eE]\+?\d{3,})(?=\s*[,}\]])"
)


def decode(data: bytes | str) -> Decoded:
    """Decode one message of the module.

    Reads `{"type":"status",…}`, `{"type":"settings",…}`, and the object without a type that
    older firmware answers at `/cell`, which is a status. A byte order mark is ignored. A bad field
    is left out, and costs no other one.

    Raises:
        MalformedFrame: not JSON, not an object, or an object that is no frame.
        UnknownFrameType: a `type` other than these two.

    """
    try:
        return Decoded(_strict.decode(data), ())
    # UnicodeError: half a character in a `str`. RecursionError: msgspec's, for JSON that is nested
    # too deeply, also in a member that no struct has.
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        data = data.encode("utf-8", "replace") if isinstance(data, str) else data
    if data.startswith(BOM_UTF8):
        data = data.removeprefix(BOM_UTF8)
        try:
            return Decoded(_strict.decode(data), ())
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            pass
    return _decode_leniently(data)


def _decode_leniently(data: bytes) -> Decoded:
    dropped: list[str] = []
    raw = _parse(data, dropped)
    if not isinstance(raw, dict):
        raise MalformedFrame("not a JSON object", type(raw).__name__)
    kind = raw.get("type")
    if kind is None and "bms_array" in raw:
        # Older firmware. The strict decoder cannot read it, because the tag decides the struct.
        kind = "status"
    if kind is None:
        raise MalformedFrame("an object without type and without bms_array")
    if not isinstance(kind, str) or kind not in _FRAMES:
        # Only a text can be a type of newer firmware. Another value is not quoted, because it can
        # contain anything, for example the serial number.
        shown = redact_text(repr(kind[:80])) if isinstance(kind, str) else type(kind).__name__
        raise UnknownFrameType("unknown message type", shown[:40])
    # `type` is the tag of the struct and no field of it, and unknown members are ignored.
    frame = salvage(_FRAMES[kind], raw, dropped)
    return Decoded(frame, tuple(dropped))


def _parse(data: bytes, dropped: list[str]) -> Any:
    try:
        return _untyped.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        repaired = _repaired(data) if len(data) <= _LONGEST_REPAIRED else data
        if repaired == data:  # another try would only cost the same time again
            raise MalformedFrame("not JSON", str(exc)[:80]) from exc
    try:
        raw = _untyped.decode(repaired)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise MalformedFrame("not JSON", str(exc)[:80]) from exc
    dropped.append("$ (not valid JSON)")
    return raw


def _repaired(data: bytes) -> bytes:
    """Return the message with null for numbers that JSON does not have, and valid texts."""
    # A raw newline in the text of an error is not JSON, and no structure of JSON depends on one.
    data = data.translate(_CONTROL_TO_SPACE)
    text = data.decode("utf-8", "replace")
    if "\\u" in text:
        text = re.sub(_LONE_SURROGATE, r"\\ufffd", text)
    return re.sub(_NOT_FINITE, "null", text).encode()
