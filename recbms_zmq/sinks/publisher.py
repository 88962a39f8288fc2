"""Messages on ZeroMQ: an XPUB socket that replays the last message of each topic to new clients.

What belongs to it is beside it: when to replay in `replay`, limits of subscriptions and connections
in `subscriptions` and `clients`, which clients may subscribe in `zap`, paths of `ipc://` endpoints
in `ipc`. Socket options and their reasons are in `_set_options`.
"""

import asyncio
import contextlib
import errno
import functools
import os
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import zmq

from recbms_zmq.errors import OutputError
from recbms_zmq.reporting.batch import Batch, Retained
from recbms_zmq.sinks.clients import Clients
from recbms_zmq.sinks.ipc import IpcPath
from recbms_zmq.sinks.replay import ReplayPlan
from recbms_zmq.sinks.subscriptions import Subscriptions

if TYPE_CHECKING:
    from recbms_zmq.sinks.zap import Authenticator

BIND_FOR: Final = 5.0
"""Seconds for which an address in use is tried again: a redeploying Node-RED overlaps."""
_BIND_AGAIN: Final = 0.1  # seconds
_LOCK_FOR: Final = 1.0  # seconds; a service holds the lock of an ipc:// directory for milliseconds
_MORE: Final = int(zmq.SNDMORE)
_POLLIN: Final = int(zmq.POLLIN)
_LINGER_MS: Final = 100
"""For the last `offline`: the whole end is promised within 200 ms. libzmq's default is to wait for
ever for a subscriber that does not read."""
_REQUESTS_PER_TURN: Final = 1000  # then the event loop runs what else is due
_REPLAYED_AT_ONCE: Final = 250  # messages
_REPLAY_PAUSE: Final = 0.005  # seconds; 50,000 messages a second are more than `replay` permits
_HEARTBEAT_MS: Final = 30_000
_HEARTBEAT_TIMEOUT_MS: Final = 60_000
_MAX_INBOUND: Final = 512  # bytes; the largest is the handshake of CURVE, about 300


class ZmqSink:
    """Publishes two-frame messages, `[topic, body]`, on any number of endpoints.

    Args:
        hwm: messages that may wait for a slow subscriber before it loses some; fewer if there are
            many subscribers.
        max_clients: subscribers at a time.
        ipc_mode: of the sockets of `ipc://` paths.
        authenticator: decides which clients may subscribe; None accepts all.
        before_replay: publishes what waits to be published, so that it does not come after newer
            messages of a replay.

    """

    def __init__(
        self,
        *,
        hwm: int,
        max_clients: int,
        ipc_mode: int = 0o600,
        authenticator: "Authenticator | None" = None,
        before_replay: Callable[[], None] = lambda: None,
    ) -> None:
        self._context = zmq.Context(io_threads=1)
        with _batch_threads():
            self._socket = self._context.socket(zmq.XPUB)
        # In the order of the first message of each topic: `availability` is the first of a replay.
        self._retained: dict[Hashable, Retained] = {}
        # What `Socket.send` and `Socket.get` call; pyzmq's layer of Python doubles their time.
        self._send = functools.partial(zmq.backend.Socket.send, self._socket)
        get = functools.partial(zmq.backend.Socket.get, self._socket, int(zmq.EVENTS))
        self._events: Callable[[], Any] = get
        self._plan = ReplayPlan()
        self._replaying: deque[Retained] = deque()  # what is still to be sent
        self._next_replay: asyncio.TimerHandle | None = None
        self._subscriptions = Subscriptions()
        self._watched = False
        self._ipc_mode = ipc_mode
        self._ipc_paths: list[IpcPath] = []
        self._authenticator = authenticator
        self._before_replay = before_replay
        _set_options(self._socket)
        self._clients = Clients(
            self._socket,
            hwm=hwm,
            max_clients=max_clients,
            encrypted=authenticator is not None and authenticator.encrypts,
            closed=self._subscriptions.close,
        )
        if authenticator is not None:
            authenticator.attach(self._context, self._socket, self._clients.refusals)

    async def bind(self, endpoint: str) -> str:
        """Bind an endpoint; return it as it was bound (with the port, if that was `*`).

        Raises:
            OutputError: it cannot be bound, or is still in use after `BIND_FOR` seconds.

        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            try:
                bound = self._bind(endpoint, ignore_lock=loop.time() > began + _LOCK_FOR)
            except OSError as exc:  # zmq.ZMQError is none; `_bind` converts it
                if exc.errno != errno.EADDRINUSE:
                    raise OutputError(f"cannot publish on {endpoint}: {exc.strerror}") from exc
                if loop.time() >= began + BIND_FOR:
                    raise OutputError(
                        f"cannot publish on {endpoint}: another process uses this address; "
                        "stop it, choose another with --publish, or none with --no-publish"
                    ) from exc
            else:
                self._clients.add_endpoint(bound)
                return bound
            await asyncio.sleep(_BIND_AGAIN)

    def _bind(self, endpoint: str, *, ignore_lock: bool) -> str:
        # With IPV6 set, libzmq binds an IPv4 address as ::ffff:127.0.0.1. A wildcard is bound for
        # both; libzmq itself falls back to IPv4 on a system without IPv6.
        is_ipv6 = "[" in endpoint or endpoint.startswith("tcp://*")
        self._socket.set(zmq.IPV6, int(is_ipv6))
        path = endpoint.removeprefix("ipc://")
        try:
            # Linux keeps an abstract name (@) unique; `*` is a new path of libzmq's own.
            if path in (endpoint, "*") or path.startswith("@"):
                self._socket.bind(endpoint)
            else:
                self._bind_path(path, ignore_lock=ignore_lock)
        except zmq.ZMQError as exc:
            raise OSError(exc.errno, zmq.strerror(exc.errno or 0)) from exc
        return bytes(self._socket.get(zmq.LAST_ENDPOINT)).rstrip(b"\0").decode()

    def _bind_path(self, path: str, *, ignore_lock: bool) -> None:
        bound = IpcPath(Path(path), self._ipc_mode, ignore_lock=ignore_lock)
        self._ipc_paths.append(bound)
        self._socket.set(zmq.USE_FD, bound.detach())
        try:
            self._socket.bind(f"ipc://{path}")
        finally:
            # Otherwise the next endpoint would be bound to this descriptor, too.
            self._socket.set(zmq.USE_FD, -1)

    def start(self) -> None:
        """Start to answer subscriptions."""
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read_subscriptions)
        self._watched = True
        # What came between bind and now has made the descriptor readable already.
        self._read_subscriptions()
        self._clients.start()
        if self._authenticator is not None:
            self._authenticator.start()

    def publish(self, batch: Batch) -> None:
        """Publish the messages of a batch; keep the last of each topic for later subscribers."""
        send, retained = self._send, self._retained
        for topic, body, message in batch.messages:
            # Two calls cost a third of one `send_multipart`. Neither blocks: XPUB drops instead.
            send(topic, _MORE)
            send(body)
            if message is not None:
                retained[message] = message
        # After the messages: the null that expires a topic must not be retained itself.
        for expired in batch.expired:
            retained.pop(expired, None)
        # The descriptor is edge-triggered, and a send can consume the event that would make it
        # readable: without this look a subscription could wait for the next batch.
        if self._watched and self._events() & _POLLIN:
            self._read_subscriptions()

    def close(self) -> None:
        """Close the socket; messages in its queues get `_LINGER_MS` to leave."""
        if self._socket.closed:
            return
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        if self._next_replay is not None:
            self._next_replay.cancel()
        for path in self._ipc_paths:
            path.remove()
        if self._authenticator is not None:
            self._authenticator.close()
        self._clients.close()
        self._socket.close()

    def term(self) -> None:
        """Wait until the queues are empty, or `_LINGER_MS` are over."""
        self.close()
        self._context.term()

    def _read_subscriptions(self) -> None:
        """Read new subscriptions, and plan a replay of what they match.

        Any call on the socket can consume the event that makes the descriptor readable, so this is
        called after each call, and after it has read anything in the next turn of the event loop.
        """
        if self._socket.closed:  # `call_soon` below may come after `close`
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        for _ in range(_REQUESTS_PER_TURN):
            if not self._events() & _POLLIN:
                break
            # Not copied: only a `Frame` has SRCFD, the descriptor of the connection.
            self._read_subscription(self._socket.recv(zmq.NOBLOCK, copy=False), now)
        else:
            loop.call_soon(self._read_subscriptions)
        due = self._plan.due
        if due is not None and self._next_replay is None:
            self._next_replay = loop.call_at(due, self._replay)

    def _read_subscription(self, frame: zmq.Frame, now: float) -> None:
        request = frame.bytes
        kind, prefix = request[:1], request[1:]
        try:
            connection = int(frame.get(zmq.SRCFD))
        except zmq.ZMQError:
            # libzmq itself cancels the subscriptions of a connection that has ended; such a request
            # has no descriptor any more. `Clients` reports the end to `Subscriptions`.
            return
        excess = None
        if kind == b"\x01":
            excess = self._subscriptions.add(connection, prefix, now)
            self._plan.add(prefix)
        elif kind == b"\x00":
            excess = self._subscriptions.remove(connection, prefix, now)
        if excess is not None:
            self._clients.disconnect(*excess)

    def _replay(self) -> None:
        """Send a part of a replay; the next part after a pause, and the next replay after the last.

        libzmq's thread empties the queues of the subscribers in the pauses. A replay of a large
        fleet in one go would fill them, also those of the subscribers that did not ask for it.
        """
        self._before_replay()
        self._next_replay = None
        loop = asyncio.get_running_loop()
        due = self._plan.due
        if not self._replaying and due is not None and due <= loop.time():
            self._replaying.extend(self._plan.replay(self._retained.values(), loop.time()))
        for _ in range(min(len(self._replaying), _REPLAYED_AT_ONCE)):
            message = self._replaying.popleft()
            if message in self._retained:  # it can have expired in a pause
                self._send(message.topic, _MORE)
                self._send(message.last_body())
        if self._replaying:
            self._next_replay = loop.call_later(_REPLAY_PAUSE, self._replay)
        self._read_subscriptions()


@contextlib.contextmanager
def _batch_threads() -> Iterator[None]:
    """Create threads meanwhile with the policy SCHED_BATCH, where the system has it.

    The first message of a frame wakes libzmq's I/O thread. On a busy core that thread interrupts
    this one, sends the message, and sleeps until the next message wakes it again: up to nine times
    a frame. A thread with SCHED_BATCH does not interrupt others, so it sends more messages at once:
    a third to a half of the CPU time of a flood. It needs the pauses of a replay.
    Threads inherit the policy, and any user may set it; libzmq's own option for it ends the process
    where a sandbox refuses it.
    """
    changed = False
    with contextlib.suppress(AttributeError, OSError):  # macOS; a sandbox that refuses it
        if os.sched_getscheduler(0) == os.SCHED_OTHER:  # keep any other policy
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
            changed = True
    try:
        yield
    finally:
        if changed:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _set_options(pub: "zmq.Socket[bytes]") -> None:
    pub.set(zmq.XPUB_VERBOSER, 1)  # report every subscription and cancellation, also repeated ones
    # One request of a connection at a time: libzmq reads a pipe until it is empty, and a client
    # that fills it as fast as it is read would keep this thread there.
    pub.set(zmq.RCVHWM, 1)
    pub.set(zmq.LINGER, _LINGER_MS)
    pub.set(zmq.MAXMSGSIZE, _MAX_INBOUND)
    # A subscriber that lost power closes no connection; heartbeats find out, and free its queue.
    # Clients with ZMTP 3.0 know no heartbeats: for them the kernel asks.
    pub.set(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
    pub.set(zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS)
    pub.set(zmq.TCP_KEEPALIVE, 1)
    pub.set(zmq.TCP_KEEPALIVE_IDLE, 60)
