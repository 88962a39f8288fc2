"""Frames of a BMS's websocket: connects, reads, reconnects for ever, and never sends any data.

The module is a small embedded server: so no compression, a ping at most every 30 s, and growing
delays between connections.
"""

import asyncio
import contextlib
import logging
import ssl
from functools import partial
from importlib.util import find_spec
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
    PayloadTooBig,
    ProtocolError,
    ProxyError,
    SecurityError,
)
from websockets.proxy import parse_proxy
from websockets.uri import parse_uri

from recbms_zmq.clock import Instant
from recbms_zmq.config.program import install_command
from recbms_zmq.errors import InvalidResponse, UsageError
from recbms_zmq.sources import LiveSource, Receiver
from recbms_zmq.sources.backoff import Backoff
from recbms_zmq.sources.connection import CLOSE_TIMEOUT, BmsConnection
from recbms_zmq.sources.network import (
    MAX_REDIRECTS,
    NEXT_ADDRESS,
    OPEN_TIMEOUT,
    REDIRECTS,
    explain_failure,
    follow_redirect,
    shown_target,
    tls_context,
)
from recbms_zmq.text import masked, printable, without_logins
from recbms_zmq.wire.redaction import redact_text

_log = logging.getLogger(__name__)


class WebSocketSource(LiveSource):
    """The frames of `ws://HOST/ws`.

    Args:
        url: `ws://` or `wss://`.
        silence: seconds without any message after which the connection is renewed.
        max_frame: bytes; a connection that sends a longer message is closed.
        tls: for `wss://`, made by `network.tls_context`; None for the system's authorities.
        fingerprint: SHA-256 of the only certificate to accept, lower-case hex.
        proxy: URL of an HTTP or SOCKS proxy.
        spread: seconds over which a fleet comes back after an outage.

    Raises:
        UsageError: an address is wrong.

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
        _check(url, proxy)
        self._url = url
        self._silence = silence
        self._fingerprint = fingerprint
        self._backoff = Backoff(spread)
        self._options: dict[str, Any] = {
            "compression": None,
            "max_size": max_frame,
            "open_timeout": OPEN_TIMEOUT,
            "happy_eyeballs_delay": NEXT_ADDRESS,
            "ping_interval": None,  # `BmsConnection` has pings of its own
            "close_timeout": CLOSE_TIMEOUT,
            "proxy": proxy,
            # The same delays each time: the library asks for new ones after every connection.
            "reconnect_delays": lambda: self._backoff.delays,
        }
        if tls is not None:
            self._options["ssl"] = tls

    async def run(self, receiver: Receiver) -> None:
        """Deliver until cancelled."""

        def failed(exc: Exception) -> None:
            # None of these is fatal: what is wrong with a module now may be right tomorrow. To the
            # library, returning None means: try again.
            receiver.disconnected(explain(exc), Instant.now())

        create = partial(
            BmsConnection,
            owner=_Delivery(receiver, self._backoff),
            silence=self._silence,
            fingerprint=self._fingerprint,
        )
        connections = aiter(
            _Connector(
                self._url, process_exception=failed, create_connection=create, **self._options
            )
        )
        async with contextlib.aclosing(connections):  # type: ignore[type-var]
            async for connection in connections:
                assert isinstance(connection, BmsConnection)
                try:
                    await connection.wait_closed()
                except asyncio.CancelledError:
                    try:
                        await connection.close()  # else the library sends "internal error"
                    finally:
                        # Before Python 3.11.3 asyncio's timeout does not work in a task that is
                        # being cancelled, so the library does not get to do this.
                        connection.transport.abort()
                    raise
                if connection.error is not None:
                    raise connection.error
                reason = connection.reason or explain(connection.protocol.close_exc)
                receiver.disconnected(reason, Instant.now())
                # The library would reconnect at once after a connection that worked.
                await asyncio.sleep(next(self._backoff.delays))


class _Delivery:
    """From a connection to the receiver, with the times."""

    def __init__(self, receiver: Receiver, backoff: Backoff) -> None:
        self._receiver = receiver
        self._backoff = backoff

    def opened(self) -> None:
        self._receiver.connected(Instant.now())

    def message(self, data: bytes) -> None:
        if self._receiver.received(data, Instant.now()):
            self._backoff.reset()


class _Connector(connect):
    """Connects, and follows redirects on the same server only."""

    def __init__(self, uri: str, **options: Any) -> None:
        super().__init__(uri, **options)
        self._first_uri = uri
        self._hops = 0
        self._logged = ""

    async def connect(self) -> ClientConnection:
        """Connect to the address that was given, wherever it has redirected to before."""
        self._hops = 0
        self._go_to(self._first_uri)
        return await super().connect()

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Return the address to go on with, or why there is none."""
        if not isinstance(exc, InvalidStatus) or exc.response.status_code not in REDIRECTS:
            return exc
        # Two of the same header are a LookupError.
        location = next(iter(exc.response.headers.get_all("Location")), None)
        if location is None:
            return exc
        self._hops += 1
        if self._hops > MAX_REDIRECTS:
            return InvalidResponse(f"the BMS redirects more than {MAX_REDIRECTS} times")
        try:
            target = follow_redirect(self.uri, location)
            self._go_to(target)
        except (InvalidResponse, InvalidURI, ValueError) as error:
            return error
        if target != self._logged:
            self._logged = target
            _log.info("%s redirects to %s", masked(self._first_uri), shown_target(target))
        return target

    def _go_to(self, uri: str) -> None:
        self.uri = uri
        self.ws_uri = parse_uri(uri)
        if self.ws_uri.secure:
            # One context for all that have no options; the library would make one each time.
            self.create_connection_kwargs.setdefault("ssl", tls_context(None, pinned=False))
        else:
            self.create_connection_kwargs.pop("ssl", None)


def _check(url: str, proxy: str | None) -> None:
    """Refuse an address that can never work."""
    try:
        parse_uri(url)
    except (InvalidURI, ValueError) as exc:
        raise UsageError(f"{masked(url)} is not the address of a websocket: {_why(exc)}") from exc
    try:
        is_socks = proxy is not None and parse_proxy(proxy).scheme.startswith("socks")
    except (InvalidProxy, ValueError) as exc:
        raise UsageError(
            f"--proxy: {without_logins(proxy or '')} is not a proxy: {_why(exc)}"
        ) from exc
    if is_socks and find_spec("python_socks") is None:
        command = install_command("python-socks")
        raise UsageError(f"--proxy: SOCKS needs the package python-socks: {command}")


def _why(exc: Exception) -> str:
    """Return the reason of the library, without the address in it."""
    return getattr(exc, "msg", "") or "a part of it is not valid"


def explain(exc: BaseException) -> str:
    """Return why there is no connection: a few words, never empty, without the URL's secrets."""
    if isinstance(exc, ConnectionClosed):
        return redact_text(printable(_explain_closed(exc)))[:200]
    if isinstance(exc, InvalidURI):
        return "the BMS redirects to an address that is not valid"
    if isinstance(exc, InvalidHandshake):
        return redact_text(printable(_explain_handshake(exc)))[:200]  # the library quotes headers
    if isinstance(exc, InvalidResponse):
        return str(exc)
    if isinstance(exc, OSError):
        return explain_failure(exc)
    return f"no connection ({type(exc).__name__})"


def _explain_closed(exc: ConnectionClosed) -> str:
    error = exc.__cause__
    if isinstance(error, PayloadTooBig):
        return "connection closed: a message was longer than --max-frame"
    if isinstance(error, ProtocolError | UnicodeError):
        return f"connection closed: the BMS broke the websocket protocol: {error}".rstrip(": ")
    if exc.rcvd is None:
        return "connection lost"
    # Code, meaning, and the BMS's own words.
    return f"connection closed by the BMS, code {exc.rcvd}"


def _explain_handshake(exc: InvalidHandshake) -> str:
    if isinstance(exc, InvalidStatus):
        return f"the BMS answered with HTTP status {exc.response.status_code}"
    if isinstance(exc, ProxyError):
        return f"the proxy gives no connection: {exc}".rstrip(": ")
    if isinstance(exc, InvalidMessage | SecurityError):
        return "the BMS gave no valid answer"
    return f"the BMS does not speak websocket: {exc}".rstrip(": ")
