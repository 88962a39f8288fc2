"""One LiFePO4 cell: charge, open-circuit voltage, internal resistance, relaxation.

A first-order model: the voltage is the open-circuit voltage, plus the instant drop of the
resistance, plus a drop that builds up and relaxes within minutes. No temperature, no ageing.
"""

from bisect import bisect_right
from math import exp
from typing import Final

# Open-circuit voltage over state of charge: the shape that published LiFePO4 curves agree on, with
# the plateau placed so that the real frame fits (3.305 V at 28.5 % while charged with 7.5 A).
_SOC: Final = (0, 0.01, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.65, 0.7, 0.9, 0.97, 0.99, 1.0)
_OCV: Final = (
    (2.6, 2.85, 3.02, 3.1, 3.19, 3.22, 3.25, 3.29, 3.302, 3.312, 3.33, 3.337, 3.36, 3.4, 3.65)
)  # fmt: skip
_SLOPE: Final = tuple(
    (_OCV[n + 1] - _OCV[n]) / (_SOC[n + 1] - _SOC[n]) for n in range(len(_SOC) - 1)
)

_AT_ONCE: Final = 0.4  # instant part of the DC resistance
_RELAXATION: Final = 90.0  # s, time constant of the rest


def open_circuit_voltage(soc: float) -> float:
    """Return the voltage at rest, V, of a state of charge from 0 to 1."""
    index = min(max(bisect_right(_SOC, soc) - 1, 0), len(_SLOPE) - 1)
    return _OCV[index] + (soc - _SOC[index]) * _SLOPE[index]


class Cell:
    """A cell. Currents are positive while it is charged.

    Attributes:
        capacity: Ah.
        resistance: DC resistance, Ω: both parts together.
        leak: self-discharge, A; it makes cells drift apart.
        soc: state of charge, 0 to 1.
        rest_voltage: the voltage without the instant drop, V.
        measured_resistance: as last measured by the BMS, Ω.
        balancing: the BMS moves charge into or out of the cell.

    """

    __slots__ = (
        "_relaxation",
        "balancing",
        "capacity",
        "leak",
        "measured_resistance",
        "resistance",
        "rest_voltage",
        "soc",
    )

    def __init__(self, *, capacity: float, resistance: float, leak: float, soc: float) -> None:
        self.capacity = capacity
        self.resistance = resistance
        self.leak = leak
        self.soc = soc
        self.measured_resistance = resistance
        self.balancing = False
        self._relaxation = 0.0
        self.rest_voltage = open_circuit_voltage(soc)

    def voltage(self, current: float) -> float:
        """Return the voltage at the terminals, V, at this current."""
        return self.rest_voltage + current * self.resistance * _AT_ONCE

    def current_at(self, voltage: float) -> float:
        """Return the current, A, at which the terminals show this voltage."""
        return (voltage - self.rest_voltage) / (self.resistance * _AT_ONCE)

    def step(self, current: float, seconds: float) -> None:
        """Let a current flow for a time; the relaxation is exact for any length of the step."""
        soc = self.soc + (current - self.leak) * seconds / (3600 * self.capacity)
        self.soc = min(max(soc, 0.0), 1.0)
        goal = current * self.resistance * (1 - _AT_ONCE)
        self._relaxation = goal + (self._relaxation - goal) * exp(-seconds / _RELAXATION)
        self.rest_voltage = open_circuit_voltage(self.soc) + self._relaxation
