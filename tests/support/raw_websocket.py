"""A websocket server whose frames are bytes made by a test, and which never closes TCP itself."""

import contextlib
import errno
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from websockets.http11 import Request
from websockets.server import ServerProtocol

from support.waiting import PATIENCE

TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A
FRAGMENT, LAST = 0x00, 0x80  # of a message that began with an opcode of its own


def frame(head: int, data: bytes = b"") -> bytes:
    """Return a frame: `head` is its first byte, with the opcode and the bit for the last one."""
    if len(data) < 126:
        return bytes([head, len(data)]) + data
    if len(data) < 2**16:
        return bytes([head, 126]) + struct.pack("!H", len(data)) + data
    return bytes([head, 127]) + struct.pack("!Q", len(data)) + data


def close_frame(code: int, reason: str = "") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason.encode())


class RawWebSocket:
    """Completes the handshake, sends bytes, and then neither sends, nor reads, nor closes.

    Args:
        parts: bytes to send to every client after the handshake.
        reads: whether it reads what clients send.

    """

    def __init__(self, parts: Iterable[bytes], *, reads: bool = True) -> None:
        self.clients: list[socket.socket] = []
        self.received = bytearray()
        self.ended = threading.Event()
        """Set when a client has closed its connection."""
        self.parts = parts
        self._reads = reads
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._start(self._serve)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._listener.getsockname()[1]}/ws"

    def send(self, data: bytes) -> None:
        """Send more to all clients."""
        for client in self.clients:
            with contextlib.suppress(OSError):
                client.sendall(data)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for client in self.clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        for each in (self._listener, *self.clients):
            each.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError as exc:
                if exc.errno != errno.EMFILE:
                    return
                time.sleep(0.01)  # a test leaves this process no descriptor for a while
            else:
                self._start(self._talk, client)

    def _talk(self, client: socket.socket) -> None:
        protocol = ServerProtocol()
        while not (events := protocol.events_received()):
            if not (data := client.recv(65536)):
                client.close()  # it has given up before its request
                return
            protocol.receive_data(data)
        assert isinstance(events[0], Request)
        protocol.send_response(protocol.accept(events[0]))
        with contextlib.suppress(OSError):
            client.sendall(b"".join(protocol.data_to_send()))
            self.clients.append(client)
            for part in self.parts:
                client.sendall(part)
            while self._reads and (data := client.recv(65536)):
                self.received += data
        if self._reads:
            self.ended.set()


@contextlib.contextmanager
def raw_websocket(*parts: bytes, reads: bool = True) -> Iterator[RawWebSocket]:
    """Serve on a free port of loopback."""
    server = RawWebSocket(parts, reads=reads)
    try:
        yield server
    finally:
        server.close()
