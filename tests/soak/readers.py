"""Readers of the service, and what every one of them may expect of what it gets.

Nothing here knows what is true: that is judged once, on the messages of the well-behaved reader.
All others must get the same bytes under the same topic and `seq`, in order; a `seq` that repeats is
the last one again; and one that is left out was left out while this reader was slow.
"""

import datetime as dt
from array import array
from collections.abc import Callable
from typing import Any, Final

import msgspec

from .verdict import Verdict

_KEPT: Final = 2048  # messages of a topic; at 4 a second those of 8 minutes
_SLOW: Final = 0.1
"""Seconds between two looks after which a reader counts as slow: a pipe can be full sooner."""
_CAUGHT_UP: Final = 0.5
"""Seconds for which a reader has to keep up before it counts as fast again."""


class Message(msgspec.Struct, frozen=True):
    """A message of the service."""

    topic: str
    payload: Any
    kind: str
    device: str
    key: str
    ts: str
    seq: int
    run: str
    reason: str = ""


def iso(wall: float) -> str:
    """Return Unix seconds as messages are dated; as texts they compare like times."""
    return dt.datetime.fromtimestamp(wall, dt.UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


_decode = msgspec.json.Decoder(Message).decode


class Ledger:
    """What the well-behaved reader got: a hash by topic and `seq`."""

    def __init__(self) -> None:
        self.run = ""
        self._rows: dict[str, tuple[int, array[int]]] = {}

    def note(self, message: Message, body: bytes) -> None:
        """Note a message that is new."""
        first, hashes = self._rows.get(message.topic) or (message.seq, array("q"))
        hashes.append(hash(body))
        if len(hashes) > 2 * _KEPT:
            first, hashes = first + _KEPT, hashes[_KEPT:]
        self._rows[message.topic] = first, hashes

    def has(self, topic: str, seq: int, digest: int) -> bool | None:
        """Return whether this is what it got; None: it has not got that far, or it is too old."""
        first, hashes = self._rows.get(topic) or (1, array("q"))
        place = seq - first
        return hashes[place] == digest if 0 <= place < len(hashes) else None

    def is_past(self, topic: str, seq: int) -> bool:
        """Return whether it has got further than this."""
        first, hashes = self._rows.get(topic) or (1, array("q"))
        return seq < first + len(hashes)


class Reader:
    """Keeps what a reader keeps: of each topic the newest message, as long as it is true.

    Args:
        name: for people.
        leads: it is the well-behaved one, whose messages are the ledger.
        orderly: it is never slow: nothing may be missing, and nothing of a BMS that is offline.
            Others are slow until they have `looked`.

    Attributes:
        state: `seq` of the message that stands, by topic.
        gap: something is missing since this was last set to False.

    """

    def __init__(
        self,
        name: str,
        verdict: Verdict,
        ledger: Ledger,
        *,
        leads: bool = False,
        orderly: bool = False,
    ) -> None:
        self.name = name
        self.state: dict[str, int] = {}
        self.gap = False
        self.messages = self.lost = self.repeats = 0
        self._verdict = verdict
        self._ledger = ledger
        self._leads = leads
        self._orderly = orderly
        self._offline: set[str] = set()
        self._last: dict[str, tuple[int, int, float]] = {}  # seq, hash, when
        self._looked = 0.0
        self._fell_behind = 0.0
        self._newest = ""
        self._slow_until = float("inf")  # until it has caught up for the first time
        self._unconfirmed: list[tuple[str, int, int]] = []

    def receive(self, body: bytes, now: float) -> Message | None:
        """Check a message; return it if it is new."""
        try:
            message = _decode(body)
        except msgspec.DecodeError as exc:
            self._fail("messages are whole", f"{exc}: {body[:200]!r}")
            return None
        self.messages += 1
        ledger, topic, seq, digest = self._ledger, message.topic, message.seq, hash(body)
        ledger.run = ledger.run or message.run
        if message.run != ledger.run or not body.isascii() or b"\n" in body:
            self._fail("messages keep the contract", repr(body[:200]))
        last, known, when = self._last.get(topic, (0, 0, 0.0))
        self._stand(message)
        if last and seq <= last:
            self.repeats += 1
            if (seq, digest) != (last, known):
                self._fail("seq repeats only as a replay of the last message", f"{topic} {seq}")
            return None
        if last and seq > last + 1:
            self.lost += seq - last - 1
            self._verdict.counts["lost by slow readers"] += seq - last - 1
            self.gap = True
            if self._orderly or when > self._slow_until:
                self._fail("seq has gaps only where a reader was slow", f"{topic} {last} → {seq}")
        self._last[topic] = seq, digest, now
        self._newest = max(self._newest, message.ts)
        if self._leads:
            ledger.note(message, body)
        else:
            self._unconfirmed.append((topic, seq, digest))
        return message

    def _stand(self, message: Message) -> None:
        if message.kind == "availability":
            (self._offline.add if message.payload == "offline" else self._offline.discard)(
                message.device
            )
            if message.payload == "offline":
                start = message.topic.removesuffix("availability")
                kept = (start + "availability", start + "device")
                self.state = {
                    t: n for t, n in self.state.items() if not t.startswith(start) or t in kept
                }
        elif self._orderly and message.kind == "reading" and message.device in self._offline:
            self._fail("no reading while offline", f"{message.topic} {message.ts}")
        if message.kind == "reading" and message.payload is None:
            # `null` comes once for a value that has gone, at each refresh for an unknown one.
            self.state.pop(message.topic, None)
        elif message.kind != "event":
            self.state[message.topic] = message.seq

    def looked(self, now: float) -> None:
        """Note that it has read all there was."""
        if now - self._looked > _SLOW:
            self.fell_behind(now)
        # The rest may still be on its way, or wait in the service for the pipe to be empty.
        since = now - _CAUGHT_UP
        if self._slow_until > now and self._fell_behind < since and self._newest > iso(since):
            self._slow_until = now
        self._looked = now

    def fell_behind(self, now: float) -> None:
        """Note that it is slow until it has caught up."""
        self._fell_behind = now
        self._slow_until = float("inf")

    def confirm(self) -> None:
        """See that the well-behaved reader got the same."""
        waiting = []
        for topic, seq, digest in self._unconfirmed:
            same = self._ledger.has(topic, seq, digest)
            if same is False:
                self._fail("all readers get the same", f"{topic} {seq}")
            elif same is None and not self._ledger.is_past(topic, seq):
                waiting.append((topic, seq, digest))
        self._unconfirmed = waiting

    def conclude(self) -> None:
        """See at the end that it got nothing of its own."""
        self.confirm()
        for topic, seq, _ in self._unconfirmed[:3]:
            self._fail("all readers get the same", f"only this one got {topic} {seq}")

    def lacks(
        self,
        state: dict[str, int],
        now: dict[str, int],
        wants: Callable[[str], bool],
        *,
        lossy: bool = False,
    ) -> list[str]:
        """Return the topics that differ from another reader's.

        Args:
            state: of the other one a while ago: of that, everything has to be here.
            now: the other one's by now: there must be nothing else here.
            wants: whether this one has subscribed to a topic.
            lossy: it does not subscribe again after a loss: what is not sent again may differ.

        """
        missing = [
            topic
            for topic, seq in state.items()
            if topic in now and wants(topic) and self.state.get(topic, 0) < seq
        ]
        if lossy:
            return [topic for topic in missing if not topic.endswith("/device")]
        return missing + [topic for topic in self.state if wants(topic) and topic not in now]

    def _fail(self, promise: str, what: str) -> None:
        self._verdict.fail(promise, f"{self.name}: {what}")
