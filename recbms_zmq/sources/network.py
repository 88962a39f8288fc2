"""What sources that connect over a network have in common: TLS, and failures in words."""

import asyncio
import hashlib
import os
import re
import ssl
from typing import Final

OPEN_TIMEOUT: Final = 10.0
"""Seconds for a connection to be made."""


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
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def require_fingerprint(transport: asyncio.BaseTransport, fingerprint: str) -> None:
    """Check that the other side's certificate is the one that is expected.

    Raises:
        ssl.SSLCertVerificationError: it has another SHA-256 fingerprint.

    """
    tls = transport.get_extra_info("ssl_object")
    found = hashlib.sha256(tls.getpeercert(binary_form=True)).hexdigest()
    if found != fingerprint:
        raise ssl.SSLCertVerificationError(1, f"certificate has SHA-256 {found}")


def explain_failure(exc: OSError) -> str:
    """Say in a few words why there is no connection, and never the URL: it may hold secrets."""
    if isinstance(exc, ssl.SSLError):
        # Python's own have these, those of `require_fingerprint` only a text.
        words = getattr(exc, "verify_message", "") or getattr(exc, "reason", "") or exc
        return f"TLS failed: {words}"[:200]
    if isinstance(exc, TimeoutError):
        return f"no answer within {OPEN_TIMEOUT:g} s"
    if exc.errno is not None and exc.errno > 0:
        return os.strerror(exc.errno).lower()
    # asyncio has tried several addresses, and each failed in its own way.
    numbers = dict.fromkeys(re.findall(r"\[Errno (\d+)\]", str(exc)))
    if numbers:
        return "; ".join(os.strerror(int(number)).lower() for number in numbers)
    return (exc.strerror or f"no connection: {exc}").lower()[:200]  # name resolution has no errno
