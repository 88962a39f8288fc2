#!/usr/bin/env python3
"""A worker for a fleet's Redis streams: handles each message once, with any number of its like.

    python redis_worker.py redis://192.168.8.5 recbms:0 recbms:1 recbms:2 recbms:3

Workers with the same --group share the messages. A worker that ends in the middle of a batch
leaves it pending, and another one takes it over after --takeover. Here a message is handled by a
script inside Redis, in one step with its acknowledgement, so that it counts once however often it
is delivered:

- the hash `recbms:last` keeps the newest message of each topic, by `ts`;
- the hash `recbms:count` counts the messages of each BMS;
- the hash `recbms:handled` counts the entries of each group and stream.

With a database of your own: insert with (topic, run, seq) as the primary key, ignore what is there
already, commit, and acknowledge (XACK) after that.

Every --report seconds it prints how many messages it has handled, how many wait (lag) and how old
the last one was, how many are delivered and not acknowledged (pending), and how many are lost:
trimmed from the stream before a worker had handled them. It ends after its batch on SIGTERM.
It needs Redis 7, redis (`pip install redis`), and nothing else of recbms-zmq.
"""

import argparse
import json
import os
import signal
import socket
import sys
import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

try:
    import redis
except ImportError:
    sys.exit(f"{sys.argv[0]}: needs a package: {sys.executable} -m pip install redis")

BATCH = 500
BLOCK_MS = 1000
RETRY = 1.0

# KEYS: stream, recbms:last, recbms:count, recbms:handled. ARGV: group; then id, topic, BMS, time,
# message of each; without a topic it is no message.
# XACK is 1 for the first that acknowledges an entry, and 0 for all later ones. What is kept starts
# with its `ts`: always 24 characters (2025-09-28T12:00:00.000Z), which sort as times do.
HANDLE = """
local handled = 0
for i = 2, #ARGV, 5 do
    local is_first = redis.call('XACK', KEYS[1], ARGV[1], ARGV[i]) == 1
    if is_first then
        redis.call('HINCRBY', KEYS[4], ARGV[1] .. '/' .. KEYS[1], 1)
    end
    if is_first and ARGV[i + 1] ~= '' then
        handled = handled + 1
        redis.call('HINCRBY', KEYS[3], ARGV[i + 2], 1)
        local last = redis.call('HGET', KEYS[2], ARGV[i + 1])
        if not last or string.sub(last, 1, 24) <= ARGV[i + 3] then
            redis.call('HSET', KEYS[2], ARGV[i + 1], ARGV[i + 3] .. ' ' .. ARGV[i + 4])
        end
    end
end
return handled
"""


HANDLED = "recbms:handled"


class State(NamedTuple):
    """The entries of a stream: not delivered (None: unknown), pending, and lost."""

    lag: int | None
    pending: int
    lost: int


def log(text: str) -> None:
    """Write one line to stdout."""
    print(text, flush=True)


class Worker:
    """One member of a group.

    Args:
        client: of the server.
        args: the command line.

    """

    def __init__(self, client: "redis.Redis", args: argparse.Namespace) -> None:
        self._client = client
        self._streams: list[str] = args.streams
        self._group: str = args.group
        self._name: str = args.name
        self._takeover_ms = int(args.takeover * 1000)
        self._report = args.report
        self._handle = client.register_script(HANDLE)
        self._handled = 0
        self._reported_at = self._claimed_at = time.monotonic()
        self._reported = 0
        self._age = 0.0  # of the last message, s
        self._lost: dict[str, int] = {}
        self.is_ending = False

    def run(self) -> None:
        """Work until it is asked to end; survive a server that is away."""
        has_groups = False
        while not self.is_ending:
            try:
                if not has_groups:
                    self._make_groups()
                    has_groups = True
                self._step()
            except redis.RedisError as exc:
                log(f"{self._name}: {exc or type(exc).__name__}; retrying")
                has_groups = False  # a server without persistence has lost them
                time.sleep(RETRY)
        self._print()

    def _step(self) -> None:
        now = time.monotonic()
        if now > self._claimed_at + self._takeover_ms / 2000:
            self._claimed_at = now
            self._take_over()
        if now > self._reported_at + self._report:
            self._print()
        streams: dict[Any, Any] = dict.fromkeys(self._streams, ">")
        found: Any = self._client.xreadgroup(
            self._group, self._name, streams, count=BATCH, block=BLOCK_MS
        )
        for stream, entries in found:
            self._process(stream, entries)

    def _take_over(self) -> None:
        """Handle what a worker, this one or another, has left pending for too long."""
        for stream in self._streams:
            start: Any = b"0-0"
            while True:
                start, entries, *_ = self._client.xautoclaim(
                    stream, self._group, self._name, self._takeover_ms, start, count=BATCH
                )
                if entries:
                    self._process(stream, entries)
                if start == b"0-0":
                    break

    def _process(self, stream: Any, entries: list[Any]) -> None:
        arguments: list[Any] = [self._group]
        for number, fields in entries:
            try:
                message = json.loads(fields[b"message"])
                datetime.fromisoformat(message["ts"])
                place = message["topic"], message["topic"].removesuffix("/" + message["key"])
                arguments += [number, *place, message["ts"], fields[b"message"]]
            except (ValueError, KeyError, TypeError, AttributeError):
                log(f"{self._name}: dropped {number.decode()}, no message of recbms-zmq")
                arguments += [number, "", "", "", ""]
        keys = [stream, "recbms:last", "recbms:count", HANDLED]
        if arguments[-2]:
            sent_at = datetime.fromisoformat(arguments[-2])
            self._age = (datetime.now(UTC) - sent_at).total_seconds()
        handled: Any = self._handle(keys=keys, args=arguments)
        self._handled += handled

    def _make_groups(self) -> None:
        for stream in self._streams:
            try:
                self._client.xgroup_create(stream, self._group, id="0", mkstream=True)
            except redis.ResponseError as exc:
                if "BUSYGROUP" not in str(exc):  # it is there already
                    raise

    def _print(self) -> None:
        now = time.monotonic()
        rate = (self._handled - self._reported) / max(now - self._reported_at, 1e-3)
        self._reported_at, self._reported = now, self._handled
        text = f"{self._name}: handled {self._handled}, {rate:.0f}/s"
        try:
            states = [self._state(stream) for stream in self._streams]
        except redis.RedisError:
            log(text)
            return
        lags = [state.lag for state in states]
        lag = "unknown" if None in lags else sum(filter(None, lags))
        pending = sum(state.pending for state in states)
        for stream, state in zip(self._streams, states, strict=True):
            if state.lost > self._lost.get(stream, 0):
                self._lost[stream] = state.lost
                log(
                    f"{self._name}: {stream} was trimmed: {state.lost} messages are lost; start "
                    "more workers, or to_redis_stream.py with a larger --maxlen"
                )
        lost = sum(self._lost.values())
        log(f"{text}, lag {lag} ({self._age:.1f} s), pending {pending}, lost {lost}")

    def _state(self, stream: str) -> "State":
        with self._client.pipeline(transaction=True) as batch:
            batch.xinfo_stream(stream)
            batch.xinfo_groups(stream)
            batch.hget(HANDLED, f"{self._group}/{stream}")
            info, groups, handled = batch.execute()
        [group] = [each for each in groups if each["name"].decode() == self._group]
        lag, pending = _not_delivered(info, group["last-delivered-id"]), group["pending"]
        lost = 0
        if lag is not None:
            lost = info["entries-added"] - int(handled or 0) - pending - lag
        return State(lag, pending, lost)


def _not_delivered(info: dict[str, Any], delivered: bytes) -> int | None:
    """Return how many entries of a stream a group has not got; None if that is not known.

    Redis's own `lag` is wrong after trimming. The writer numbers the entries: START-NUMBER.
    """
    if not info["length"]:
        return 0
    first, last, mine = (
        tuple(map(int, each.split(b"-")))
        for each in (info["first-entry"][0], info["last-generated-id"], delivered)
    )
    if mine < first:
        return int(info["length"])
    return last[1] - mine[1] if last[0] == mine[0] else None


def main() -> int:
    """Work until SIGTERM; return the exit code."""
    parser = argparse.ArgumentParser(description="Handle the messages of a fleet's Redis streams.")
    parser.add_argument("url", metavar="URL", help="redis://HOST:PORT; rediss:// with TLS")
    parser.add_argument("streams", metavar="STREAM", nargs="+", help="as recbms:0 recbms:1")
    parser.add_argument("--group", default="workers", help="its name (default: workers)")
    parser.add_argument(
        "--name",
        default=f"{socket.gethostname()}-{os.getpid()}",
        help="of this worker, unique in the group (default: HOST-PID)",
    )
    parser.add_argument(
        "--takeover",
        metavar="SECONDS",
        type=float,
        default=30.0,
        help="take over what another worker has left pending this long (default: 30)",
    )
    parser.add_argument(
        "--report", metavar="SECONDS", type=float, default=10.0, help="print this often (10)"
    )
    args = parser.parse_args()
    try:
        client = redis.Redis.from_url(args.url, socket_timeout=30, socket_connect_timeout=10)
    except ValueError as exc:
        parser.error(str(exc))
    worker = Worker(client, args)

    def end(*_: object) -> None:
        worker.is_ending = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    worker.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
