"""A TCP server made by us that answers every client with the same bytes, websocket or not."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class RawServer(socketserver.ThreadingTCPServer):
    """Reads a request, sends `answer` and closes; without an answer it sends nothing at all."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answer: bytes | None, address: tuple[str, int]) -> None:
        super().__init__(address, _Handler)
        self.answer = answer
        self.requests: list[bytes] = []
        self.ended = threading.Event()

    @property
    def authority(self) -> str:
        host, port, *_ = self.server_address
        return f"{host!s}:{port}"


class _Handler(socketserver.BaseRequestHandler):
    server: RawServer

    def handle(self) -> None:
        self.server.requests.append(self.request.recv(65536))
        if self.server.answer is None:
            self.server.ended.wait()
        else:
            self.request.sendall(self.server.answer)


@contextmanager
def raw_server(
    answer: bytes | None, address: tuple[str, int] = ("127.0.0.1", 0)
) -> Iterator[RawServer]:
    """Serve, on a free port of loopback unless `address` is another one."""
    with RawServer(answer, address) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()
