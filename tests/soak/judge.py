"""The judge: holds what the well-behaved reader got against the journal of what was sent.

After every frame that the service publishes, the last values of a BMS must be exactly those of one
status frame that was sent just before, the same one as the last time or a later one: no value of an
older frame, none of a damaged field, none left out. A BMS that is offline has no last values.
"""

import datetime as dt
from collections import deque
from typing import Any, Final, NamedTuple

import msgspec

from recbms_zmq.sensors.normalize import Normalizer
from recbms_zmq.wire.decode import decode
from recbms_zmq.wire.frames import Settings, Status

from . import truth
from .readers import Message
from .verdict import Verdict

_LATE: Final = 10.0
"""Seconds from the sending of a frame to its arrival at the service, on a machine that is busy."""
_EARLY: Final = 0.05  # s; messages are dated in milliseconds, and clocks are adjusted
_KEPT: Final = 60.0  # s of the journal
_COUNTERS: Final = ("energy_charged", "energy_discharged", "charge_in", "charge_out")
_OF_EARLIER_FRAMES: Final = ("last_alarm", "last_alarm_time")


class Sent(NamedTuple):
    """A frame of the journal."""

    at: float
    data: bytes
    values: truth.Values


class Judge:
    """Judges the messages of one BMS.

    Args:
        name: of the BMS.
        stale_after: of the service, seconds.
        delays: values may be held back (`min_interval`): each is judged alone.

    Attributes:
        online: by the last availability.
        values: the last ones, by key; settings and texts too.
        description: of the pack.
        difference: once it is set to something, with every frame: what of all that stands is not
            what the package makes of the last frames; empty from when there is nothing.

    """

    def __init__(self, name: str, verdict: Verdict, *, stale_after: float, delays: bool) -> None:
        self.name = name
        self.online = False
        self.values: dict[str, Any] = {}
        self.description: Any = None
        self.difference = ""
        self._verdict = verdict
        self._stale_after = stale_after
        self.delays = delays
        self._frames: deque[Sent] = deque()
        self._settings: deque[Sent] = deque()
        self._ts = ""  # of the frame whose messages come now
        self._keys: set[str] = set()  # which of them came
        self._snapshot: Any = None
        self._last_frame = 0.0
        self._alarm: dict[str, Any] | None = None
        self._counters: dict[str, float] = {}

    def sent(self, at: float, data: bytes) -> None:
        """Note a frame that the BMS has sent, from the journal."""
        found = truth.read(data)
        if found is not None:
            kept = self._frames if found.kind == "status" else self._settings
            kept.append(Sent(at, data, found.values))
            # What earlier frames have had decides which of these it is.
            for addressed in (False, True):
                for lacks_unit in (False, True) if found.may_lack_unit else (False,):
                    other = truth.read(data, addressed=addressed, lacks_unit=lacks_unit)
                    if other is not None and other.values != kept[-1].values:
                        kept.append(Sent(at, data, other.values))
            while len(kept) > 1 and kept[1].at < at - _KEPT:
                kept.popleft()

    def judge(self, message: Message) -> None:
        """Compare a message that is new with what the BMS has sent."""
        key = message.key
        if message.kind == "availability":
            self._availability(message)
            return
        if message.kind == "reading" and key.startswith("settings/"):
            self._setting(message)
            return
        if message.ts != self._ts:
            self._begin(message.ts)
        self._keys.add(key)
        if message.kind == "device":
            self.description = message.payload
        elif message.kind == "event":
            self._event(message)
        elif not self.online:
            self._fail("no reading while offline", f"{key} {message.ts}")
        elif message.kind == "snapshot":
            self._snapshot = message.payload
        else:
            self._reading(message)

    def _availability(self, message: Message) -> None:
        self._begin(message.ts)
        at = _wall(message.ts)
        if message.payload == "online":
            if not self.online:
                self._verdict.counts["online"] += 1
            self.online = True
            return
        if self.online:
            self._verdict.counts["offline"] += 1
            silence = at - self._last_frame
            if message.reason != "stopped" and silence < self._stale_after - 0.01:
                self._fail("offline only after --stale-after", f"{silence:.3f} s, {message.ts}")
        self.online = False
        self.values.clear()

    def _reading(self, message: Message) -> None:
        key, payload = message.key, message.payload
        if key in _COUNTERS and payload is not None:
            if payload < self._counters.get(key, 0.0):
                self._fail("counters never fall", f"{key} {self._counters[key]} → {payload}")
            self._counters[key] = payload
        if payload is None:
            self.values.pop(key, None)
        else:
            self.values[key] = payload
        if _is_modelled(key):
            near = self._near(self._frames, message.ts)
            if not any(sent.values.get(key) == payload for sent in near):
                self._fail("every reading was sent", f"{key} {payload!r} {message.ts}")

    def _setting(self, message: Message) -> None:
        key, payload = message.key, message.payload
        if not self.online:
            self._fail("no reading while offline", f"{key} {message.ts}")
        if payload is None:
            self.values.pop(key, None)
        else:
            self.values[key] = payload
        if key in truth.SETTINGS:
            near = self._near(self._settings, message.ts)
            # Sent again at a refresh, dated as it came: then it has been judged before.
            recent = not self._settings or _wall(message.ts) > self._settings[0].at
            if recent and not any(sent.values.get(key) == payload for sent in near):
                self._fail("every reading was sent", f"{key} {payload!r} {message.ts}")

    def _event(self, message: Message) -> None:
        change = message.payload
        raised = change["event"] == "alarm_raised"
        self._verdict.counts[change["event"]] += 1
        if raised != (self._alarm is None):
            self._fail("an alarm is published once a change", f"{change}, before: {self._alarm}")
        what = {key: value for key, value in change.items() if key != "event"}
        if not raised and what != self._alarm:
            self._fail("an alarm is published once a change", f"{change}, raised: {self._alarm}")
        self._alarm = what if raised else None
        if raised and not any(
            sent.values.get("error_number") == change["number"]
            for sent in self._near(self._frames, message.ts)
        ):
            self._fail("every event was sent", f"{change} {message.ts}")

    def _begin(self, ts: str) -> None:
        """Judge the frame whose messages are complete, and begin with the next one."""
        if self.online and self._keys - {"device"}:  # settings alone can change a description
            self._last_frame = _wall(self._ts)
            self._verdict.counts["frames published"] += 1
            if not self.delays:
                self._judge()
        self._ts = ts
        self._keys.clear()
        self._snapshot = None

    def _judge(self) -> None:
        found = {key: value for key, value in self.values.items() if _is_modelled(key)}
        best: tuple[int, Sent] | None = None
        for sent in self._near(self._frames, self._ts):
            if sent.values == found:
                if self.difference:
                    self.difference = self._difference(sent)
                while self._frames[0] is not sent:
                    self._frames.popleft()
                self._judge_snapshot(sent)
                return
            difference = len(sent.values.items() ^ found.items())
            if best is None or difference <= best[0]:
                best = difference, sent
        what = "no frame was sent then"
        if best is not None:
            wrong = best[1].values.items() ^ found.items()
            shown, true = wrong & found.items(), wrong & best[1].values.items()
            what = f"{self._ts}: last values {sorted(shown)}, nearest frame {sorted(true)}"
        self._fail("the last values are those of one frame", what)

    def _difference(self, sent: Sent) -> str:
        normalizer = Normalizer()
        expected: dict[str, Any] = {}
        if any(key.startswith("settings/") for key in self.values):
            settings = decode(self._settings[-1].data).frame
            assert isinstance(settings, Settings)
            expected |= {s.key: v for s, v in normalizer.settings(settings).items()}
        status = decode(sent.data).frame
        assert isinstance(status, Status)
        expected |= {s.key: v for s, v in normalizer.status(status).items()}
        expected = {
            key: value
            for key, value in expected.items()
            if value is not None and key not in _OF_EARLIER_FRAMES
        }
        found = {
            key: value
            for key, value in self.values.items()
            if not key.startswith("link/")
            and key not in (*_COUNTERS, *_OF_EARLIER_FRAMES, "last_update")
        }
        description = msgspec.json.decode(msgspec.json.encode(normalizer.description))
        wrong = found.items() ^ expected.items()
        if wrong:
            return f"stands: {sorted(wrong & found.items())}, true: {sorted(wrong - found.items())}"
        # Remarks come of several frames, this is one.
        for each in (description, self.description or {}):
            each.pop("remarks", None)
        if self.description != description:
            return f"described as {self.description}, it is {description}"
        return ""

    def _judge_snapshot(self, sent: Sent) -> None:
        if self._snapshot is not None:
            found = {k: v for k, v in self._snapshot.items() if v is not None and _is_modelled(k)}
            if found != sent.values:
                wrong = found.items() ^ sent.values.items()
                self._fail("a snapshot is one frame", f"{self._ts}: {sorted(wrong)}")

    def _near(self, frames: deque[Sent], ts: str) -> list[Sent]:
        arrived = _wall(ts)
        return [sent for sent in frames if -_EARLY <= arrived - sent.at <= _LATE]

    def _fail(self, promise: str, what: str) -> None:
        self._verdict.fail(promise, f"{self.name}: {what}")


def _is_modelled(key: str) -> bool:
    return key in truth.PACK or key.startswith(truth.UNIT)


def _wall(ts: str) -> float:
    return dt.datetime.fromisoformat(ts).timestamp()
