r"""What a BMS sent and when, as lines: written by `recbms-zmq record`, read by `replay:FILE`.

One JSON object a line, ASCII only. Every line has `event`, `monotonic` and `wall`; the two times
are the floats that the program itself uses, so that a replay calculates the same::

    {"event":"start","monotonic":5120.25,"wall":1790000000.5,"version":1}
    {"event":"connected","monotonic":5120.5,"wall":1790000000.75}
    {"event":"frame","monotonic":5121.0,"wall":1790000001.25,"text":"{\"type\":\"status\",...}"}
    {"event":"frame","monotonic":5122.0,"wall":1790000002.25,"base64":"//4="}
    {"event":"trouble","monotonic":5123.0,"wall":1790000003.25,"reason":"connection lost"}
    {"event":"end","monotonic":5124.0,"wall":1790000004.25}

`monotonic` is in seconds since an arbitrary start and never goes back; `wall` is in Unix seconds,
and jumps when the clock is set. `trouble` means disconnected: recordings with this word exist. A
frame is in `text` if it is UTF-8, else in `base64`, byte for byte as it came except for the serial
number, which is always redacted. `start` is the first line; `end` is missing if the recording was
cut off. This module opens no file and reads no clock.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from recbms_zmq.clock import Instant
from recbms_zmq.errors import DamagedRecording
from recbms_zmq.sources import Receiver
from recbms_zmq.text import ascii_json_bytes
from recbms_zmq.wire.redaction import redact, redact_text

LONGEST_GAP: Final = 366 * 86400.0
"""Seconds between two lines. More is a mistake, and would keep a replay busy for too long."""
LONGEST_REASON: Final = 1000  # characters; a reason may quote what a server sent
_YEAR_9000: Final = 221845392000.0  # datetime ends at the year 9999, and a replay adds to it


class _Record(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event"):
    monotonic: Annotated[float, Meta(ge=0, le=1e12)]
    wall: Annotated[float, Meta(ge=0, le=_YEAR_9000)]

    @property
    def at(self) -> Instant:
        """The time of the event."""
        return Instant(self.monotonic, self.wall)


class Start(_Record, tag="start", frozen=True, kw_only=True):
    """The first line of a recording."""

    # Without a default, because `omit_defaults` would leave it out of the line.
    version: Literal[1]


class Connected(_Record, tag="connected", frozen=True, kw_only=True):
    """A new connection."""


class Disconnected(_Record, tag="trouble", frozen=True, kw_only=True):
    """The connection ended, or could not be made."""

    reason: Annotated[str, Meta(max_length=LONGEST_REASON)]


class FrameRecord(_Record, tag="frame", frozen=True, kw_only=True):
    """A raw message; either `text` or `base64` is set."""

    text: str | None = None
    base64: str | None = None

    @property
    def data(self) -> bytes:
        """The bytes.

        Raises:
            ValueError: `base64` is not valid.

        """
        if self.text is not None:
            return self.text.encode()
        return b64decode(self.base64 or "", validate=True)


class End(_Record, tag="end", frozen=True, kw_only=True):
    """The last line of a complete recording."""


Record = Start | Connected | Disconnected | FrameRecord | End
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def read_record(line: bytes) -> Record:
    """Read one line of a recording.

    Raises:
        DamagedRecording: it is not a valid line.

    """
    try:
        record = _decoder.decode(line)
        if isinstance(record, FrameRecord):
            _ = record.data  # raises for bad base64 here, where the line is known
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError) as exc:
        raise DamagedRecording(redact_text(str(exc))[:80]) from exc
    return record


class Recorder:
    """A receiver that records what it gets, and passes it on to another receiver.

    Args:
        receiver: the other one.
        write: is called with each line, without its newline.

    """

    def __init__(self, receiver: Receiver, write: Callable[[bytes], None]) -> None:
        self._receiver = receiver
        self._write = write

    def start(self, at: Instant) -> None:
        """Write the first line."""
        self._add(Start(monotonic=at.monotonic, wall=at.wall, version=1))

    def stop(self, at: Instant) -> None:
        """Write the last line."""
        self._add(End(monotonic=at.monotonic, wall=at.wall))

    def connected(self, at: Instant) -> None:
        """Record a new connection."""
        self._add(Connected(monotonic=at.monotonic, wall=at.wall))
        self._receiver.connected(at)

    def disconnected(self, reason: str, at: Instant) -> None:
        """Record that there is no connection."""
        shown = redact_text(reason)[:LONGEST_REASON]
        self._add(Disconnected(monotonic=at.monotonic, wall=at.wall, reason=shown))
        self._receiver.disconnected(reason, at)

    def received(self, data: bytes, at: Instant) -> bool:
        """Record one raw message; return whether it is a valid frame."""
        redacted = redact(data)
        text, base64 = None, None
        try:
            text = redacted.decode()
        except UnicodeError:
            base64 = b64encode(redacted).decode()
        self._add(FrameRecord(monotonic=at.monotonic, wall=at.wall, text=text, base64=base64))
        return self._receiver.received(data, at)

    async def drain(self) -> None:
        """Wait until a slow reader of the output has caught up."""
        await self._receiver.drain()

    def _add(self, record: Record) -> None:
        self._write(ascii_json_bytes(record))
