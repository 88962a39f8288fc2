"""The task word of an output (relay 1, optocoupler 2): what it watches and what disables it.

A 32-bit field, from the top bit::

    E L 1 S | MODE(4) | 1111 | 1 s r q | ponm | lkji | hgfe | dcba

L: 1 = active above its level, 0 = below. S: its status. a to s: errors 1 to 19, 1 = the output is
disabled on that error. What E means is not documented. The bits that are 1 in the manual are not
always 1 in real words, so they are not checked. Source: REC's RS-485 manuals; two real words.
"""

from functools import lru_cache
from typing import Final, Literal, NamedTuple

MODES: Final[dict[int, str]] = {
    0: "off",
    1: "voltage",
    2: "temperature",
    3: "current",
    4: "state of charge",
    5: "minimum cell voltage",
    6: "maximum cell voltage",
    7: "charge enable",
    8: "discharge enable",
}

UNITS: Final[dict[str, str]] = {
    "voltage": "V",
    "temperature": "°C",
    "current": "A",
    "minimum cell voltage": "V",
    "maximum cell voltage": "V",
}
"""Units of level, hysteresis and value by mode; whether SOC is a ratio there is not known."""

_ERRORS: Final = 19  # the bits from 0, one for each error number


class Task(NamedTuple):
    """A task word, decoded.

    Attributes:
        mode: one of `MODES`, or `mode 9` for a number that is not documented.
        active: on which side of its level the output is active.
        errors: numbers of the errors that disable it, ascending, 1 to 19.

    """

    mode: str
    active: Literal["above", "below"]
    errors: tuple[int, ...]

    @classmethod
    @lru_cache(maxsize=64)  # eight sensors need two words that hardly ever change
    def of(cls, word: int) -> "Task":
        """Decode a task word, an unsigned 32-bit number."""
        mode = word >> 24 & 0b1111
        return cls(
            mode=MODES.get(mode, f"mode {mode}"),
            active="above" if word >> 30 & 1 else "below",
            errors=tuple(bit + 1 for bit in range(_ERRORS) if word >> bit & 1),
        )

    @property
    def unit(self) -> str | None:
        """The unit of what the output watches."""
        return UNITS.get(self.mode)

    @property
    def disabled_by(self) -> str:
        """The errors as a text: `1, 3, 18`, or `none`."""
        return ", ".join(map(str, self.errors)) or "none"
