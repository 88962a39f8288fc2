"""A subscriber that measures delays: `python -m tests.bench.delays ENDPOINT PREFIX`.

For every line on stdin it prints the delays of the stamped frames that have arrived since the
line before, in seconds, as JSON: from the moment at which the server sends a frame to the moment at
which its message is here.
"""

import json
import re
import sys
import time

import zmq

from .drive import STAMP_MODULUS

# In a frame, in a message of the lowest cell voltage, in a snapshot.
STAMPED = re.compile(rb'(?:mincell|cell_voltage_min)(?:","payload)?":([0-9.]+)')


def main(endpoint: str, prefix: str) -> None:
    """Receive until stdin is at its end."""
    delays: list[float] = []
    with zmq.Context() as context, context.socket(zmq.SUB) as sub:
        sub.set(zmq.RCVHWM, 0)
        sub.subscribe(prefix)
        sub.connect(endpoint)
        print("ready", flush=True)
        poller = zmq.Poller()
        poller.register(sub, zmq.POLLIN)
        poller.register(sys.stdin, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if sys.stdin.fileno() in ready:
                if not sys.stdin.readline():
                    return
                print(json.dumps(delays), flush=True)
                delays.clear()
            elif body := sub.recv_multipart()[-1]:
                sent = STAMPED.search(body, 0, 1000)
                if sent is not None:
                    now = time.monotonic() * 1e3 % STAMP_MODULUS
                    delays.append((now - float(sent[1])) % STAMP_MODULUS / 1e3)


if __name__ == "__main__":
    main(*sys.argv[1:])
