"""Decodes one message of REC's Wi-Fi module.

Most frames are valid, and one typed msgspec decoder reads them. A frame that it refuses is decoded
again without types: `lenient.salvage` keeps the good fields and reports the paths of the bad ones.
A frame that is not JSON at all is repaired first, as far as the known faults of its writer go.
"""

import re
from typing import Any, Final, NamedTuple

import msgspec

from recbms_zmq.errors import MalformedFrame, UnknownFrameType
from recbms_zmq.wire.frames import Frame, Settings, Status
from recbms_zmq.wire.lenient import salvage
from recbms_zmq.wire.redaction import redact_text


class Decoded(NamedTuple):
    """A frame, and the paths of the fields in it that had to be dropped (`$.bms_array.…`)."""

    frame: Frame
    dropped: tuple[str, ...]


_FRAMES: Final[dict[str, type[Frame]]] = {"status": Status, "settings": Settings}
_strict = msgspec.json.Decoder(Frame)
_untyped = msgspec.json.Decoder()
# Only for frames that are not JSON. What C's printf makes of a float that is none, or too large:
_NO_NUMBER = re.compile(
    r"(?<=[:,\[])\s*[+-]?(?:nan|inf(?:inity)?|\d[\d.]*e\+?\d{3,})\s*(?=[,}\]])", re.IGNORECASE
)
# Control characters as they are, and the escapes of half a character.
_CONTROL = re.compile(r"[\x00-\x1f]")
_SURROGATE = re.compile(
    r"(\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})|\\ud[89a-f][0-9a-f]{2}", re.IGNORECASE
)


def decode(data: bytes | str) -> Decoded:
    """Decode one message of the module.

    Reads `{"type":"status",…}`, `{"type":"settings",…}`, and the object without a type that
    older firmware answers at `/cell`, which is a status. One bad field costs that field only.

    Raises:
        MalformedFrame: not JSON, not an object, or an object that is no frame.
        UnknownFrameType: a `type` other than these two.

    """
    try:
        return Decoded(_strict.decode(data), ())
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _decode_leniently(data)


def _decode_leniently(data: bytes | str) -> Decoded:
    if isinstance(data, str):
        data = data.encode("utf-8", "replace")
    dropped: list[str] = []
    raw = _parse(data, dropped)
    if not isinstance(raw, dict):
        raise MalformedFrame("not a JSON object", type(raw).__name__)
    kind = raw.get("type")
    if kind is None and "bms_array" in raw:
        kind = "status"
    if kind is None:
        raise MalformedFrame("an object without type and without bms_array")
    if not isinstance(kind, str) or kind not in _FRAMES:
        # Only a text can be a type of newer firmware; what else there is may hold anything.
        shown = redact_text(repr(kind)) if isinstance(kind, str) else type(kind).__name__
        raise UnknownFrameType("unknown message type", shown[:40])
    # Without its tag, `type` would be an unknown field to the struct, and those are harmless.
    frame = salvage(_FRAMES[kind], raw, dropped)
    return Decoded(frame, tuple(dropped))


def _parse(data: bytes, dropped: list[str]) -> Any:
    try:
        return _untyped.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        repaired = _repaired(data)
        if repaired == data:
            raise MalformedFrame("not JSON", str(exc)[:80]) from exc
    try:
        raw = _untyped.decode(repaired)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise MalformedFrame("not JSON", str(exc)[:80]) from exc
    dropped.append("$ (not valid JSON)")
    return raw


def _repaired(data: bytes) -> bytes:
    """Return the message with null for what is no number, and no odd characters in its texts."""
    text = _CONTROL.sub(" ", data.decode("utf-8", "replace"))
    text = _SURROGATE.sub(lambda pair: pair[1] or r"\ufffd", text)
    return _NO_NUMBER.sub("null", text).encode()
