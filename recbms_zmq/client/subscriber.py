"""A SUB socket as `listen`, `check` and `monitor` use it, with CURVE and a monitor."""

import contextlib
import os
import struct
from collections.abc import Sequence
from typing import Final, Self

import zmq

from recbms_zmq.config import readers
from recbms_zmq.config.option import read_argument
from recbms_zmq.errors import ConfigError, UsageError

_RECEIVE_HWM: Final = 100_000
"""Messages that may wait here: a service replays the state of all its packs at once."""

_RECONNECT_MS: Final = 100
_MAX_RECONNECT_MS: Final = 2_000
"""A restarted service is found within this time; an absent one costs little."""

_HEARTBEAT_MS: Final = 5_000
_HEARTBEAT_TIMEOUT_MS: Final = 15_000
"""A machine that lost power closes no connection: without heartbeats it would seem connected."""

LONGEST_WAIT: Final = 86_400.0
"""Seconds of one poll. pyzmq takes milliseconds as an int of C: 25 days are too many."""

_DESCRIPTORS: Final = 8
"""File descriptors of a context with two sockets and one connection."""

_REFUSED: Final = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)


class Subscriber:
    """A SUB socket, and the monitor of its connections.

    Args:
        context: the socket's context.
        server_key: path of the service's public key; None for no encryption.
        secret_key: path of this client's key; None for a new one.

    Attributes:
        socket: the SUB socket; not connected yet.
        events: the monitor; `read_event` reads from it.

    Raises:
        UsageError: a key of this client, but none of the service.
        ConfigError: a key file cannot be used, or too few files may be open.

    """

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        server_key: str | None = None,
        secret_key: str | None = None,
    ) -> None:
        keys = _read_keys(server_key, secret_key)  # before the socket, which a mistake would leave
        _require_descriptors()
        self.socket = context.socket(zmq.SUB)
        self.socket.set(zmq.LINGER, 0)
        self.socket.set(zmq.RCVHWM, _RECEIVE_HWM)
        self.socket.set(zmq.RECONNECT_IVL, _RECONNECT_MS)
        self.socket.set(zmq.RECONNECT_IVL_MAX, _MAX_RECONNECT_MS)
        self.socket.set(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
        self.socket.set(zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS)
        for option, key in keys.items():
            self.socket.set(option, key)
        # Before connecting: a service that refused the connection may report it only once.
        self.events = self.socket.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | _REFUSED
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self, endpoint: str) -> None:
        """Connect to one more service.

        Raises:
            UsageError: libzmq does not accept the endpoint.

        """
        # With IPV6 set, libzmq resolves localhost to ::1, where no service is by default.
        self.socket.set(zmq.IPV6, 1 if "[" in endpoint else 0)
        try:
            self.socket.connect(endpoint)
        except zmq.ZMQError as exc:
            why = zmq.strerror(exc.errno or 0)
            raise UsageError(f"cannot connect to {endpoint}: {why}") from exc

    def read_event(self) -> tuple[bool, str, str]:
        """Read one event of the monitor.

        Returns:
            Whether a service is connected now; if it refused this client, why, else an empty text;
            and the endpoint.

        """
        data, endpoint = self.events.recv_multipart()
        # Not by `zmq.utils.monitor`: it imports zmq.asyncio, which doubles the time to start.
        event, _ = struct.unpack("=HI", data)
        connected = event == zmq.EVENT_HANDSHAKE_SUCCEEDED
        return connected, _why_refused(event), endpoint.decode("ascii", "replace")

    def close(self) -> None:
        """Close both sockets."""
        # In this order: libzmq's I/O thread blocks on a monitor whose reader is closed.
        self.socket.disable_monitor()
        self.events.close(linger=0)
        self.socket.close()


def why_silent(endpoints: Sequence[str], topics: Sequence[str], *, connected: bool) -> str:
    """Return why nothing may have come for a while, and what to do, as a sentence.

    Args:
        endpoints: those that are subscribed to.
        topics: beginnings of topics that are subscribed to.
        connected: whether a service is there.

    """
    where = ", ".join(endpoints)
    if not connected:
        # A service is bound to loopback unless it is asked for more.
        is_here = all(map(readers.is_loopback, endpoints))
        opened = "" if is_here else ", with --publish for other machines"
        return f"no service answers at {where}; is recbms-zmq run running there{opened}?"
    wanted = [topic for topic in topics if topic]
    if wanted:
        return f"connected to {where}, but no topic begins with {' or '.join(wanted)} yet"
    return f"connected to {where}, but nothing is published there yet"


def _require_descriptors() -> None:
    """See that there are enough file descriptors: without one, libzmq aborts the process.

    Raises:
        ConfigError: there are too few.

    """
    with contextlib.ExitStack() as stack:
        try:
            for _ in range(_DESCRIPTORS):
                stack.callback(os.close, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as exc:
            raise ConfigError(
                f"ZeroMQ takes {_DESCRIPTORS} open files, and fewer are left; raise the limit with "
                "`ulimit -n 64`"
            ) from exc


def _why_refused(event: int) -> str:
    if not event & _REFUSED:
        return ""
    if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
        return "this key or address is not allowed"
    return "it requires CURVE, or --curve-server-key is not its key"


def _read_keys(server_key: str | None, secret_key: str | None) -> dict[int, bytes]:
    if server_key is None:
        if secret_key is not None:
            raise UsageError(
                "--curve-secret-key: the service's key is needed too: --curve-server-key FILE"
            )
        return {}
    from recbms_zmq import curve  # with zmq.auth, which only encryption needs

    server = read_argument("--curve-server-key", readers.path, server_key)
    secret = read_argument("--curve-secret-key", readers.path, secret_key)
    public = curve.read_public(server)
    pair = curve.KeyPair(*zmq.curve_keypair()) if secret is None else curve.read_secret(secret)
    return {
        zmq.CURVE_SERVERKEY: public,
        zmq.CURVE_PUBLICKEY: pair.public,
        zmq.CURVE_SECRETKEY: pair.secret,
    }
