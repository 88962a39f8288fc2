"""The type of a row in the sensor table: names, unit, decimals, and Home Assistant's vocabulary.

The rows are in `table` and `settings_table`.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct


class Unknown(Enum):
    """The value of a sensor that is unknown now: null. `None` means that there is no reading."""

    UNKNOWN = None  # as which msgspec encodes it: JSON's null


UNKNOWN: Final = Unknown.UNKNOWN

Value = float | int | bool | str | Unknown
"""The value of a sensor. Floats are finite and rounded to the sensor's decimals."""

Group = Literal["pack", "cells", "unit", "temperature", "cell", "settings", "link"]
"""What a row is read from: the pack, the published voltages of all cells, each unit, each sensor or
cell of a unit, settings, link."""


# `eq=False`: rows are keys of caches. Their hash is their identity then, not one of 15 fields.
class Sensor(Struct, frozen=True, kw_only=True, eq=False):
    """One sensor, or with `{unit}` and `{number}` in key and name a pattern for many.

    Attributes:
        key: unique within a device; made of full words, `[a-z0-9_/]`.
        name: for people.
        value: takes what the group is read from. Returns the raw value, a sequence of them
            (groups `cell`, `temperature`), None for "no reading", or UNKNOWN.
        reads: the attributes of what `value` takes that it uses. It is called again only when one
            of them has changed.
        unit: as Home Assistant spells it.
        decimals: to which the value is rounded; None for texts, bools and counts.
        is_rounded: whether `value` returns it rounded, as whole numbers are; rounding is the
            largest cost of a value.
        component: what Home Assistant makes of it.
        every_frame: the value differs in every frame by its nature, so a change does not publish
            it; only the refresh does.

    """

    key: str
    name: str
    value: Callable[[Any], Value | Sequence[float | bool | None] | None]
    group: Group = "pack"
    reads: tuple[str, ...] = ()
    unit: str | None = None
    decimals: int | None = None
    is_rounded: bool = False
    component: Literal["sensor", "binary_sensor"] = "sensor"
    device_class: str | None = None
    state_class: Literal["measurement", "total_increasing"] | None = None
    entity_category: Literal["diagnostic"] | None = None
    icon: str | None = None
    options: tuple[str, ...] | None = None
    enabled_by_default: bool = True
    every_frame: bool = False
    about: str = ""

    @lru_cache(maxsize=4096)  # noqa: B019 rows live as long as the program, and a fleet shares them
    def at(self, unit: int, number: int = 0) -> "Sensor":
        """Return the sensor of one unit's address, and of one cell or sensor, counted from 1."""
        return msgspec.structs.replace(
            self,
            key=self.key.format(unit=unit, number=number),
            name=self.name.format(unit=unit, number=number),
        )

    def home_assistant(self) -> dict[str, Any]:
        """Return the message's `ha` object: Home Assistant's keys, without those that are empty."""
        precision = self.decimals if self.unit is not None else None
        words = {
            "component": self.component,
            "device_class": self.device_class,
            "state_class": self.state_class,
            "entity_category": self.entity_category,
            "icon": self.icon,
            "suggested_display_precision": precision,
            "options": self.options,
            "enabled_by_default": None if self.enabled_by_default else False,
        }
        return {word: value for word, value in words.items() if value is not None}
