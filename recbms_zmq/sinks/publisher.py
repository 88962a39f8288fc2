"""Messages on ZeroMQ: an XPUB socket that tells late joiners what is true now.

Socket options and their reasons are in `_tune`. Who may subscribe is decided in `access`, paths
of `ipc://` endpoints are made in `ipc`.
"""

import asyncio
import contextlib
import errno
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import zmq

from recbms_zmq.errors import OutputError
from recbms_zmq.reporting.batch import Batch, Retained
from recbms_zmq.sinks.ipc import IpcPath

if TYPE_CHECKING:
    from recbms_zmq.sinks.zap import Authenticator

BIND_FOR: Final = 5.0
"""Seconds for which an address in use is tried again: a redeploying Node-RED overlaps."""
_BIND_AGAIN: Final = 0.1
_LOCK_FOR: Final = 1.0  # seconds; a service holds the lock of an ipc:// folder for milliseconds
_MORE: Final = int(zmq.SNDMORE)
_LOOK_AFTER: Final = 0.02
"""Seconds after a message at which newcomers are looked for."""
_REPLAYED_A_SECOND: Final = 20_000
"""Messages of replays in a second, on the average. Each replay goes to all subscribers: a crowd of
newcomers, answered one by one, would fill the queues of those who are here, and cost them messages.
"""
_LINGER_MS: Final = 100
_REQUESTS_A_TURN: Final = 1000
_MAX_INBOUND: Final = 512  # bytes; all that may come in are subscriptions


class ZmqSink:
    """Publishes two-frame messages, `[topic, body]`, on any number of endpoints.

    Args:
        hwm: messages that may wait for a slow subscriber before it loses some.
        ipc_mode: of the sockets of `ipc://` paths.
        authenticator: decides which clients may subscribe; None accepts all.

    """

    def __init__(
        self, *, hwm: int, ipc_mode: int = 0o600, authenticator: "Authenticator | None" = None
    ) -> None:
        self._context = zmq.Context(io_threads=1)
        with _batch_threads():
            self._socket = self._context.socket(zmq.XPUB)
        self._retained: dict[bytes, Retained] = {}
        # What `Socket.send` calls; its own layer of Python around it takes twice as long again.
        self._send = functools.partial(zmq.backend.Socket.send, self._socket)
        self._next_look: asyncio.TimerHandle | None = None
        self._newcomers: set[bytes] = set()  # prefixes of those who wait for a replay
        self._next_replay: asyncio.TimerHandle | None = None
        self._replay_due = 0.0
        self._watched = False
        self._ipc_mode = ipc_mode
        self._ipc_paths: list[IpcPath] = []
        self._authenticator = authenticator
        _tune(self._socket, hwm)
        if authenticator is not None:
            authenticator.attach(self._context, self._socket)

    async def bind(self, endpoint: str) -> str:
        """Bind an endpoint; return it as it was bound (with the port, if that was `*`).

        Raises:
            OutputError: it cannot be bound, or is still in use after `BIND_FOR` seconds.

        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            try:
                return self._bind(endpoint, ignore_lock=loop.time() > began + _LOCK_FOR)
            except OSError as exc:  # zmq.ZMQError is none, and is made one by `_bind`
                if exc.errno != errno.EADDRINUSE:
                    raise OutputError(f"cannot publish on {endpoint}: {exc.strerror}") from exc
                if loop.time() >= began + BIND_FOR:
                    raise OutputError(
                        f"cannot publish on {endpoint}: another process uses this address; "
                        "stop it, or choose another with --publish"
                    ) from exc
            await asyncio.sleep(_BIND_AGAIN)

    def _bind(self, endpoint: str, *, ignore_lock: bool) -> str:
        # With IPV6 set, libzmq would bind an IPv4 address as ::ffff:127.0.0.1.
        self._socket.set(zmq.IPV6, 1 if "[" in endpoint else 0)
        path = endpoint.removeprefix("ipc://")
        try:
            # Linux itself keeps an abstract name (@) unique; `*` is a fresh path of libzmq's own.
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
            self._socket.set(zmq.USE_FD, -1)

    def start(self) -> None:
        """Begin to answer newcomers."""
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._welcome)
        self._watched = True
        self._welcome()
        if self._authenticator is not None:
            self._authenticator.start()

    def publish(self, batch: Batch) -> None:
        """Publish the messages of a batch; keep what is true for those who come later."""
        send, retained = self._send, self._retained
        for topic, body, message in batch.messages:
            # Two calls cost a third of one `send_multipart`. Neither waits: a PUB socket drops.
            send(topic, _MORE)
            send(body)
            if message is not None:
                retained[topic] = message
        for topic in batch.expired:
            retained.pop(topic, None)
        # A send can swallow the event that announces a newcomer, so look afterwards; not at once,
        # because a look takes as long as three messages.
        if self._next_look is None and self._watched:
            self._next_look = asyncio.get_running_loop().call_later(_LOOK_AFTER, self._look)

    def close(self) -> None:
        """Close the socket; what is on its way gets `_LINGER_MS` to leave, meanwhile."""
        if self._socket.closed:
            return
        if self._watched:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
        for path in self._ipc_paths:
            path.remove()
        if self._authenticator is not None:
            self._authenticator.close()
        self._socket.close()

    def term(self) -> None:
        """Wait until everything has left, or the time for it is over."""
        self.close()
        self._context.term()

    def _look(self) -> None:
        self._next_look = None
        self._welcome()

    def _welcome(self) -> None:
        """Answer new subscriptions with what is retained.

        The file descriptor tells of a change only once, and any call on the socket, a replay's
        sends too, can be the one that takes note of it. So after each one there is another look,
        in the next turn of the event loop: nobody can keep us here.
        """
        if self._socket.closed:
            return
        looks = 0
        while looks < _REQUESTS_A_TURN and int(self._socket.get(zmq.EVENTS)) & zmq.POLLIN:
            request = self._socket.recv(zmq.NOBLOCK)
            if request[:1] == b"\x01":
                self._newcomers.add(request[1:])
            looks += 1
        if self._newcomers and self._next_replay is None:
            loop = asyncio.get_running_loop()
            self._next_replay = loop.call_at(self._replay_due, self._replay)
        if looks:
            asyncio.get_running_loop().call_soon(self._welcome)

    def _replay(self) -> None:
        self._next_replay = None
        if self._socket.closed:
            return
        prefixes = tuple(self._newcomers)
        self._newcomers.clear()
        count = 0
        for topic, message in self._retained.items():
            if topic.startswith(prefixes):
                self._send(topic, _MORE)
                self._send(message.last_body())
                count += 1
        loop = asyncio.get_running_loop()
        self._replay_due = loop.time() + count / _REPLAYED_A_SECOND
        loop.call_soon(self._welcome)


@contextlib.contextmanager
def _batch_threads() -> Iterator[None]:
    """Start threads meanwhile that do not interrupt us, where the system knows such a thing.

    Every message wakes libzmq's thread. Where there is no other core for it, it takes ours at once,
    sends one message, and sleeps again: three changes of thread a frame, and twice the CPU time.
    A thread for batch work waits until we have nothing to do, and sends the frame's messages, or
    those of a hundred BMS, in one go. Threads inherit this, and any user may ask for it; libzmq's
    own option for it ends the process where the system refuses.
    """
    changed = False
    with contextlib.suppress(AttributeError, OSError):  # macOS; a sandbox
        if os.sched_getscheduler(0) == os.SCHED_OTHER:  # and not what somebody chose for us
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
            changed = True
    try:
        yield
    finally:
        if changed:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _tune(pub: "zmq.Socket[bytes]", hwm: int) -> None:
    pub.set(zmq.XPUB_VERBOSE, 1)  # tell of every subscription, also of one that others have
    pub.set(zmq.SNDHWM, hwm)
    pub.set(zmq.LINGER, _LINGER_MS)
    pub.set(zmq.MAXMSGSIZE, _MAX_INBOUND)
    # A subscriber that lost power never says goodbye: find out, and free its queue.
    pub.set(zmq.HEARTBEAT_IVL, 30_000)
    pub.set(zmq.HEARTBEAT_TIMEOUT, 60_000)
    pub.set(zmq.TCP_KEEPALIVE, 1)
    pub.set(zmq.TCP_KEEPALIVE_IDLE, 60)
