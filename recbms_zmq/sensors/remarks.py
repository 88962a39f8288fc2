"""Remarks: what cannot be true of a battery, or what its owner should put right.

The values themselves are published as they came: hiding the real state of a battery is worse than
showing an odd number. A remark is a sentence in the `device` message, in the log and in `check`. It
has no changing number in it, so that it stays the same while its cause does.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from recbms_zmq.sensors.pack import Pack
from recbms_zmq.sensors.unit_census import adds_up
from recbms_zmq.sensors.units import UNPLUGGED, Unit

MAX_REMARKS: Final = 16
"""Remarks in one `device` message; behind them is one about how many more there are."""
NOT_MEASURED: Final = (0.0, 65.535)
"""V of a cell that is not measured: nothing, and all bits of 16."""
UNKNOWN_HOURS: Final = 65535  # all bits of 16, in a text of the time remaining
FRAMES_TO_RAISE: Final = 3
FRAMES_TO_CLEAR: Final = 10
ADDRESSES_CHANGE: Final = (
    "the addresses of the units change with every frame: not all of them are published"
)
IN_PERCENT: Final = "the module sends the state of charge in percent instead of a ratio"


class Remarks:
    """The remarks on one BMS, raised and cleared with hysteresis.

    A value has to be odd in three frames in a row, and then fine in ten: one wild frame makes no
    remark, and a loose contact makes one. What does not depend on a measurement is raised at once.
    """

    def __init__(self) -> None:
        self._frames: dict[str, int] = {}
        self._active: dict[str, int] = {}
        self.now: tuple[str, ...] = ()
        """Remarks on the last frame alone, without hysteresis."""
        self.active: tuple[str, ...] = ()
        """Remarks that are raised; the same object until they change."""

    def update(self, found: Iterable[str]) -> None:
        """Take the remarks on a frame."""
        self.now = tuple(found)
        if not self.now and not self._frames and not self._active:
            return  # nearly always
        self._frames = {
            remark: self._frames.get(remark, 0) + 1
            for remark in self.now
            if remark not in self._active
        }
        active = {
            remark: fine
            for remark, before in self._active.items()
            if (fine := 0 if remark in self.now else before + 1) < FRAMES_TO_CLEAR
        }
        for remark, frames in self._frames.items():
            if frames >= FRAMES_TO_RAISE or _is_sure(remark):
                active[remark] = 0
        if active.keys() != self._active.keys():
            self.active = _bounded(sorted(active))
        self._active = active


def find(pack: Pack) -> Iterator[str]:
    """Find what is odd in a frame."""
    for address, count in pack.shared_addresses:
        units = "two units are" if count == 2 else f"{count} units are"
        yield f"{units} set to address {address}: check the address switches"
    if pack.left_out:
        yield "a unit comes without its address, and is left out: the others have one"
    if pack.is_unit_missing:
        yield "a unit is missing that the BMS counts: check its power and its RS-485 cable"
    for unit in pack.units:
        yield from _not_whole(unit)
        yield from _in_unit(unit)
    master = pack.master
    low, high = master.cell_voltage_min, master.cell_voltage_max
    if low is not None and high is not None and low > high:
        yield "the lowest cell voltage is above the highest one"
    if _is_another_sum(pack):
        yield "the cell voltages add up to something else than the pack voltage"
    if pack.time_remaining is not None and pack.time_remaining.minutes is not None:
        hours = pack.time_remaining.minutes // 60
        if hours == UNKNOWN_HOURS:
            yield f"a time remaining of {hours} h means that the BMS does not know it"


def _is_sure(remark: str) -> bool:
    """Return whether a remark depends on no measurement."""
    return remark in (ADDRESSES_CHANGE, IN_PERCENT) or "set to address" in remark


def _not_whole(unit: Unit) -> Iterator[str]:
    if unit.cell_count and not unit.has_all_voltages:
        yield f"not every cell of unit {unit.address} has a voltage"
    if unit.sensor_count and not unit.has_all_temperatures:
        yield f"not every temperature sensor of unit {unit.address} has a value"


def _in_unit(unit: Unit) -> Iterator[str]:
    # `in` runs in C, and nearly always finds nothing.
    for odd in UNPLUGGED:
        if odd in unit.temperatures:
            for number, value in enumerate(unit.temperatures, 1):
                if value == odd:
                    yield (
                        f"temperature sensor {number} of unit {unit.address} reads {odd:g} °C: "
                        "is it plugged in?"
                    )
        if unit.bms_temperature == odd:
            yield f"the board of unit {unit.address} reads {odd:g} °C: its sensor is broken"
    for odd in NOT_MEASURED:
        if odd in unit.cell_voltages:
            for number, value in enumerate(unit.cell_voltages, 1):
                if value == odd:
                    yield f"cell {number} of unit {unit.address} reads {odd:g} V: check its wire"


def _is_another_sum(pack: Pack) -> bool:
    voltage = pack.master.voltage
    if voltage is None or not pack.units or not pack.cell_count:
        return False
    if len(pack.cell_voltages) != pack.cell_count:
        return False  # some cells are not in the frame, so their sum must differ
    return not adds_up(pack.cell_voltages, voltage)


def _bounded(remarks: list[str]) -> tuple[str, ...]:
    more = len(remarks) - MAX_REMARKS
    return (*remarks[:MAX_REMARKS], *([f"and {more} more remarks"] if more > 0 else []))
