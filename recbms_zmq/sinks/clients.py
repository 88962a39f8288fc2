"""The connections of subscribers: counts them, closes those that are too many, names those refused.

libzmq accepts every connection, however many there are. Each takes a file descriptor and a queue of
messages. When no descriptor is left, its listener tries without a pause (100 % of a core). What
libzmq offers is a monitor that reports the file descriptor of each connection. When that is shut
down, libzmq closes the connection as if the client had closed it.

The descriptor that the kernel gives is the lowest free number, so its number shows how close the
process is to its limit, whatever else it opens.
"""

import asyncio
import errno
import logging
import re
import resource
import socket
import struct
from collections.abc import Callable
from typing import Final, TypeVar

import zmq

_EVENTS: Final = (
    zmq.EVENT_ACCEPTED
    | zmq.EVENT_ACCEPT_FAILED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
_HANDSHAKE_FAILED: Final = (
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
_SPARE_DESCRIPTORS: Final = 16
"""Descriptors that are left for the BMS, look-ups and files: no subscriber gets the last ones."""

_MAX_LOGGED: Final = 1000
"""Clients that are remembered, so that each is logged once for each reason."""

_LOG_AGAIN: Final = 3600.0  # seconds between two log lines about missing descriptors

_QUEUED: Final = 2**19
"""Messages in the queues of all subscribers together. An entry takes 128 bytes, so this is 64 MiB;
the messages themselves are shared."""

_LOCAL: Final = re.compile(r"(?:localhost)?:(\d+):\d*:\d*", re.ASCII)

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


class RefusalLog:
    """Logs once for each client why it was refused."""

    def __init__(self) -> None:
        self._logged: set[tuple[str, str]] = set()

    def refuse(self, client: str, reason: str) -> None:
        """Log a refusal, unless this client has been refused for this reason before.

        Args:
            client: its address with a preposition, such as `from 192.168.8.7`.
            reason: why, a clause.

        """
        if (client, reason) in self._logged or len(self._logged) > _MAX_LOGGED:
            return
        self._logged.add((client, reason))
        if len(self._logged) > _MAX_LOGGED:
            _log.warning(
                "%s subscribers have been refused; further refusals are not logged", _MAX_LOGGED
            )
        else:
            _log.warning("refused a subscriber %s: %s", client, reason)


class Clients:
    """Watches the connections of a socket.

    Args:
        pub: the socket; not bound yet.
        hwm: messages that may wait for one subscriber, if there are few.
        max_clients: connections at a time.
        encrypted: whether CURVE is required, so that a failed handshake is worth a log line.
        closed: called with the descriptor of a connection that has ended.

    """

    def __init__(
        self,
        pub: "zmq.Socket[bytes]",
        *,
        hwm: int,
        max_clients: int,
        encrypted: bool,
        closed: Callable[[int], None],
    ) -> None:
        self.refusals = RefusalLog()
        self._pub = pub
        self._max_hwm = self._hwm = hwm
        self._max_clients = max_clients
        self._encrypted = encrypted
        self._closed = closed
        self._local_names: set[int | str | bytes] = set()
        self._names: dict[int, str] = {}  # of connections, in the order of their arrival
        self._failure = ""  # of the handshake on the connection that ends next
        self._shortage_logged = -_LOG_AGAIN
        self._monitor = pub.get_monitor_socket(_EVENTS)
        pub.set(zmq.SNDHWM, hwm)

    def add_endpoint(self, endpoint: str) -> None:
        """Note an endpoint that the socket is bound to."""
        self._local_names.add(_local_name(endpoint))

    def start(self) -> None:
        """Start to watch."""
        asyncio.get_running_loop().add_reader(self._monitor.fileno(), self._read_events)
        self._read_events()

    def close(self) -> None:
        """Stop to watch; to be called before the socket is closed."""
        asyncio.get_running_loop().remove_reader(self._monitor.fileno())
        # libzmq's I/O thread blocks on a full monitor, and keeps the lock that disabling it needs.
        self._read_events()
        self._pub.disable_monitor()
        self._monitor.close()

    def disconnect(self, connection: int, reason: str) -> None:
        """Close a connection, and log why."""
        # Its subscriptions can be read before the event of its arrival: its name may be missing.
        name = self._names.get(connection) or self._use_socket(connection, _peer_of)
        if self._use_socket(connection, _shut_down):
            self.refusals.refuse(name or "of an unknown address", reason)

    def _read_events(self) -> None:
        accepted = failed = 0
        # The descriptor is edge-triggered, as that of every ZeroMQ socket: read until it is empty.
        while int(self._monitor.get(zmq.EVENTS)) & zmq.POLLIN:
            data, endpoint = self._monitor.recv_multipart()
            # Not by `zmq.utils.monitor`, which imports zmq.asyncio.
            event, value = struct.unpack("=HI", data)
            if event == zmq.EVENT_ACCEPTED:
                accepted += 1
                self._accept(value, endpoint.decode("ascii", "replace"))
            elif event == zmq.EVENT_DISCONNECTED:
                self._forget(value)
            elif event == zmq.EVENT_ACCEPT_FAILED:
                failed = value
            elif event & _HANDSHAKE_FAILED and self._encrypted:
                self._failure = _why_failed(value)
        if failed in (errno.EMFILE, errno.ENFILE):
            self._make_room(accepted)
        self._adapt_hwm()

    def _accept(self, connection: int, endpoint: str) -> None:
        name = self._use_socket(connection, _peer_of) or f"of {endpoint}"
        self._names[connection] = name
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        reason = ""
        if limit != resource.RLIM_INFINITY and connection >= limit - _SPARE_DESCRIPTORS:
            reason = f"no file descriptor is left for it; the limit is {limit} (LimitNOFILE=)"
        elif len(self._names) > self._max_clients:
            reason = f"{self._max_clients} are connected (--max-clients)"
        if reason:
            self.disconnect(connection, reason)

    def _forget(self, connection: int) -> None:
        name = self._names.pop(connection, None)
        if self._failure:
            self.refusals.refuse(name or "of an unknown address", self._failure)
            self._failure = ""
        self._closed(connection)

    def _make_room(self, accepted: int) -> None:
        """End a shortage of descriptors, in which libzmq's listener would try without a pause."""
        now = asyncio.get_running_loop().time()
        if now >= self._shortage_logged + _LOG_AGAIN:
            self._shortage_logged = now
            _log.warning(
                "no file descriptor is left for new subscribers; raise the limit: ulimit -n, or "
                "LimitNOFILE= in the systemd unit"
            )
        if not accepted and self._names:  # nothing else is about to be closed
            # The newest one: those that have long been served keep their messages.
            self._use_socket(next(reversed(self._names)), _shut_down)

    def _use_socket(self, connection: int, use: Callable[[socket.socket], _T]) -> _T | None:
        """Call `use` with the socket of a connection; return None if the connection has ended.

        An event can be read when the connection has ended and its number has been given to another
        file, such as the link to a BMS. So the local end has to be one of our endpoints.
        """
        try:
            sock = socket.socket(fileno=connection)
        except OSError:
            return None
        try:
            name = sock.getsockname()
            local = name[1] if isinstance(name, tuple) else name
            return use(sock) if local in self._local_names else None
        except OSError:
            return None
        finally:
            sock.detach()  # it stays libzmq's

    def _adapt_hwm(self) -> None:
        """Let the queues of all subscribers together hold `_QUEUED` messages, or one queue hwm."""
        share = max(_QUEUED, self._max_hwm) // max(1, len(self._names))
        # A power of two, because each change is a command to each connection.
        hwm = self._max_hwm if share >= self._max_hwm else 1 << (share.bit_length() - 1)
        if hwm != self._hwm:
            self._hwm = hwm
            self._pub.set(zmq.SNDHWM, hwm)


def local_user(address: str) -> str:
    """Return the user of a Unix socket's client; an empty text if this is an IP address.

    libzmq names such a client by its user, group and process: `:1000:1000:4711`.
    """
    match = _LOCAL.fullmatch(address)
    return match[1] if match else ""


def plain_address(address: str) -> str:
    """Return an IPv4 address that came to an IPv6 socket as IPv4."""
    return address.removeprefix("::ffff:")


def _why_failed(error: int) -> str:
    if error == zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
        return "it has another server key than this service"
    # Either side closes the connection when it sees that the other uses another mechanism.
    return "it does not use CURVE, or went away during the handshake"


def _local_name(endpoint: str) -> int | str | bytes:
    """Return what identifies the local end of a connection to this endpoint: its port or path."""
    if endpoint.startswith("tcp:"):
        return int(endpoint.rpartition(":")[2])
    path = endpoint.removeprefix("ipc://")
    return b"\0" + path[1:].encode() if path.startswith("@") else path


def _peer_of(sock: socket.socket) -> str:
    """Return who is connected, with a preposition; nothing if that cannot be found out."""
    if sock.family != socket.AF_UNIX:
        return f"from {plain_address(str(sock.getpeername()[0]))}"
    if not hasattr(socket, "SO_PEERCRED"):  # macOS
        return ""
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return f"of user {struct.unpack('3i', credentials)[1]}"


def _shut_down(sock: socket.socket) -> bool:
    sock.shutdown(socket.SHUT_RDWR)
    return True
