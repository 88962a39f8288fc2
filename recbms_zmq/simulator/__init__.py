"""A simulated REC BMS: a plausible LiFePO4 pack and the frames that REC's Wi-Fi module would send.

For demos, tests and benchmarks. It is a model, not a recording of a real BMS. Data flows one way:
`household` (sun, loads, weather) → `cells` → `pack` (charge control, balancing, state of charge)
with `protection` (alarms) → `frames` (REC's frames) → `bms` → `traffic` (what is sent when). There
`faults` act by their `fault_schedule`, on frames (`fault_effects`) and on connections. All of that
is pure: time is an argument, and the same seed gives the same pack. Only `server` opens sockets. It
is not imported here, because a `sim:` source does not need it.
"""

from recbms_zmq.simulator.bms import SimulatedBms
from recbms_zmq.simulator.options import SimulatorOptions, parse_simulator_url

__all__ = ["SimulatedBms", "SimulatorOptions", "parse_simulator_url"]
