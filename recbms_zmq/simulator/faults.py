"""Faults to order: which there are, and the language of `--faults`.

`drop at 10s, stall at 20s for 5s, garbage 2%` is three faults: what, when, and how long.
`fault_schedule` computes when each one is active, `fault_effects` changes frames, `traffic` and
`server` act on connections.
"""

import re
from typing import Final, NamedTuple

from msgspec import Struct

from recbms_zmq.errors import UsageError
from recbms_zmq.text import did_you_mean, quoted

GRAMMAR: Final = """\
faults: FAULT[, FAULT...], each one
  NAME at TIME [for TIME]      once, this long after the start
  NAME every TIME [for TIME]   repeatedly
  NAME N% [for TIME]           at random, with N of 100 frames
TIME is 500ms, 10s, 5m or 2h, in real time; chance depends on the seed. Without
`for`, a state lasts 10 s, and what hits frames hits one. In a sim: URL write +
for a space and %25 for %.
"""

MOST_FAULTS: Final = 20  # each is looked at for every frame
_LONGEST: Final = 1000 * 3600.0  # s
_SHORTEST_PERIOD: Final = 0.01  # s; a fault more often than that is a state
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Number(NamedTuple):
    """The number that a fault can be given: `alarm=7`."""

    default: int
    least: int
    most: int


class Kind(NamedTuple):
    """What a fault does.

    Attributes:
        help: one line for people.
        lasts: seconds without `for`; 0: hits one frame; None: has no duration and takes no `for`.
        number: the number that it takes, if any.

    """

    help: str
    lasts: float | None = 0.0
    number: Number | None = None


_STATE: Final = 10.0  # s, where the order names no duration

KINDS: Final[dict[str, Kind]] = {
    # of the connection
    "drop": Kind("connections break off", None),
    "cut": Kind("connections break off in the middle of a frame", None),
    "refuse": Kind("connections break off, new ones are refused", _STATE),
    "close": Kind("connections are closed as soon as they are open", _STATE),
    "goodbye": Kind("a close frame is sent, then nothing more; the socket stays open", _STATE),
    "no-pong": Kind("pings are never answered, and nothing is read; frames still come", _STATE),
    "stall": Kind("nothing is sent; connections stay open, pings are answered", _STATE),
    "freeze": Kind("nothing is sent or answered, like a dead network", _STATE),
    "burst": Kind("frames are held back, then sent all at once", _STATE),
    # of a frame
    "half-frame": Kind("half of a frame, as a whole message"),
    "garbage": Kind("a text that is no JSON"),
    "bad-utf8": Kind("a text that is not UTF-8"),
    "binary": Kind("a frame as a binary message"),
    "huge": Kind("a frame of 5 MiB, or huge=MIB", number=Number(5, 1, 64)),
    "deep": Kind("a frame with a value nested 100000 deep"),
    "nan": Kind("one number is NaN or infinite"),
    "wrong-types": Kind("some values are of another type"),
    "missing-keys": Kind("some keys are left out"),
    "unknown-keys": Kind("unknown keys"),
    "unknown-type": Kind("a message of an unknown type"),
    # of the battery
    "empty": Kind("a frame without any unit"),
    "unit": Kind("the first unit drops out, and comes back as the last one", _STATE),
    "clock": Kind("the BMS's own clock jumps to the year 2000", _STATE),
    "alarm": Kind("error 2 is active, or alarm=N, also an unknown one", _STATE, Number(2, 1, 255)),
}


class FaultSyntaxError(UsageError):
    """A text is not a list of faults; `str()` is a sentence that names the mistake."""


class Fault(Struct, frozen=True, kw_only=True):
    """A fault: what, when, how long. Exactly one of `at`, `every`, `chance` is set.

    Attributes:
        name: one of `KINDS`.
        number: for faults that take one.
        at: seconds after the start.
        every: period in seconds.
        chance: of each frame, above 0, at most 1.
        lasts: seconds; 0: one frame, or no duration.

    """

    name: str
    number: int | None = None
    at: float | None = None
    every: float | None = None
    chance: float | None = None
    lasts: float = 0.0

    def __str__(self) -> str:
        """Return the fault in the language of `--faults`."""
        words = [self.name if self.number is None else f"{self.name}={self.number}"]
        if self.at is not None:
            words.append(f"at {self.at!r}s")
        elif self.every is not None:
            words.append(f"every {self.every!r}s")
        elif self.chance is not None:
            words.append(f"{self.chance * 100!r}%")
        if self.lasts:
            words.append(f"for {self.lasts!r}s")
        return " ".join(words)


def parse_faults(text: str) -> tuple[Fault, ...]:
    """Read a list of faults.

    Raises:
        FaultSyntaxError: the text is not a list of faults.

    """
    parts = text.split(",")
    if len(parts) > MOST_FAULTS:
        raise FaultSyntaxError(f"expected at most {MOST_FAULTS} faults, got {len(parts)}")
    return tuple(map(_fault, parts))


def _fault(text: str) -> Fault:
    match text.split():
        case [head, "at", when, *rest]:
            name, number = _name(head)
            return Fault(name=name, number=number, at=_time(when), lasts=_lasts(name, rest))
        case [head, "every", when, *rest]:
            name, number = _name(head)
            period = _time(when)
            if period < _SHORTEST_PERIOD:
                raise FaultSyntaxError(f"expected a period of 10ms or more, got {_shown(text)}")
            return Fault(name=name, number=number, every=period, lasts=_lasts(name, rest))
        case [head, chance, *rest] if chance.endswith("%"):
            name, number = _name(head)
            return Fault(name=name, number=number, chance=_chance(chance), lasts=_lasts(name, rest))
        case _:
            raise FaultSyntaxError(
                "expected a fault like 'drop at 10s', 'stall every 5m for 20s' or 'garbage 2%', "
                f"got {_shown(text)}"
            )


def _name(text: str) -> tuple[str, int | None]:
    name, equals, digits = text.partition("=")
    kind = KINDS.get(name)
    if kind is None:
        hint = did_you_mean(name, KINDS) or f"; expected one of {', '.join(KINDS)}"
        raise FaultSyntaxError(f"no fault is called {_shown(name)}{hint}")
    if kind.number is None:
        if equals:
            raise FaultSyntaxError(f"{name} takes no number, got {_shown(text)}")
        return name, None
    if not equals:
        return name, kind.number.default
    if re.fullmatch("[0-9]{1,6}", digits) and kind.number.least <= int(digits) <= kind.number.most:
        return name, int(digits)
    raise FaultSyntaxError(
        f"expected {name}=N with N from {kind.number.least} to {kind.number.most}, "
        f"got {_shown(text)}"
    )


def _lasts(name: str, words: list[str]) -> float:
    usual = KINDS[name].lasts
    match words:
        case []:
            return usual or 0.0
        case ["for", _] if usual is None:
            raise FaultSyntaxError(f"{name} happens at once and takes no 'for'")
        case ["for", time]:
            return _time(time)
        case _:
            expected = "nothing" if usual is None else "'for TIME' or nothing"
            raise FaultSyntaxError(
                f"expected {expected} at the end of {name}, got {_shown(' '.join(words))}"
            )


def _time(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,20})?(?:e-[0-9]{1,2})?)(ms|s|m|h)", text)
    seconds = float(found[1]) * _UNITS[found[2]] if found else -1.0
    if not 0 <= seconds <= _LONGEST:
        raise FaultSyntaxError(
            f"expected a time like 500ms, 10s, 5m or 2h, at most 1000h, got {_shown(text)}"
        )
    return seconds


def _chance(text: str) -> float:
    if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,20})?(?:e-[0-9]{1,2})?%", text):
        percent = float(text[:-1])
        if 0 < percent <= 100:
            return percent / 100
    raise FaultSyntaxError(f"expected more than 0% and at most 100%, got {_shown(text)}")


def _shown(text: str) -> str:
    return quoted(text.strip())
