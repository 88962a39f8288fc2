"""Frames of older module firmware, which has no websocket: `GET http://HOST/cell` now and then.

One request a connection, never a second one while the first is out, no redirect and no proxy. The
standard library's own client blocks, and a thread for each of a thousand BMS is not light; so the
connection is asyncio's, and `http.client` reads the headers.
"""

import asyncio
import http.client
import io
import re
import ssl
from base64 import b64encode
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from recbms_zmq.clock import Instant
from recbms_zmq.errors import InvalidResponse
from recbms_zmq.sources import LiveSource, Receiver
from recbms_zmq.sources.backoff import Backoff
from recbms_zmq.sources.network import OPEN_TIMEOUT, explain_failure, require_fingerprint
from recbms_zmq.version import __version__

_LONGEST_HEAD: Final = 2**16
_DIGITS: Final = re.compile(r"[0-9A-Fa-f]{1,16}")
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] (\d{3})(?: .*)?\r?\n")


class HttpSource(LiveSource):
    """The frames of `http://HOST/cell`. A request may take `OPEN_TIMEOUT` in all.

    Args:
        url: `http://` or `https://`; a user and password in it are sent (basic authentication).
        interval: seconds from one request to the next.
        max_frame: bytes; a longer answer is given up.
        tls: for `https://`, made by `network.tls_context`.
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
        parts = urlsplit(url)
        assert parts.hostname is not None  # `values.source` has refused an URL without a host
        self._host = parts.hostname
        self._port = parts.port or (80 if tls is None else 443)
        self._request = _request(url)
        self._interval = interval
        self._max_frame = max_frame
        self._tls = tls
        self._fingerprint = fingerprint
        self._backoff = Backoff(spread)

    async def run(self, receiver: Receiver) -> None:
        """Deliver until cancelled."""
        loop = asyncio.get_running_loop()
        linked = False
        while True:
            began = loop.time()
            reason, linked = await self._poll(receiver, linked)
            if reason is None:
                await asyncio.sleep(began + self._interval - loop.time())
            else:
                linked = False
                receiver.disconnected(reason, Instant.now())
                await asyncio.sleep(next(self._backoff.delays))

    async def _poll(self, receiver: Receiver, linked: bool) -> tuple[str | None, bool]:
        """Ask once; return what was wrong, and whether the receiver knows of a link."""
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                data = await self._fetch()
        except InvalidResponse as exc:
            return str(exc), linked
        except OSError as exc:
            return explain_failure(exc), linked
        now = Instant.now()
        if not linked:
            receiver.connected(now)
        if not receiver.received(data, now):
            return "the answer is not a frame of a BMS", True
        self._backoff.reset()
        return None, True

    async def _fetch(self) -> bytes:
        reader, writer = await asyncio.open_connection(
            self._host, self._port, ssl=self._tls, limit=_LONGEST_HEAD, happy_eyeballs_delay=0.25
        )
        try:
            if self._fingerprint is not None:
                require_fingerprint(writer.transport, self._fingerprint)
            writer.write(self._request)
            return await read_answer(reader, self._max_frame)
        finally:
            writer.transport.abort()  # all was read, or is not wanted: nothing to wait for


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
        "Accept-Encoding: identity",
        "Connection: close",
    ]
    if at:
        name, _, password = user.partition(":")
        secret = b64encode(f"{unquote(name)}:{unquote(password)}".encode())
        lines.append(f"Authorization: Basic {secret.decode()}")
    return "\r\n".join([*lines, "", ""]).encode()


async def read_answer(reader: asyncio.StreamReader, limit: int) -> bytes:
    """Read an HTTP/1 answer; return its content, at most `limit` bytes.

    Raises:
        InvalidResponse: it is no HTTP, has another status than 200, is too long or not whole.
        OSError: the connection failed.

    """
    try:
        return await _read_answer(reader, limit)
    except (ValueError, EOFError, http.client.HTTPException) as exc:
        raise InvalidResponse("the BMS gave no valid answer") from exc


async def _read_answer(reader: asyncio.StreamReader, limit: int) -> bytes:
    status = _STATUS_LINE.fullmatch(await reader.readline())
    if status is None:
        raise http.client.BadStatusLine("")
    if status[1] != b"200":
        elsewhere = ", which points elsewhere" if status[1].startswith(b"3") else ""
        raise InvalidResponse(f"the BMS answered with HTTP status {status[1].decode()}{elsewhere}")
    headers = await _read_headers(reader)
    if headers.get("Transfer-Encoding", "identity").lower() != "identity":
        return await _read_chunks(reader, limit)
    length = headers.get("Content-Length")
    if length is None:
        return await _read_to_the_end(reader, limit)
    return await reader.readexactly(_checked(length, 10, limit))


async def _read_headers(reader: asyncio.StreamReader) -> http.client.HTTPMessage:
    head = io.BytesIO()
    while (line := await reader.readline()) not in (b"\r\n", b"\n"):
        head.write(line)
        if not line or head.tell() > _LONGEST_HEAD:
            raise http.client.HTTPException
    head.seek(0)
    return http.client.parse_headers(head)


async def _read_chunks(reader: asyncio.StreamReader, limit: int) -> bytes:
    content = bytearray()
    while size := _checked((await reader.readline()).partition(b";")[0].decode(), 16, limit):
        _check_length(len(content) + size, limit)
        content += await reader.readexactly(size)
        if await reader.readline() not in (b"\r\n", b"\n"):
            raise http.client.HTTPException
    return bytes(content)


async def _read_to_the_end(reader: asyncio.StreamReader, limit: int) -> bytes:
    content = bytearray()
    while part := await reader.read(_LONGEST_HEAD):
        content += part
        _check_length(len(content), limit)
    return bytes(content)


def _checked(length: str, base: int, limit: int) -> int:
    """Read a length. Not all that Python takes for a number is one: `1_0`, `+5`, `0x5`."""
    if not _DIGITS.fullmatch(length.strip()):
        raise http.client.HTTPException
    _check_length(int(length, base), limit)
    return int(length, base)


def _check_length(length: int, limit: int) -> None:
    if length > limit:
        raise InvalidResponse("the answer was longer than --max-frame")
