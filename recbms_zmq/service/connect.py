"""From the address of a BMS to its source. Only the module of that source is imported."""

import sys
from typing import TYPE_CHECKING

from recbms_zmq.config.files import read_regular
from recbms_zmq.config.options import BmsConfig
from recbms_zmq.errors import ConfigError, UsageError
from recbms_zmq.sources import Source

if TYPE_CHECKING:
    import ssl


def open_source(bms: BmsConfig, *, spread: float = 0.0) -> Source:
    """Make the source of a BMS; nothing is connected yet.

    Args:
        bms: its configuration.
        spread: seconds over which its fleet reconnects after an outage.

    Raises:
        UsageError: the address has wrong parts.
        ConfigError: a file that it needs cannot be used.

    """
    if bms.url.startswith("sim:"):
        from recbms_zmq.sources.simulated import SimulatedSource

        return SimulatedSource(bms.url)
    if bms.url == "-":
        from recbms_zmq.sources.stdin import StdinSource

        if sys.stdin is None:
            raise UsageError("- reads frames from stdin, but stdin is closed")
        return StdinSource(sys.stdin.fileno(), max_frame=bms.max_frame)
    if bms.url.startswith("replay:"):
        from recbms_zmq.sources.replay import ReplaySource

        return ReplaySource(bms.url, max_frame=bms.max_frame)
    if bms.url.startswith("http"):
        from recbms_zmq.sources.http import HttpSource

        return HttpSource(
            bms.url,
            interval=bms.poll_interval,
            max_frame=bms.max_frame,
            tls=_tls(bms),
            fingerprint=bms.tls_fingerprint,
            spread=spread,
        )

    from recbms_zmq.sources.websocket import WebSocketSource

    return WebSocketSource(
        bms.url,
        # A connection is renewed when its BMS goes offline: one option for both.
        silence=bms.reporting.stale_after,
        max_frame=bms.max_frame,
        tls=_tls(bms),
        fingerprint=bms.tls_fingerprint,
        proxy=bms.proxy,
        spread=spread,
    )


def _tls(bms: BmsConfig) -> "ssl.SSLContext | None":
    if not bms.url.startswith(("wss:", "https:")):
        return None
    from recbms_zmq.sources.network import tls_context

    try:
        if bms.ca_file is not None:
            read_regular(bms.ca_file)  # OpenSSL would wait for a FIFO
        return tls_context(
            None if bms.ca_file is None else str(bms.ca_file),
            pinned=bms.tls_fingerprint is not None,
        )
    except OSError as exc:  # ssl.SSLError is one too
        why = exc.strerror or exc
        raise ConfigError(f"cannot use the certificates in {bms.ca_file}: {why}") from exc
