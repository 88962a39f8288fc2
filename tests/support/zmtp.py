"""The other end of a ZeroMQ connection as bytes: a peer that libzmq itself would not be."""

import socket


def greet(peer: socket.socket, kind: bytes) -> None:
    """Complete the handshake of ZMTP 3.1, without encryption, as a socket of this kind.

    https://rfc.zeromq.org/spec/37/
    """
    ready = b"\x05READY\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind
    peer.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"NULL".ljust(52, b"\0"))
    peer.sendall(bytes([4, len(ready)]) + ready)
    _read(peer, 64)
    _, length = _read(peer, 2)
    _read(peer, length)


def _read(peer: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = peer.recv(count - len(data))
        assert more, "the other end has closed the connection"
        data += more
    return data
