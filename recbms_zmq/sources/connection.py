"""One websocket connection to a BMS: hands messages on while it reads, and ends when it is dead.

It is the client connection of `websockets` with five changes, each for a module that misbehaves:

- It reads at most 4 KiB at a time, and hands each message on at once: a flood of one BMS leaves the
  event loop to the others every 10 ms, and nothing is queued.
- Data is life: a ping that is not answered ends the connection only if nothing else came.
- After a close frame, or a broken protocol, it closes TCP itself, and waits for no peer to do so.
- It sends the answers to all pings of a read in one piece.
- A peer that sends and does not read is disconnected, because the answers to its pings pile up.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import Event

from recbms_zmq.sources.network import require_fingerprint

PING_INTERVAL: Final = 30.0
"""Seconds between pings, and for which an answer is waited for. The module is a small embedded
server, and another client had to ping it less often."""
CLOSE_TIMEOUT: Final = 0.1
"""Seconds for the closing handshake: it must not delay our exit."""
MAX_UNSENT: Final = 2**16
"""Bytes that may wait to be sent. We send only pongs, pings and a close frame, so that more of
them than the system's own buffer holds means that the peer does not read."""
MAX_READ: Final = 2**12
"""Bytes per read: a frame of a small pack. asyncio's own 256 KiB are mapped and unmapped again."""
MIN_READ: Final = 2**9  # 256 frames without content: about half of the budget
BUDGET: Final = 0.01
"""Seconds of work per read. The next read is half as long if this one took longer: 2,048 frames
without content fit into 4 KiB, and take about 40 ms."""
_ACCEPTED: Final = Response(101, "Switching Protocols", Headers())
# One for all connections: a read is handled before the next one begins.
_buffer: Final = memoryview(bytearray(MAX_READ))


class Owner(Protocol):
    """What a connection reports to. Both are called from within the event loop's read."""

    def opened(self) -> None:
        """Note that the handshake is complete; messages follow."""

    def message(self, data: bytes) -> None:
        """Take one whole message."""


class BmsConnection(ClientConnection, asyncio.BufferedProtocol):
    """A connection that pushes its messages; `recv` is not used.

    Args:
        protocol: of the websockets package.
        owner: gets the messages.
        silence: seconds without a message after which the connection is ended.
        fingerprint: SHA-256 of the only certificate to accept, lower-case hex.
        options: of `ClientConnection`.

    """

    # With these in it, `__dict__` would have more than the 30 keys that objects can share.
    __slots__ = (
        "_fingerprint",
        "_last_message",
        "_last_ping",
        "_last_read",
        "_message",
        "_owner",
        "_read_size",
        "_silence",
        "_timers",
        "error",
        "reason",
    )

    def __init__(
        self,
        protocol: ClientProtocol,
        *,
        owner: Owner,
        silence: float,
        fingerprint: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(protocol, **options)
        self.reason = ""
        """Why this side ended the connection, if it did."""
        self.error: Exception | None = None
        """What the owner raised, if it did; that ends the connection, too."""
        self._owner = owner
        self._silence = silence
        self._fingerprint = fingerprint
        self._message: bytearray | None = None  # the fragments so far
        self._last_message = self._last_read = self.loop.time()
        self._last_ping = float("-inf")
        self._read_size = MAX_READ
        self._timers: dict[Callable[[], None], asyncio.TimerHandle] = {}

    async def handshake(self, *args: Any, **kwargs: Any) -> None:
        """Check the certificate before anything is sent: the request may hold a password."""
        if self._fingerprint is not None:
            require_fingerprint(self.transport, self._fingerprint)
        await super().handshake(*args, **kwargs)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 asyncio asks with a hint
        """Return where asyncio reads into."""
        return _buffer[: self._read_size]

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read, and see how long that takes."""
        self._last_read = self.loop.time()
        # Not copied here: the parser of `websockets` adds it to its own buffer.
        self.data_received(_buffer[:nbytes])  # type: ignore[arg-type]
        took = self.loop.time() - self._last_read
        if took > BUDGET:
            self._read_size = max(MIN_READ, self._read_size // 2)
        elif took < BUDGET / 4:  # one of the double length stays below the budget
            self._read_size = min(MAX_READ, self._read_size * 2)

    def data_received(self, data: bytes) -> None:
        """Parse, hand on what is whole, answer pings; end a connection that is of no more use."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.protocol.handshake_exc is not None:
            self.transport.abort()
        elif self.protocol.close_expected():
            self._close_transport()
        elif self.transport.get_write_buffer_size() > MAX_UNSENT:
            self.end("the BMS sends, but does not read what is sent to it")

    def send_data(self) -> None:
        """Send all answers in one piece: over TLS each piece costs a record, without it a call."""
        # Never with b"" for the end among them: a client sends that one alone, after the BMS has
        # ended the connection, or after a handshake that failed.
        if len(self.protocol.writes) > 1:
            self.protocol.writes = [b"".join(self.protocol.writes)]
        super().send_data()

    def process_event(self, event: Event) -> None:
        """Take the response of the handshake, or a frame."""
        if self.response is None:
            super().process_event(event)
            # Not "if it is open": a close frame may have come with the response.
            if self.protocol.handshake_exc is None:
                self._open()
            return
        assert isinstance(event, Frame)
        if event.opcode is Opcode.CONT:
            assert self._message is not None  # the protocol has checked the order of frames
            self._message += event.data
            if event.fin:
                data, self._message = bytes(self._message), None
                self._deliver(data)
        elif event.opcode in (Opcode.TEXT, Opcode.BINARY):
            if event.fin:
                self._deliver(bytes(event.data))
            else:
                self._message = bytearray(event.data)

    def end(self, reason: str) -> None:
        """End the connection at once, without a close frame."""
        self.reason = self.reason or reason
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        super().connection_lost(exc)

    def _open(self) -> None:
        # The library keeps the handshake, which takes 4 KiB; whether there was a response is all
        # that it looks at from now on. Its parser keeps the response, too.
        assert self.response is not None
        self.response.headers.clear()
        self.request, self.response = None, _ACCEPTED
        self._last_message = now = self.loop.time()
        self._at(now + self._silence, self._check_silence)
        self._at(now + PING_INTERVAL, self._ping)
        self._call(self._owner.opened)

    def _deliver(self, data: bytes) -> None:
        self._last_message = self._last_read
        self._call(self._owner.message, data)

    def _call(self, method: Callable[..., None], *arguments: Any) -> None:
        # asyncio only logs what a protocol raises; the source has to see it.
        if self.error is None:
            try:
                method(*arguments)
            except Exception as exc:  # noqa: BLE001 the source raises it again
                self.error = exc
                self.transport.abort()

    def _check_silence(self) -> None:
        # Moved when it fires, not with every message: resetting a timer for each frame costs more.
        due = self._last_message + self._silence
        if due <= self.loop.time():
            self.end(f"nothing came for {self._silence:g} s")
        else:
            self._at(due, self._check_silence)

    def _ping(self) -> None:
        now = self.loop.time()
        # Any data counts, not only a pong: the module may answer pings late or never.
        if self._last_read < self._last_ping:
            self.end(f"neither data nor an answer to a ping came for {PING_INTERVAL:g} s")
            return
        self._last_ping = now
        # Not the library's own ping, which keeps every ping until it is answered.
        self.protocol.send_ping(b"ping")
        self.send_data()
        self._at(now + PING_INTERVAL, self._ping)

    def _close_transport(self) -> None:
        """Close TCP after what is still to be sent, or without it if that takes too long."""
        self.transport.close()
        self._at(self.loop.time() + CLOSE_TIMEOUT, self.transport.abort)

    def _at(self, when: float, method: Callable[[], None]) -> None:
        # A timer that is left would keep the connection in memory, and fire after its end.
        self._timers[method] = self.loop.call_at(when, method)
