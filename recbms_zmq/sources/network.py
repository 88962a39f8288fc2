"""What the sources that connect over a network share: TLS, redirects, and failures in words."""

import asyncio
import errno
import hashlib
import os
import re
import socket
import ssl
from asyncio import sslproto
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from recbms_zmq.errors import InvalidResponse
from recbms_zmq.text import printable, shortened, without_logins
from recbms_zmq.wire.redaction import redact_text

OPEN_TIMEOUT: Final = 10.0
"""Seconds for a connection to be made, with the look-up of its name, or for an HTTP request."""
NEXT_ADDRESS: Final = 0.25
"""Seconds after which the next address of a name is tried, too: one that does not answer, such as
an IPv6 address without a route, would use up `OPEN_TIMEOUT` each time."""
REDIRECTS: Final = (300, 301, 302, 303, 307, 308)  # 304 to 306 name no other place
MAX_REDIRECTS: Final = 3
"""Redirects in a row: from `/ws` to `/ws/`, and from there to TLS, are two."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}

# asyncio reserves 256 KiB for the reads of each TLS connection: four times what all the rest of a
# BMS takes. A frame of a small pack fits into 4 KiB; a longer TLS record takes several reads. A
# flood costs as much as with 16 or 64 KiB.
sslproto.SSLProtocol.max_size = 2**12


@lru_cache  # it takes 20 ms to make, and 800 KiB with the certificates of the system
def tls_context(ca_file: str | None, *, pinned: bool) -> ssl.SSLContext:
    """Make the TLS settings for `wss://` and `https://`.

    Args:
        ca_file: certificates to trust instead of the system's, PEM.
        pinned: the certificate is checked by its fingerprint, and by nothing else.

    Raises:
        OSError: the file cannot be read, or holds no certificate.

    """
    context = ssl.create_default_context(cafile=ca_file)
    if pinned:
        # In this order: Python refuses CERT_NONE while the host name is checked.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def require_fingerprint(transport: asyncio.BaseTransport, fingerprint: str) -> None:
    """Check that the other side's certificate is the expected one.

    Raises:
        ssl.SSLError: it has another SHA-256 fingerprint, or there is none.

    """
    tls = transport.get_extra_info("ssl_object")
    if tls is None:
        raise ssl.SSLError(1, "the connection has no certificate")
    found = hashlib.sha256(tls.getpeercert(binary_form=True)).hexdigest()
    if found != fingerprint:
        raise ssl.SSLCertVerificationError(1, f"certificate has SHA-256 {found}")


def follow_redirect(url: str, location: str) -> str:
    """Return the address to which a redirect of the same server points.

    Only another path, or TLS instead of none: anything else would make every device that can answer
    in place of the BMS a way to other hosts of the network.

    Args:
        url: that was asked for, `ws`, `wss`, `http` or `https`.
        location: the header of the response; `http` in it means `ws` if `url` is a websocket's.

    Raises:
        InvalidResponse: it points to somewhere else.

    """
    old = urlsplit(url)
    scheme = "http" + ("s" if _is_secure(old) else "")
    try:
        new = urlsplit(urljoin(old._replace(scheme=scheme).geturl(), location))
        is_allowed = _is_same_server(old, new)
    except ValueError:  # a port that is no number, a bracket that is not closed
        is_allowed = False
    if not is_allowed:
        raise InvalidResponse(
            f"the BMS redirects to another server, which is refused: {shown_target(location)}"
        )
    family = old.scheme.removesuffix("s") if old.scheme in ("https", "wss") else old.scheme
    user, at, _ = old.netloc.rpartition("@")  # the same server: the password is still for it
    return new._replace(
        scheme=family + ("s" if _is_secure(new) else ""),
        netloc=user + at + new.netloc.rpartition("@")[2],
        fragment="",
    ).geturl()


def shown_target(location: str) -> str:
    """Return where a redirect points to, for the log: the BMS can put anything there."""
    return shortened(redact_text(printable(without_logins(location))))


def _is_secure(parts: SplitResult) -> bool:
    return parts.scheme in ("https", "wss")


def _is_same_server(old: SplitResult, new: SplitResult) -> bool:
    if new.hostname != old.hostname or new.scheme not in _DEFAULT_PORTS:
        return False
    ports = [parts.port or _DEFAULT_PORTS[parts.scheme] for parts in (old, new)]
    if _is_secure(new) == _is_secure(old):
        return ports[0] == ports[1]
    # To TLS: on the same port, or from the usual port to the usual port.
    return _is_secure(new) and (ports[0] == ports[1] or ports == [80, 443])


def explain_failure(exc: OSError) -> str:
    """Return why there is no connection: a few words, never empty, without the URL's secrets."""
    if isinstance(exc, ssl.SSLError):
        # Python's own have these, those of `require_fingerprint` only a text.
        words = getattr(exc, "verify_message", "") or getattr(exc, "reason", "") or exc.strerror
        return f"TLS failed: {words}"[:200] if words else "TLS failed"
    if isinstance(exc, TimeoutError):
        return f"no answer within {OPEN_TIMEOUT:g} s"
    if isinstance(exc, socket.gaierror):
        return f"the name cannot be looked up: {exc.strerror or exc}".lower().rstrip(": ")
    # asyncio may have tried several addresses, and each failed in its own way: then there is no
    # number, but a text with all of them.
    texts = [exc.errno] if exc.errno else map(int, re.findall(r"\[Errno (\d+)\]", str(exc)))
    words = "; ".join(dict.fromkeys(map(_in_words, texts)))
    return (words or _uncapitalized(str(exc).strip(" ;:,.")))[:200] or "no connection"


def _uncapitalized(text: str) -> str:
    """Return a text for the middle of a sentence: a name in it, `TasksMax=`, keeps its case."""
    return text[:1].lower() + text[1:]


def _in_words(number: int) -> str:
    if number in (errno.EMFILE, errno.ENFILE):
        return "no file descriptor is left: raise LimitNOFILE of the unit, or `ulimit -n`"
    return os.strerror(number).lower()
