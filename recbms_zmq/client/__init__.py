"""The client side of the ZeroMQ socket: subscribes to a running service, and queries it."""
