"""From the address of a BMS to its source. Only the kind that is asked for is imported."""

from recbms_zmq.config import BmsConfig
from recbms_zmq.errors import ConfigError
from recbms_zmq.sources import Source


def open_source(bms: BmsConfig, *, spread: float = 0.0) -> Source:
    """Make the source of a BMS; nothing is connected yet.

    Args:
        bms: what applies to it.
        spread: seconds over which the fleet it belongs to comes back after an outage.

    Raises:
        UsageError: the address has parts that are wrong.
        ConfigError: a file it needs cannot be used.

    """
    if bms.url.startswith("sim:"):
        from recbms_zmq.sources.simulated import SimulatedSource

        return SimulatedSource(bms.url)

    from recbms_zmq.sources.websocket import WebSocketSource, tls_context

    tls = None
    if bms.url.startswith("wss:"):
        try:
            tls = tls_context(
                None if bms.ca_file is None else str(bms.ca_file),
                pinned=bms.tls_fingerprint is not None,
            )
        except OSError as exc:  # ssl.SSLError is one too
            raise ConfigError(f"cannot use the certificates in {bms.ca_file}: {exc}") from exc
    return WebSocketSource(
        bms.url,
        silence=bms.stale_after,
        max_frame=bms.max_frame,
        tls=tls,
        fingerprint=bms.tls_fingerprint,
        proxy=bms.proxy,
        spread=spread,
    )
