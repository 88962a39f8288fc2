"""Frames from a BMS's websocket: connects, reads, reconnects for ever, and never sends any data.

What the module at the other end can bear decides the settings: it is a small embedded server, so
no compression, a ping no more often than every 30 s, and delays between connections that grow.
"""

import asyncio
import contextlib
import ssl
from importlib.util import find_spec
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
    PayloadTooBig,
    ProxyError,
    SecurityError,
)
from websockets.proxy import parse_proxy
from websockets.uri import parse_uri

from recbms_zmq.clock import Instant
from recbms_zmq.errors import UsageError
from recbms_zmq.sources import LiveSource, Receiver
from recbms_zmq.sources.backoff import Backoff
from recbms_zmq.sources.network import OPEN_TIMEOUT, explain_failure, require_fingerprint
from recbms_zmq.text import masked
from recbms_zmq.wire.redaction import redact_text

PING_INTERVAL: Final = 30.0
TURN: Final = 16
"""Frames that are taken before others have their turn: `recv` does not wait while there are more,
and one flooding BMS must not keep the rest waiting."""
CLOSE_TIMEOUT: Final = 0.1  # for the other side's goodbye; it must not delay our exit


class WebSocketSource(LiveSource):
    """The frames of `ws://HOST/ws`.

    Args:
        url: `ws://` or `wss://`.
        silence: seconds without any message after which the connection is renewed.
        max_frame: bytes; the library closes a connection that sends a longer message.
        tls: for `wss://`, made by `network.tls_context`; None for the system's authorities.
        fingerprint: SHA-256 of the only certificate to accept, lower-case hex.
        proxy: URL of an HTTP or SOCKS proxy.
        spread: seconds over which a fleet comes back after an outage.

    Raises:
        UsageError: an address is wrong, or the pinned certificate would not be looked at.

    """

    sends_settings = True

    def __init__(
        self,
        url: str,
        *,
        silence: float = 30.0,
        max_frame: int = 2**20,
        tls: ssl.SSLContext | None = None,
        fingerprint: str | None = None,
        proxy: str | None = None,
        spread: float = 0.0,
    ) -> None:
        _check(url, proxy, fingerprint)
        self._url = url
        self._silence = silence
        self._backoff = Backoff(spread)
        self._arguments: dict[str, Any] = {
            "compression": None,
            "max_size": max_frame,
            "open_timeout": OPEN_TIMEOUT,
            "ping_interval": PING_INTERVAL,
            "ping_timeout": PING_INTERVAL,
            "close_timeout": CLOSE_TIMEOUT,
            "proxy": proxy,
            "reconnect_delays": lambda: self._backoff.delays,
        }
        if tls is not None:
            self._arguments["ssl"] = tls
        if fingerprint is not None:
            self._arguments["create_connection"] = _pinned(fingerprint)

    async def run(self, receiver: Receiver) -> None:
        """Deliver until cancelled."""

        def note(exc: Exception) -> None:
            # None of these is fatal: what is wrong with a module now may be right tomorrow.
            receiver.disconnected(explain(exc), Instant.now())

        connections = aiter(connect(self._url, process_exception=note, **self._arguments))
        async with contextlib.aclosing(connections):  # type: ignore[type-var]
            async for connection in connections:
                receiver.connected(Instant.now())
                try:
                    reason = await self._read(connection, receiver)
                except asyncio.CancelledError:
                    await connection.close()  # else the library says "internal error"
                    raise
                receiver.disconnected(reason, Instant.now())
                # The library would reconnect at once after a connection that worked.
                await asyncio.sleep(next(self._backoff.delays))

    async def _read(self, connection: ClientConnection, receiver: Receiver) -> str:
        """Deliver the messages of one connection; return why it ended."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        silent = proven = False
        turn = 0
        watch: asyncio.TimerHandle

        def renew_if_silent() -> None:
            nonlocal silent, watch
            left = last + self._silence - loop.time()
            if left <= 0:
                silent = True
                connection.transport.abort()
            else:
                watch = loop.call_later(left, renew_if_silent)

        watch = loop.call_later(self._silence, renew_if_silent)
        try:
            while True:
                # As bytes: the decoder checks UTF-8 where it matters, once.
                data = await connection.recv(decode=False)
                now = Instant.now()
                last = loop.time()
                if receiver.received(data, now) and not proven:
                    proven = True
                    self._backoff.reset()
                turn += 1
                if not turn % TURN:
                    await asyncio.sleep(0)
        except ConnectionClosed as exc:
            return f"nothing came for {self._silence:g} s" if silent else explain(exc)
        finally:
            watch.cancel()


def _check(url: str, proxy: str | None, fingerprint: str | None) -> None:
    """Refuse what would fail at every single connection, or be overlooked."""
    try:
        secure = parse_uri(url).secure
    except (InvalidURI, ValueError) as exc:
        raise UsageError(f"{masked(url)} is no address of a websocket: {_why(exc)}") from exc
    if fingerprint is not None and not secure:
        raise UsageError(f"--tls-fingerprint: {masked(url)} has no certificate, only wss:// has")
    try:
        is_socks = proxy is not None and parse_proxy(proxy).scheme.startswith("socks")
    except (InvalidProxy, ValueError) as exc:
        raise UsageError(f"--proxy: {masked(proxy or '')} is no proxy: {_why(exc)}") from exc
    if is_socks and find_spec("python_socks") is None:
        raise UsageError("--proxy: SOCKS needs the package python-socks (pip install python-socks)")


def _why(exc: Exception) -> str:
    """Return what the library says, without the address in it."""
    return getattr(exc, "msg", "") or "a part of it is not valid"


def _pinned(fingerprint: str) -> type[ClientConnection]:
    """Make connections that go on only if the certificate is the one that is expected."""

    class PinnedConnection(ClientConnection):
        async def handshake(self, *args: Any, **kwargs: Any) -> None:
            require_fingerprint(self.transport, fingerprint)
            await super().handshake(*args, **kwargs)

    return PinnedConnection


def explain(exc: BaseException) -> str:
    """Say in a few words why there is no connection, and never the URL: it may hold secrets."""
    if isinstance(exc, ConnectionClosed):
        if isinstance(exc.__cause__, PayloadTooBig) or (exc.sent and exc.sent.code == 1009):
            return "connection closed: a message was longer than --max-frame"
        return (
            f"connection closed by the BMS (code {exc.rcvd.code})"
            if exc.rcvd
            else ("connection lost")
        )
    if isinstance(exc, InvalidURI):
        return "the BMS redirects to an address that is not ws:// or wss://"
    if isinstance(exc, InvalidHandshake):
        return redact_text(_explain_handshake(exc))[:200]  # the library quotes headers
    if isinstance(exc, OSError):
        return explain_failure(exc)
    return f"no connection ({type(exc).__name__})"


def _explain_handshake(exc: InvalidHandshake) -> str:
    if isinstance(exc, InvalidStatus):
        return f"the BMS answered with HTTP status {exc.response.status_code}"
    if isinstance(exc, ProxyError):
        return f"the proxy gives no connection: {exc}"
    if isinstance(exc, InvalidMessage | SecurityError):
        return "the BMS gave no valid answer"
    return f"the BMS does not speak websocket: {exc}"
