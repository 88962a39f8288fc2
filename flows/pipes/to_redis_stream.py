#!/usr/bin/env python3
"""Add what recbms-zmq writes to stdout to one Redis stream, each message once.

    recbms-zmq run --config house.toml | python to_redis_stream.py redis://192.168.8.5 recbms:0

For a fleet: each process of recbms-zmq has a stream of its own (a partition), which only this
program writes to. It numbers the entries itself, and adds a batch in one transaction. A batch that
Redis did not confirm is added again until it does: Redis refuses the numbers that it has already,
so nothing is twice. While Redis is away the pipe fills, and `recbms-zmq run` keeps the newest line
of each topic.

What is confirmed survives a crash of Redis if it runs with `appendonly yes` and `appendfsync
always`. If entries are gone that Redis had confirmed, that is logged with their number. The program
ends with its input. Exit codes: 0, or 1 on a second signal while Redis is
away. It needs redis (`pip install redis`), and nothing else of recbms-zmq.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

try:
    import redis
except ImportError:
    sys.exit(f"{sys.argv[0]}: needs a package: {sys.executable} -m pip install redis")

BATCH = 500
"""Entries of a transaction."""
RETRY = 1.0
"""Seconds between two tries to reach Redis."""
MAX_LINE = 1 << 20


def log(text: str) -> None:
    """Write one line to stderr."""
    print(f"to_redis_stream: {text}", file=sys.stderr, flush=True)


class Stream:
    """One stream, of which this is the only writer.

    Args:
        client: of the server.
        name: of the stream.
        most: entries that it keeps, about.

    """

    def __init__(self, client: "redis.Redis", name: str, most: int) -> None:
        self._client = client
        self._name = name
        self._most = most
        self._number = 0
        self._start = 0
        self._last_log = ""

    def add(self, lines: list[bytes]) -> None:
        """Add lines, and return when the server has confirmed them."""
        is_retry = False
        while True:
            try:
                if not self._start:
                    self._start = self._free_start()
                self._add(lines, is_retry=is_retry)
            except redis.RedisError as exc:
                self._log(f"{exc or type(exc).__name__}; retrying")
                is_retry = True
                time.sleep(RETRY)
            else:
                self._number += len(lines)
                self._log("adding")
                return

    def _add(self, lines: list[bytes], *, is_retry: bool) -> None:
        with self._client.pipeline(transaction=True) as batch:
            batch.xrevrange(self._name, count=1)
            for number, line in enumerate(lines, self._number + 1):
                batch.xadd(
                    self._name,
                    {"message": line},
                    id=f"{self._start}-{number}",
                    maxlen=self._most,
                    approximate=True,
                )
            try:
                newest, *_ = batch.execute()
            except redis.ResponseError as exc:
                # A transaction is there as a whole or not at all.
                if not is_retry or "equal or smaller" not in str(exc):
                    raise
            else:
                self._check(newest)

    def _check(self, newest: list[Any]) -> None:
        """Log how many confirmed entries were gone: the newest one before should be ours."""
        if not self._number:
            return
        start, _, number = newest[0][0].partition(b"-") if newest else (b"", b"", b"")
        kept = int(number) if start == str(self._start).encode() else 0
        if kept < self._number:
            log(
                f"{self._name}: Redis has lost {self._number - kept} entries that it had "
                "confirmed; does it run with appendonly yes and appendfsync always?"
            )

    def _free_start(self) -> int:
        """Return a first part of the numbers that is greater than all in the stream."""
        try:
            last = self._client.xinfo_stream(self._name)["last-generated-id"]
        except redis.ResponseError:  # there is no such stream yet
            last = b"0-0"
        return max(int(time.time() * 1000), int(last.partition(b"-")[0]) + 1)

    def _log(self, text: str) -> None:
        if text != self._last_log:
            self._last_log = text
            log(text)


def batches() -> Iterator[list[bytes]]:
    """Yield the lines of stdin as they come, at most a batch of them at a time."""
    rest = b""
    while data := os.read(0, 65536):
        *lines, rest = (rest + data).split(b"\n")
        lines = [line for line in lines if line]
        for start in range(0, len(lines), BATCH):
            yield lines[start : start + BATCH]
        if len(rest) > MAX_LINE:
            log("dropped a line of more than 1 MiB")
            rest = b""


def main() -> int:
    """Add stdin until it ends; return the exit code."""
    parser = argparse.ArgumentParser(
        description="Add the messages of recbms-zmq, read from stdin, to one Redis stream."
    )
    parser.add_argument("url", metavar="URL", help="redis://HOST:PORT; rediss:// with TLS")
    parser.add_argument("stream", metavar="STREAM", help="of this process alone, as recbms:0")
    parser.add_argument(
        "--maxlen",
        metavar="COUNT",
        type=int,
        default=1_000_000,
        help="entries that the stream keeps, about (default: 1,000,000)",
    )
    args = parser.parse_args()
    # The first signal ends recbms-zmq; its last lines are still added.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda first, _: signal.signal(first, lambda *_: os._exit(1)))
    try:
        client = redis.Redis.from_url(args.url, socket_timeout=10, socket_connect_timeout=10)
    except ValueError as exc:
        parser.error(str(exc))
    stream = Stream(client, args.stream, args.maxlen)
    for lines in batches():
        stream.add(lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
