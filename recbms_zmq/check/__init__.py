"""Find out whether a BMS is alive, and what to do if it is not: `recbms-zmq check`."""
