"""A Wi-Fi module with older firmware, made by us: answers `GET /cell` with the bytes of a test.

It speaks raw sockets, so that its answers can be as wrong as they like.
"""

import contextlib
import json
import socket
import ssl
import threading
from typing import Final

from support.frames import STATUS
from support.waiting import PATIENCE

_frame = json.loads(STATUS)
del _frame["type"]
CELL: Final = json.dumps(_frame, separators=(",", ":")).encode()
"""The real status frame, as it would be without a type."""


def answer(content: bytes = CELL, *, status: str = "200 OK", headers: str = "") -> bytes:
    """Return an HTTP answer with its length in the header."""
    head = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


LOOPBACK: Final = ("127.0.0.1", 0)


class FakeModule:
    """Answers every request and closes the connection; without an answer it keeps it open.

    Args:
        answers: bytes to send, one after the other; the last one for ever. None: no answer.
        tls: makes it `https://`.
        address: to listen at; port 0 for any free one.

    """

    def __init__(
        self,
        *answers: bytes | None,
        tls: ssl.SSLContext | None = None,
        address: tuple[str, int] = LOOPBACK,
    ) -> None:
        self.answers: list[bytes | None] = list(answers or [answer()])
        self.requests: list[bytes] = []
        self._tls = tls
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(address)
        self.authority = f"{address[0]}:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.authority}/cell"

    def close(self) -> None:
        """Stop listening, and drop all clients."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        for connection in (self._listener, *self._open):
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            with contextlib.suppress(OSError):
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True)
            self._open.append(connection)
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            part = connection.recv(65536)
            if not part:
                return
            request += part
        self.requests.append(request)
        response = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if response is not None:
            connection.sendall(response)
            connection.close()
