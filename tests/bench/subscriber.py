"""A subscriber in a process of its own: counts messages, checks `seq`, tells when the end came.

Prints one line of JSON: messages, bytes, how many of them were lost according to `seq`, and the
times of arrival it was asked for. It does as little as it can while messages come, so that it is
not what is measured.
"""

import argparse
import json
import re
import time

import zmq

from .drive import LAST_ERROR

SEQ = re.compile(rb'"seq":(\d+)')
LAST = {  # what the last message holds, by the last word of its topic
    b"event": b'"alarm_raised","number":%d' % LAST_ERROR,
    b"snapshot": b'"error_number":%d' % LAST_ERROR,
    b"": b'"st":%d' % LAST_ERROR,  # of the limit, which has no topics
}


def main() -> None:
    """Receive until the last frame of a drive has come, or `--seconds` have passed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("endpoint")
    parser.add_argument("--times", help="note the arrival of messages on this topic")
    parser.add_argument("--key", default="", help="of these only messages of this key")
    parser.add_argument("--seconds", type=float, help="end after this time")
    args = parser.parse_args()
    until = time.monotonic() + (args.seconds or 120)
    messages = size = 0
    arrival = 0.0
    counts: dict[bytes, int] = {}
    bodies: dict[bytes, bytes] = {}
    times: list[tuple[float, str]] = []
    with zmq.Context() as context, context.socket(zmq.SUB) as sub:
        sub.set(zmq.RCVHWM, 0)
        sub.subscribe(args.times or "")
        sub.connect(args.endpoint)
        print("ready", flush=True)
        while sub.poll(max(0, int((until - time.monotonic()) * 1000))):
            first = sub.recv()
            topic, body = (first, sub.recv()) if sub.rcvmore else (b"", first)
            messages += 1
            size += len(body)
            if topic:
                counts[topic] = counts.get(topic, 0) + 1
                bodies[topic] = body
            if args.times and topic.decode().endswith(args.key):
                times.append((time.monotonic(), json.loads(body)["payload"]))
            last = LAST.get(topic.rpartition(b"/")[2])
            if last is not None and last in body:
                arrival = time.monotonic()
                break
    # Whoever was there from the first message on has lost what `seq` is ahead of its count.
    lost = 0
    for topic, body in bodies.items():
        seq = SEQ.search(body)
        assert seq is not None
        lost += int(seq[1]) - counts[topic]
    report = {"messages": messages, "bytes": size, "lost": lost, "end": arrival, "times": times}
    print(json.dumps(report), flush=True)


main()
