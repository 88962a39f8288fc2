"""A subscriber in a process of its own: counts messages, checks `seq`, notes arrival times.

It ends when the last frame of a drive has arrived, or after `--seconds`, and prints one line of
JSON: messages, bytes, lost messages by their `seq`, and the arrivals on the topic of `--times`. It
does as little as it can for each message, so that it is not what the benchmark measures.
"""

import argparse
import json
import re
import time

import zmq

from .drive import LAST_ERROR

SEQ = re.compile(rb'"seq":(\d+)')
LAST = {  # a part of the last message, by the last word of its topic
    b"event": b'"alarm_raised","number":%d' % LAST_ERROR,
    b"snapshot": b'"error_number":%d' % LAST_ERROR,
    b"": b'"st":%d' % LAST_ERROR,  # the limit has no topics
}


def main() -> None:
    """Receive until the end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("endpoint")
    parser.add_argument("--times", help="subscribe to this topic only, and note its arrivals")
    parser.add_argument("--seconds", type=float, default=120.0, help="end after this time")
    args = parser.parse_args()
    until = time.monotonic() + args.seconds
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
            if args.times:
                times.append((time.monotonic(), json.loads(body)["payload"]))
            last = LAST.get(topic.rpartition(b"/")[2])
            if last is not None and last in body:
                arrival = time.monotonic()
                break
    # It has subscribed before the first message, so `seq` must equal its count.
    lost = 0
    for topic, body in bodies.items():
        seq = SEQ.search(body)
        assert seq is not None
        lost += int(seq[1]) - counts[topic]
    report = {"messages": messages, "bytes": size, "lost": lost, "end": arrival, "times": times}
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
