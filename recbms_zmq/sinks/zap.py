"""Who may subscribe: asks every client for its address and its CURVE key.

libzmq encrypts, but lets everybody in who asks properly: whether a client is welcome it asks its
own process, over an inproc socket (ZAP, https://rfc.zeromq.org/spec/27/). The answer is given here,
in the event loop. pyzmq's authenticators answer too, but know neither networks nor `ipc://`, and do
not tell who was refused; one brings a thread, the other zmq.asyncio.
"""

import asyncio
import ipaddress
import logging
import re
import struct
from collections.abc import Sequence
from typing import Final

import zmq

from recbms_zmq.curve import KeyPair

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_ZAP: Final = "inproc://zeromq.zap.01"
_VERSION: Final = b"1.0"
_DOMAIN: Final = b"recbms"  # any; without a domain nobody is asked about clients without keys
# How libzmq names the client of a Unix socket: user, group and process. No IP address looks so.
_LOCAL: Final = re.compile(r"(?:localhost)?:(\d+):\d*:\d*", re.ASCII)
_MOST_NOTED: Final = 1000  # refused clients that are remembered, so that each is logged once
_FAILED: Final = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL

_log = logging.getLogger(__name__)


class Authenticator:
    """Lets in who may come in, and logs once who may not.

    Args:
        server: the service's own key pair; None for no encryption.
        keys: public keys of clients that may come in, 32 bytes each; None for any.
        networks: addresses of clients that may come in, empty for any. They say nothing about
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
        self._noted: set[tuple[str, str]] = set()
        self._readers: list[int] = []

    def attach(self, context: "zmq.Context[zmq.Socket[bytes]]", pub: "zmq.Socket[bytes]") -> None:
        """Guard what `pub` will bind; whoever comes waits until `start`."""
        self._pub = pub
        self._zap = context.socket(zmq.REP)
        self._zap.set(zmq.LINGER, 0)
        self._zap.bind(_ZAP)
        pub.set(zmq.ZAP_DOMAIN, _DOMAIN)
        pub.set(zmq.ZAP_ENFORCE_DOMAIN, 1)  # nobody there to ask means no
        if self._server is not None:
            pub.set(zmq.CURVE_SERVER, 1)
            pub.set(zmq.CURVE_SECRETKEY, self._server.secret)
        # Those who fail before they can be asked about are only seen here.
        self._failures = pub.get_monitor_socket(_FAILED)

    def start(self) -> None:
        """Begin to answer."""
        loop = asyncio.get_running_loop()
        for waiting, answer in ((self._zap, self._answer), (self._failures, self._note_failures)):
            loop.add_reader(waiting.fileno(), answer)
            self._readers.append(waiting.fileno())
            answer()

    def close(self) -> None:
        """Stop answering."""
        for fd in self._readers:
            asyncio.get_running_loop().remove_reader(fd)
        self._pub.disable_monitor()
        self._failures.close()
        self._zap.close()

    def _answer(self) -> None:
        while int(self._zap.get(zmq.EVENTS)) & zmq.POLLIN:
            _, number, _, address, _, _, *credentials = self._zap.recv_multipart()
            client = address.decode("ascii", "replace")
            refusal = self._refusal(client, credentials)
            status = (b"400", refusal.encode()) if refusal else (b"200", b"OK")
            self._zap.send_multipart([_VERSION, number, *status, b"", b""])
            if refusal:
                local = _LOCAL.fullmatch(client)
                self._note(f"of user {local[1]}" if local else f"from {client}", refusal)

    def _refusal(self, address: str, credentials: list[bytes]) -> str:
        """Say why a client may not come in; nothing if it may."""
        if self._networks and not _LOCAL.fullmatch(address) and not self._is_near(address):
            return "its address is not among --allow-ip"
        if self._server is not None and self._keys is not None:
            key = credentials[0] if credentials else b""
            if key not in self._keys:
                return "its key is not in --curve-allow"
        return ""

    def _is_near(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(ip, "ipv4_mapped", None) or ip
        return any(mapped in network for network in self._networks)

    def _note_failures(self) -> None:
        while int(self._failures.get(zmq.EVENTS)) & zmq.POLLIN:
            event, endpoint = self._failures.recv_multipart()
            _, error = struct.unpack("=HI", event)
            if error == zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
                why = "it has another server key than this service"
            else:  # whichever side sees first that the other has other plans hangs up
                why = "it came without CURVE, or went away while it was asked"
            self._note(f"of {endpoint.decode('ascii', 'replace')}", why)

    def _note(self, who: str, why: str) -> None:
        if (who, why) not in self._noted and len(self._noted) < _MOST_NOTED:
            self._noted.add((who, why))
            _log.warning("refused a subscriber %s: %s", who, why)
