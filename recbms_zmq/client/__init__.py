"""The other end of the socket: subscribe to a running service, and ask it once."""
