#!/usr/bin/env python3
"""Subscribe to recbms-zmq and print topics and values: a program to start from.

    python subscriber.py
    python subscriber.py tcp://192.168.8.20:5556 --topic recbms/main/soc

With CURVE add `--server-key server.key --client-key client.key_secret`. It needs pyzmq, and
nothing else of recbms-zmq.
"""

import argparse
import json
import signal
import sys
from typing import Any

import zmq
import zmq.auth

Message = dict[str, Any]


class Filter:
    """Recognizes repeated and lost messages, by the last `run` and `seq` of every topic.

    A new subscriber gets the last value of every topic, and so do all others again then.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, int]] = {}

    def is_new(self, message: Message) -> bool:
        """Return False for a repeated message; report messages that are missing before a new one.

        A new `run` is a restart of the service: `seq` starts again at 1.
        """
        topic, run, seq = message["topic"], message["run"], message["seq"]
        last_run, last_seq = self._last.get(topic, (run, seq - 1))
        if run != last_run:
            last_seq = 0
        elif seq <= last_seq:
            return False
        if seq > last_seq + 1:
            print(f"{topic}: {seq - last_seq - 1} lost", file=sys.stderr)
        self._last[topic] = run, seq
        return True


def main() -> None:
    """Print what a service publishes, forever."""
    parser = argparse.ArgumentParser(description="Print what recbms-zmq publishes.")
    parser.add_argument("endpoint", nargs="?", default="tcp://127.0.0.1:5556")
    parser.add_argument("--topic", default="recbms/", help="only topics that start with this")
    parser.add_argument("--server-key", metavar="FILE", help="public key of the service")
    parser.add_argument("--client-key", metavar="FILE", help="secret key of this program")
    args = parser.parse_args()

    socket = zmq.Context().socket(zmq.SUB)
    if bool(args.server_key) != bool(args.client_key):
        parser.error("CURVE needs both --server-key and --client-key")
    try:
        if args.server_key:
            socket.curve_serverkey, _ = zmq.auth.load_certificate(args.server_key)
            keys = zmq.auth.load_certificate(args.client_key)
            socket.curve_publickey, socket.curve_secretkey = keys
        socket.connect(args.endpoint)
    except (OSError, ValueError, TypeError, zmq.ZMQError) as exc:
        parser.error(str(exc))
    socket.subscribe(args.topic)
    messages = Filter()
    while True:
        _, body = socket.recv_multipart()
        message = json.loads(body)
        if messages.is_new(message):
            print(message["topic"], json.dumps(message["payload"]), flush=True)


if __name__ == "__main__":
    # Ctrl-C, and `| head`, end it without a traceback.
    for number in (signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    main()
