"""Coming in to a running service as a subscriber: with CURVE, and what it means to be refused."""

from typing import Final

import zmq

from recbms_zmq.config import readers
from recbms_zmq.config.option import read_argument
from recbms_zmq.errors import UsageError

REFUSED: Final = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
"""The events of a socket that tell of a refusal; nothing else does."""


def why_refused(event: int) -> str:
    """Say what one of `REFUSED` means."""
    if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
        return "it does not let this key in, or not this address"
    return "it wants CURVE and we have none, or --curve-server-key is not its key"


def use_curve(sub: "zmq.Socket[bytes]", server_key: str | None, secret_key: str | None) -> None:
    """Let a socket come in with CURVE, if the path of the service's public key is given.

    Args:
        sub: not connected yet.
        server_key: path of the service's public key.
        secret_key: path of the key to come in with; without it a new one is used.

    Raises:
        UsageError: a key of our own, but none of the service.
        ConfigError: a key file cannot be used.

    """
    if server_key is None:
        if secret_key is not None:
            raise UsageError(
                "--curve-secret-key: the service's key is needed too, say --curve-server-key FILE"
            )
        return
    from recbms_zmq import curve

    server = read_argument("--curve-server-key", readers.path, server_key)
    secret = read_argument("--curve-secret-key", readers.path, secret_key)
    sub.set(zmq.CURVE_SERVERKEY, curve.read_public(server))
    pair = curve.KeyPair(*zmq.curve_keypair()) if secret is None else curve.read_secret(secret)
    sub.set(zmq.CURVE_PUBLICKEY, pair.public)
    sub.set(zmq.CURVE_SECRETKEY, pair.secret)
