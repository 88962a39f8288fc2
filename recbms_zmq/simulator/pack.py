"""The simulated pack: units of cells in series, and the BMS that charges, balances and protects.

Pure: `advance` takes the time. The model advances in equal steps, so that its state depends on the
time only, not on the number of calls. Values are exact; `frames` adds the noise.

Time is in seconds since midnight of the first simulated day; currents are positive while charging.
"""

from math import exp
from typing import Final

from recbms_zmq.simulator import household
from recbms_zmq.simulator.cells import Cell, open_circuit_voltage
from recbms_zmq.simulator.protection import LIMITS, Condition, Extreme, Limits, Protection
from recbms_zmq.simulator.random_numbers import spread, uniform
from recbms_zmq.wire.alarms import ALARMS

START: Final = 9.5 * 3600
"""The simulated time at the start: 9:30, the sun is charging."""
FIRST_ADDRESS: Final = 2
"""RS-485 address of the first unit, as in the real frame."""

_CAPACITY, _RESISTANCE, _LEAK, _CHARGE, _OFFSET = range(100, 105)  # streams of random numbers

_STANDBY: Final = 0.6  # A; consumption of BMS and inverters when discharging is off
_TAIL_CURRENT: Final = 6.0  # A; at the end-of-charge voltage and below this, the pack is full
_BALANCING_PERIOD: Final = 60.0  # s between decisions
_BALANCING_DIFFERENCE: Final = 0.002  # V
_ACTIVE_CURRENT: Final = 2.0  # A into the lowest cell of an ABMS; REC: up to 2.5 A
_PASSIVE_CURRENT: Final = 1.0  # A out of the high cells of the other models; REC: up to 1.3 A
_RESISTANCE_STEP: Final = 20.0  # A; smaller changes of the current do not measure the resistance
_AVERAGING: Final = 60.0  # s, of the current that the time remaining is computed from
_THERMAL: Final = 7200.0  # s, time constant of the battery against its surroundings
_MOST_STEPS: Final = 3000  # in one call: a little more than a day in the longest steps


class SimulatedUnit:
    """One BMS unit and its cells.

    Attributes:
        address: RS-485 address.
        cells: in series.
        temperatures: of the battery, °C, one per sensor.
        bms_temperature: of the board, °C.

    """

    def __init__(self, seed: int, position: int, cells: int, soc: float, capacity: float) -> None:
        self.address = FIRST_ADDRESS + position
        self.cells = [
            Cell(
                capacity=capacity * (1 + 0.01 * spread(seed, _CAPACITY, position, number)),
                resistance=0.0018 + 0.0013 * uniform(seed, _RESISTANCE, position, number) ** 2,
                leak=0.04 * uniform(seed, _LEAK, position, number),
                soc=min(max(soc + 0.006 * spread(seed, _CHARGE, position, number), 0.0), 1.0),
            )
            for number in range(cells)
        ]
        # An ABMS has one sensor, REC's models for up to 16 cells have three.
        self.sensor_count = min(1 + (cells - 1) // 4, 3)
        self._temperature_offsets = [
            0.8 * spread(seed, _OFFSET, position, number) for number in range(self.sensor_count)
        ]
        self.temperatures: list[float] = []
        self.bms_temperature = 0.0

    def warm(self, surroundings: float, heating: float) -> None:
        """Set the temperatures, °C; each sensor has a constant offset."""
        self.temperatures = [
            surroundings + heating + offset for offset in self._temperature_offsets
        ]
        balancing = sum(cell.balancing for cell in self.cells)
        self.bms_temperature = surroundings + 6.0 + min(balancing, 4) * 1.5


class SimulatedPack:
    """A pack through the days.

    Args:
        units: BMS units, in series.
        cells: cells of each unit.
        seed: of the pack and its days.
        step: seconds of one step of the model, at most 30.
        soc: state of charge at the beginning; from the seed, 0.28 to 0.6, when left out.
        ambient: constant temperature around the battery, °C; that of the day when left out.
        limits: settings of the BMS.

    Attributes:
        units: the units, in the order of their addresses.
        time: simulated seconds since midnight of the first day.
        current: A.
        average_current: A, mean of about the last minute.
        soc: state of charge as the BMS counts it, 0 to 1.
        charge_since_full: Ah taken out since the pack was full.
        cycles: full cycles as REC counts them.
        protection: the alarms.

    """

    def __init__(
        self,
        *,
        units: int = 1,
        cells: int = 4,
        seed: int = 0,
        step: float = 1.0,
        soc: float | None = None,
        ambient: float | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        self.limits = limits
        self.soc = 0.28 + 0.32 * uniform(seed, _CHARGE) if soc is None else soc
        self.units = [
            SimulatedUnit(seed, position, cells, self.soc, limits.capacity)
            for position in range(units)
        ]
        self.is_abms = units == 1 and cells == 4
        self.time = START
        self.current = 0.0
        self.average_current = 0.0
        self.charge_since_full = (1 - self.soc) * limits.capacity
        self.cycles = 37
        self.protection = Protection(limits)
        self._seed = seed
        self._step = step
        self._ambient = ambient
        self._cells = [cell for unit in self.units for cell in unit.cells]
        self._cell_names = [(unit.address, n + 1) for unit in self.units for n in range(cells)]
        self._low = self._high = Extreme(0.0)
        self._heating = 0.0
        self._full = False
        self._empty = False
        self._deep = self.soc <= 0.35
        self._previous_current = 0.0
        self._next_balancing = START
        # One step, so that the first frame has currents and temperatures.
        self._tick()
        self.average_current = self.current

    def advance(self, time: float) -> None:
        """Let the pack live until this simulated time; an earlier one changes nothing.

        Of a very long leap only the last part is lived, so that one call takes a bounded time.
        """
        # In equal steps however often it is called: the same seed and time give the same frame.
        steps = int((time - self.time) / self._step)
        if steps > _MOST_STEPS:
            self.time += (steps - _MOST_STEPS) * self._step
            steps = _MOST_STEPS
        for _ in range(steps):
            self._tick()

    def _tick(self) -> None:
        seconds = self._step
        self.time += seconds
        self.current = current = self._regulate()
        self.average_current += (current - self.average_current) * (1 - exp(-seconds / _AVERAGING))
        self._balance()
        self._flow(seconds)
        voltages = [cell.voltage(current) for cell in self._cells]
        low, high = min(voltages), max(voltages)
        self._low = Extreme(low, *self._cell_names[voltages.index(low)])
        self._high = Extreme(high, *self._cell_names[voltages.index(high)])
        self._count(seconds)
        self._warm(seconds)
        self._measure_resistances()
        self._watch(seconds)

    def _regulate(self) -> float:
        """Return the current: solar current minus load, within the limits of the BMS."""
        wanted = household.sun(self._seed, self.time) - household.household(self._seed, self.time)
        off = [ALARMS[number] for number in self.protection.active]
        if wanted > 0:
            if self._full or any(alarm.charging is False for alarm in off):
                return 0.0
            by_voltage = min(
                cell.current_at(self.limits.charge_end_voltage) for cell in self._cells
            )
            return max(min(wanted, self.limits.charge_current_max, by_voltage), 0.0)
        if self._empty or any(alarm.discharging is False for alarm in off):
            return -_STANDBY
        return max(wanted, -self.limits.discharge_current_max)

    def _balance(self) -> None:
        if self.time < self._next_balancing:
            return
        self._next_balancing = self.time + _BALANCING_PERIOD
        # Open-circuit voltages, as the BMS estimates them. With terminal voltages it would move
        # charge because of differences in resistance, and unbalance the pack.
        voltages = [open_circuit_voltage(cell.soc) for cell in self._cells]
        low, high = min(voltages), max(voltages)
        start = self.limits.balancing_start_voltage
        for cell, voltage in zip(self._cells, voltages, strict=True):
            if self.is_abms:  # from the whole pack into the lowest cell, at any state of charge
                uneven = high - low > _BALANCING_DIFFERENCE and voltage == low
                cell.balancing = uneven and self.current >= 0
            else:
                uneven = voltage - low > _BALANCING_DIFFERENCE
                cell.balancing = uneven and cell.voltage(self.current) > start

    def _flow(self, seconds: float) -> None:
        for unit in self.units:
            moved = sum(cell.balancing for cell in unit.cells) * _ACTIVE_CURRENT / len(unit.cells)
            for cell in unit.cells:
                current = self.current
                if self.is_abms:
                    current += _ACTIVE_CURRENT * cell.balancing - moved
                elif cell.balancing:
                    current -= _PASSIVE_CURRENT
                cell.step(current, seconds)

    def _count(self, seconds: float) -> None:
        """Count the charge, and correct the state of charge at the ends of the voltage range."""
        charge = self.current * seconds / 3600
        self.soc = min(max(self.soc + charge / self.limits.capacity, 0.0), 1.0)
        self.charge_since_full -= charge
        low, high, limits = self._low.value, self._high.value, self.limits
        at_end = high >= limits.charge_end_voltage - 0.001
        if at_end and 0 <= self.current < _TAIL_CURRENT and not self._full:
            self._full, self.soc, self.charge_since_full = True, 1.0, 0.0
            self.cycles += self._deep
            self._deep = False
        elif self._full and (
            self.soc < 1 - limits.soc_hysteresis
            or high < limits.charge_end_voltage - limits.charge_end_hysteresis
        ):
            self._full = False
        if low <= limits.discharge_protection_voltage:
            self._empty, self.soc = True, min(self.soc, 0.03)
        elif low > limits.discharge_protection_voltage + limits.cell_voltage_limit_low_hysteresis:
            self._empty = False
        if low <= limits.cell_voltage_limit_low:
            self.soc = min(self.soc, 0.01)
        self._deep = self._deep or self.soc <= 0.35

    def _warm(self, seconds: float) -> None:
        """Warm the battery by the losses in its cells: about 0.5 K per watt in one cell."""
        losses = self.current**2 * sum(c.resistance for c in self._cells) / len(self._cells)
        self._heating += (0.5 * losses - self._heating) * (1 - exp(-seconds / _THERMAL))
        surroundings = self._ambient
        if surroundings is None:
            surroundings = household.outdoors(self._seed, self.time)
        for unit in self.units:
            unit.warm(surroundings, self._heating)

    def _measure_resistances(self) -> None:
        """Measure the resistances as REC does: after a large step of the current."""
        if abs(self.current - self._previous_current) > _RESISTANCE_STEP:
            for number, cell in enumerate(self._cells):
                error = 0.02 * spread(self._seed, _RESISTANCE, int(self.time), number)
                cell.measured_resistance = cell.resistance * (1 + error)
        self._previous_current = self.current

    def _watch(self, seconds: float) -> None:
        temperatures = [
            Extreme(value, unit.address, number)
            for unit in self.units
            for number, value in enumerate(unit.temperatures, 1)
        ]
        self.protection.step(
            Condition(
                cell_voltage_min=self._low,
                cell_voltage_max=self._high,
                temperature_min=min(temperatures),
                temperature_max=max(temperatures),
                bms_temperature_max=max(
                    Extreme(unit.bms_temperature, unit.address) for unit in self.units
                ),
            ),
            seconds,
        )
