"""REC's alarms: when each one is raised, and when it clears.

Only those that a healthy unit can have: 1 to 5 and 7. A condition must last some seconds before
its alarm changes. Thresholds are settings. The seconds, and the hystereses that are not settings
(20 mV, 2 °C), are from the error table of REC's Active BMS 4S manual.

The settings have the values of the real settings frame. Their names and meanings are those of
`recbms_zmq.wire.frames.Settings`, so that the frame is made from them.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

_DIFFERENCE_HYSTERESIS: Final = 0.02  # V
_TEMPERATURE_HYSTERESIS: Final = 2.0  # °C


class Limits(NamedTuple):
    """Settings by which the BMS protects the pack; V per cell, °C, A."""

    cell_voltage_limit_low: float = 3.0
    cell_voltage_limit_high: float = 3.65
    temperature_limit_high: float = 55.0
    balancing_end_voltage: float = 3.58
    balancing_start_voltage: float = 3.45
    bms_temperature_limit: float = 55.0
    temperature_limit_low: float = -10.0
    capacity: float = 320.0  # Ah
    charge_end_voltage: float = 3.58
    charge_end_hysteresis: float = 0.25
    cell_voltage_difference_limit: float = 0.25
    cell_voltage_limit_high_hysteresis: float = 0.25
    cell_voltage_limit_low_hysteresis: float = 0.1
    bms_temperature_hysteresis: float = 2.0
    current_step: float = 0.019531
    soc_hysteresis: float = 0.05
    charge_coefficient: float = 0.5  # 1/h
    discharge_coefficient: float = 0.5  # 1/h
    inverter_charge_current_max: float = 150.0
    inverter_discharge_current_max: float = 150.0
    discharge_protection_voltage: float = 3.1
    inverter_count: int = 2

    @property
    def charge_current_max(self) -> float:
        """The highest charge current that the BMS allows, A."""
        by_inverters = self.inverter_charge_current_max * self.inverter_count
        return min(self.charge_coefficient * self.capacity, by_inverters)

    @property
    def discharge_current_max(self) -> float:
        """The highest discharge current that the BMS allows, A."""
        by_inverters = self.inverter_discharge_current_max * self.inverter_count
        return min(self.discharge_coefficient * self.capacity, by_inverters)


LIMITS: Final = Limits()


class Extreme(NamedTuple):
    """A lowest or highest value, with the address of its unit and its number from 1."""

    value: float
    unit_address: int = 0
    number: int = 0


class Condition(NamedTuple):
    """The values that the protection monitors, V and °C."""

    cell_voltage_min: Extreme
    cell_voltage_max: Extreme
    temperature_min: Extreme
    temperature_max: Extreme
    bms_temperature_max: Extreme


class Raised(NamedTuple):
    """An active alarm: REC's error number, the unit, and the cell or sensor."""

    number: int
    unit_address: int
    location: int


class _Rule(NamedTuple):
    """Raise while `excess` > 0, clear while it is < -hysteresis, each after `seconds`."""

    number: int
    where: Extreme
    excess: float
    hysteresis: float
    seconds: float


def _rules(limits: Limits, now: Condition) -> Iterable[_Rule]:
    low, high = now.cell_voltage_min, now.cell_voltage_max
    cold, warm, board = now.temperature_min, now.temperature_max, now.bms_temperature_max
    return (
        _Rule(
            1,
            high,
            high.value - limits.cell_voltage_limit_high,
            limits.cell_voltage_limit_high_hysteresis,
            10,
        ),
        _Rule(
            2,
            low,
            limits.cell_voltage_limit_low - low.value,
            limits.cell_voltage_limit_low_hysteresis,
            10,
        ),
        _Rule(
            3,
            low,
            high.value - low.value - limits.cell_voltage_difference_limit,
            _DIFFERENCE_HYSTERESIS,
            5,
        ),
        _Rule(4, warm, warm.value - limits.temperature_limit_high, _TEMPERATURE_HYSTERESIS, 10),
        _Rule(
            5,
            board,
            board.value - limits.bms_temperature_limit,
            limits.bms_temperature_hysteresis,
            5,
        ),
        _Rule(7, cold, limits.temperature_limit_low - cold.value, _TEMPERATURE_HYSTERESIS, 10),
    )


class Protection:
    """The alarms of one pack.

    Attributes:
        active: by number, oldest first.
        last: the alarm that the frame showed last; it may have cleared.

    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lasted: dict[int, float] = {}
        self.active: dict[int, Raised] = {}
        self.last: Raised | None = None

    @property
    def shown(self) -> Raised | None:
        """The alarm in the frame, which holds only one: the oldest."""
        return next(iter(self.active.values()), None)

    def step(self, now: Condition, seconds: float) -> None:
        """Update the alarms after `seconds` in this condition."""
        for rule in _rules(self._limits, now):
            is_active = rule.number in self.active
            is_due = rule.excess < -rule.hysteresis if is_active else rule.excess > 0
            lasted = self._lasted.get(rule.number, 0.0) + seconds if is_due else 0.0
            if lasted < rule.seconds:
                self._lasted[rule.number] = lasted
                continue
            self._lasted[rule.number] = 0.0
            if is_active:
                del self.active[rule.number]
            else:
                where = rule.where
                self.active[rule.number] = Raised(rule.number, where.unit_address, where.number)
        self.last = self.shown or self.last
