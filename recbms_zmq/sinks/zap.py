"""Decides which clients may subscribe, by their address and their CURVE key.

libzmq encrypts, and asks its own process over an inproc socket whether it may accept a client (ZAP,
https://rfc.zeromq.org/spec/27/). The event loop answers here. pyzmq has authenticators too, but
they know neither networks nor `ipc://`, do not report which client they refused, and one of them
needs a thread, the other `zmq.asyncio`.
"""

import asyncio
import ipaddress
from collections.abc import Sequence
from typing import Final

import zmq

from recbms_zmq.curve import KeyPair
from recbms_zmq.sinks.clients import RefusalLog, local_user, plain_address

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_ZAP: Final = "inproc://zeromq.zap.01"
_VERSION: Final = b"1.0"
_DOMAIN: Final = b"recbms"  # any text; without one libzmq accepts clients without keys unasked


class Authenticator:
    """Answers libzmq's questions about clients.

    Args:
        server: the service's own key pair; None for no encryption.
        keys: public keys of clients that may connect, 32 bytes each; None for any.
        networks: addresses of clients that may connect, empty for any. They do not apply to
            `ipc://`, where the mode of the socket decides.

    """

    def __init__(
        self,
        *,
        server: KeyPair | None = None,
        keys: frozenset[bytes] | None = None,
        networks: Sequence[Network] = (),
    ) -> None:
        self._server = server
        self._keys = keys
        self._networks = tuple(networks)

    @property
    def encrypts(self) -> bool:
        """Whether clients have to use CURVE."""
        return self._server is not None

    def attach(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        pub: "zmq.Socket[bytes]",
        refusals: RefusalLog,
    ) -> None:
        """Answer for `pub`, which is not bound yet; its clients wait until `start`."""
        self._refusals = refusals
        self._zap = context.socket(zmq.REP)
        # By default the end of the process waits for ever until an answer is delivered.
        self._zap.set(zmq.LINGER, 0)
        self._zap.bind(_ZAP)
        pub.set(zmq.ZAP_DOMAIN, _DOMAIN)
        pub.set(zmq.ZAP_ENFORCE_DOMAIN, 1)  # refuse all clients while nothing answers
        if self._server is not None:
            pub.set(zmq.CURVE_SERVER, 1)
            pub.set(zmq.CURVE_SECRETKEY, self._server.secret)

    def start(self) -> None:
        """Start to answer."""
        asyncio.get_running_loop().add_reader(self._zap.fileno(), self._answer)
        self._answer()

    def close(self) -> None:
        """Stop answering."""
        asyncio.get_running_loop().remove_reader(self._zap.fileno())
        self._zap.close()

    def _answer(self) -> None:
        while int(self._zap.get(zmq.EVENTS)) & zmq.POLLIN:
            # RFC 27: version, request, domain, address, identity, mechanism, credentials.
            _, number, _, address, _, _, *credentials = self._zap.recv_multipart()
            client = address.decode("ascii", "replace")
            reason = self._refusal(client, credentials)
            status = (b"400", reason.encode()) if reason else (b"200", b"OK")
            # Behind the status: a user's name and metadata, of which there are none.
            self._zap.send_multipart([_VERSION, number, *status, b"", b""])
            if reason:
                user = local_user(client)
                self._refusals.refuse(
                    f"of user {user}" if user else f"from {plain_address(client)}", reason
                )

    def _refusal(self, address: str, credentials: list[bytes]) -> str:
        """Return why a client may not connect; an empty text if it may."""
        if self._networks and not local_user(address) and not self._is_allowed(address):
            return "its address is not in --allow-ip"
        if self._server is not None and self._keys is not None:
            key = credentials[0] if credentials else b""
            if key not in self._keys:
                return "its key is not in --curve-allow"
        return ""

    def _is_allowed(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(ip, "ipv4_mapped", None) or ip
        return any(mapped in network for network in self._networks)
