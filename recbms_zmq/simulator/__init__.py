"""A simulated REC BMS: a plausible LiFePO4 pack behind the frames that the Wi-Fi module would send.

For demos, tests and benchmarks; no real BMS is in it, and nothing here is a measurement. Data
flows one way: `day` (sun, household, weather) → `cells` → `pack` (charge control, balancing, state
of charge) with `protection` (alarms) → `wire` (REC's frames) → `bms` → `traffic` (what is sent
when). There `faults` act by their `schedule`, on frames (`damage`) and on connections. All of that
is pure: time is an argument, and a seed makes it repeatable. Only `server` opens sockets, and it is
not imported from here, so that a service with a `sim:` source does not pay for it.
"""

from recbms_zmq.simulator.bms import SimulatedBms
from recbms_zmq.simulator.options import SimulatorOptions, parse_simulator_url

__all__ = ["SimulatedBms", "SimulatorOptions", "parse_simulator_url"]
