"""Frames of older module firmware, which has no websocket: polls `http://HOST/cell`.

One request per connection, one at a time, and no proxy. The responses are read by the HTTP parser
of `websockets`, in pieces, over a connection of asyncio. `http.client` would need a thread for each
request: 102 threads while 100 BMS do not answer, where a systemd unit may allow 16.
"""

import asyncio
import logging
import ssl
from base64 import b64encode
from collections.abc import Generator
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from websockets.exceptions import WebSocketException
from websockets.http11 import Response, read_body
from websockets.streams import StreamReader

from recbms_zmq.clock import Instant
from recbms_zmq.errors import InvalidResponse
from recbms_zmq.sources import LiveSource, Receiver
from recbms_zmq.sources.backoff import Backoff
from recbms_zmq.sources.network import (
    MAX_REDIRECTS,
    NEXT_ADDRESS,
    OPEN_TIMEOUT,
    REDIRECTS,
    explain_failure,
    follow_redirect,
    require_fingerprint,
    shown_target,
    tls_context,
)
from recbms_zmq.text import masked
from recbms_zmq.version import __version__

_PIECE: Final = 2**12
"""Bytes that are parsed in one turn of the event loop: a chunk of one byte takes some 10 us."""
_MAX_FRAMING: Final = 2**17
"""Bytes beside the content: status line, headers, and the sizes of a few thousand chunks."""

_log = logging.getLogger(__name__)


class HttpSource(LiveSource):
    """The frames of `http://HOST/cell`. A request may take `OPEN_TIMEOUT` in all.

    Args:
        url: `http://` or `https://`; a user and password in it are sent as basic authentication.
        interval: seconds from one request to the next.
        max_frame: bytes of the longest response; the parser takes 1 MiB at most.
        tls: for `https://`, made by `network.tls_context`; None for the system's authorities.
        fingerprint: SHA-256 of the only certificate to accept, lower-case hex.
        spread: seconds over which a fleet comes back after an outage.

    """

    sends_settings = False

    def __init__(
        self,
        url: str,
        *,
        interval: float = 10.0,
        max_frame: int = 2**20,
        tls: ssl.SSLContext | None = None,
        fingerprint: str | None = None,
        spread: float = 0.0,
    ) -> None:
        self._url = url
        self._logged = ""
        self._interval = interval
        self._max_frame = max_frame
        self._tls = tls
        self._fingerprint = fingerprint
        self._backoff = Backoff(spread)

    async def run(self, receiver: Receiver) -> None:
        """Deliver until cancelled."""
        loop = asyncio.get_running_loop()
        is_connected = False
        while True:
            began = loop.time()
            reason = await self._poll(receiver, is_connected)
            is_connected = reason is None
            if reason is None:
                await asyncio.sleep(began + self._interval - loop.time())
            else:
                receiver.disconnected(reason, Instant.now())
                await asyncio.sleep(next(self._backoff.delays))

    async def _poll(self, receiver: Receiver, is_connected: bool) -> str | None:
        """Make one request; return what was wrong."""
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                data = await self._get()
        except InvalidResponse as exc:
            return str(exc)
        except OSError as exc:  # TimeoutError is one too
            return explain_failure(exc)
        now = Instant.now()
        if not is_connected:
            receiver.connected(now)
        if not receiver.received(data, now):
            return "the answer is not a frame of a BMS"
        self._backoff.reset()
        return None

    async def _get(self) -> bytes:
        """Return the content at the address, or where it redirects to."""
        url = self._url
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._request(url)
            location = next(iter(response.headers.get_all("Location")), None)
            if response.status_code not in REDIRECTS or location is None:
                return content(response)
            url = follow_redirect(url, location)
            if url != self._logged:
                self._logged = url
                _log.info("%s redirects to %s", masked(self._url), shown_target(url))
        raise InvalidResponse(f"the BMS redirects more than {MAX_REDIRECTS} times")

    async def _request(self, url: str) -> Response:
        parts = urlsplit(url)
        is_secure = parts.scheme == "https"
        tls = (self._tls or tls_context(None, pinned=False)) if is_secure else None
        port = parts.port or (443 if is_secure else 80)
        reader, writer = await asyncio.open_connection(
            parts.hostname, port, ssl=tls, limit=_PIECE, happy_eyeballs_delay=NEXT_ADDRESS
        )
        try:
            if self._fingerprint is not None:
                require_fingerprint(writer.transport, self._fingerprint)
            writer.write(_request(url))
            return await read_response(reader, self._max_frame)
        finally:
            writer.transport.abort()  # everything is read, or not wanted: nothing to wait for


def _request(url: str) -> bytes:
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    lines = [
        f"GET {quote(parts.path or '/', safe='/%:@!$&()*+,;=~')}"
        + (f"?{quote(parts.query, safe='/%:@!$&()*+,;=~?')}" if parts.query else "")
        + " HTTP/1.1",
        f"Host: {host.encode('idna').decode() if not host.isascii() else host}",
        f"User-Agent: recbms-zmq/{__version__}",
        "Accept: application/json",
        "Accept-Encoding: identity",  # the parser unpacks nothing
        "Connection: close",  # a body without a length ends with its connection
    ]
    if at:
        name, _, password = user.partition(":")
        secret = b64encode(f"{unquote(name)}:{unquote(password)}".encode())
        lines.append(f"Authorization: Basic {secret.decode()}")
    return "\r\n".join([*lines, "", ""]).encode()


def content(response: Response) -> bytes:
    """Return what a response holds.

    Raises:
        InvalidResponse: its status is not 200.

    """
    if response.status_code != 200:
        raise InvalidResponse(f"the BMS answered with HTTP status {response.status_code}")
    return bytes(response.body)


async def read_response(reader: asyncio.StreamReader, limit: int) -> Response:
    """Read an HTTP/1 response, its content only if its status is 200.

    Args:
        reader: of the connection.
        limit: bytes of the content.

    Raises:
        InvalidResponse: it is not HTTP, too long or incomplete.
        OSError: the connection failed.

    """
    stream = StreamReader()
    parser = _parse(stream, limit)
    unread = limit + _MAX_FRAMING
    try:
        while unread >= 0:
            next(parser)
            data = await reader.read(_PIECE)
            unread -= len(data)
            stream.feed_data(data) if data else stream.feed_eof()
            await asyncio.sleep(0)  # `read` does not yield while there is more
    except StopIteration as end:
        response: Response = end.value
        return response
    except (ValueError, EOFError, LookupError, NotImplementedError, WebSocketException) as exc:
        raise InvalidResponse("the BMS gave no valid answer") from exc
    raise InvalidResponse(_TOO_LONG)


_TOO_LONG: Final = "the answer was longer than --max-frame"


def _parse(stream: StreamReader, limit: int) -> Generator[None, None, Response]:
    """Read one response, and what a server may send in front of it (`100 Continue`)."""

    def read_line(most: int, error: type[Exception]) -> Generator[None, None, bytes]:
        line = yield from stream.read_line(most, error)
        # A small server may end its lines without the carriage return that the parser wants.
        return bytes(line) if line.endswith(b"\r\n") else bytes(line[:-1]) + b"\r\n"

    status = 100
    while status < 200:
        # As for a proxy: HTTP/1.0 is good enough, and the content can wait for its length.
        response = yield from Response.parse(
            read_line, stream.read_exact, stream.read_to_eof, proxy=True
        )
        status = response.status_code
    headers = response.headers
    if status == 200:
        length = headers.get("Content-Length", "")
        # Refused before it is read. Python refuses to convert more than 4300 digits: those, and
        # what is no number, are left to the parser.
        if length.isdecimal() and len(length) < 20 and int(length) > limit:
            raise InvalidResponse(_TOO_LONG)
        response.body = yield from read_body(
            status, headers, read_line, stream.read_exact, stream.read_to_eof
        )
        if len(response.body) > limit:
            raise InvalidResponse(_TOO_LONG)
    return response
