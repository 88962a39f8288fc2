"""The settings of the simulated BMS that its own protection follows; values of the real frame.

Names and meanings are those of `recbms_zmq.wire.frames.Settings`, so that the frame is made from
this.
"""

from typing import Final, NamedTuple


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
        """What the BMS lets the chargers deliver at most, A."""
        by_inverters = self.inverter_charge_current_max * self.inverter_count
        return min(self.charge_coefficient * self.capacity, by_inverters)

    @property
    def discharge_current_max(self) -> float:
        """What the BMS lets the inverters take at most, A."""
        by_inverters = self.inverter_discharge_current_max * self.inverter_count
        return min(self.discharge_coefficient * self.capacity, by_inverters)


LIMITS: Final = Limits()
