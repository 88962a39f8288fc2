"""A subscriber in a process of its own: counts messages, checks `seq`, tells when the end came.

Prints one line of JSON: messages, bytes, gaps in `seq`, and the times of arrival it was asked for.
"""

import argparse
import json
import re
import time

import zmq

from .drive import LAST_ERROR

LAST = re.compile(rb'"alarm_raised","number":%d|"st":%d' % (LAST_ERROR, LAST_ERROR))
SEQ = re.compile(rb'"seq":(\d+)')


def main() -> None:
    """Receive until the last frame of a drive has come, or `--seconds` have passed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("endpoint")
    parser.add_argument("--times", help="note the arrival of messages on this topic")
    parser.add_argument("--key", default="", help="of these only messages of this key")
    parser.add_argument("--seconds", type=float, help="end after this time")
    parser.add_argument("--snapshots", action="store_true", help="the end is in a snapshot")
    args = parser.parse_args()
    last = re.compile(rb'"error_number":%d' % LAST_ERROR) if args.snapshots else LAST
    until = time.monotonic() + (args.seconds or 120)
    messages = size = gaps = 0
    arrival = 0.0
    seqs: dict[bytes, int] = {}
    times: list[tuple[float, str]] = []
    with zmq.Context() as context, context.socket(zmq.SUB) as sub:
        sub.set(zmq.RCVHWM, 0)
        sub.subscribe(args.times or "")
        sub.connect(args.endpoint)
        print("ready", flush=True)
        while sub.poll(max(0, int((until - time.monotonic()) * 1000))):
            *topic, body = sub.recv_multipart()
            arrival = time.monotonic()
            messages += 1
            size += len(body)
            if topic:
                seq = int(SEQ.search(body)[1])  # type: ignore[index]
                known = seqs.get(topic[0])
                if known is not None and seq > known + 1:
                    gaps += seq - known - 1
                seqs[topic[0]] = seq
            if args.times and topic[0].decode().endswith(args.key):
                times.append((arrival, json.loads(body)["payload"]))
            if last.search(body):
                break
    report = {"messages": messages, "bytes": size, "gaps": gaps, "end": arrival, "times": times}
    print(json.dumps(report), flush=True)


main()
