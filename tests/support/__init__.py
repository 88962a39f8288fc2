"""What the tests share: the real command, real sockets, and a BMS made by us."""
