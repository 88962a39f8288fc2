"""Is a BMS alive, and what to do when it is not: `recbms-zmq check`."""
