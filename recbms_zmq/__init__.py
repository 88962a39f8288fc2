"""REC BMS to ZeroMQ, stdout, Node-RED and Home Assistant."""

__version__ = "0.1.0"
