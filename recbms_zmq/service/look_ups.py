"""An event loop whose look-ups of names end in time, each with a reason of its own.

A look-up takes a thread, which cannot be interrupted: with a name server that does not answer, the
C library goes on for 10 s and more. So a connection that gives up waiting leaves its look-up to the
next try, which takes the answer or waits on: a slow name server delays a BMS, and does not keep it
away for ever, and no BMS occupies more than one thread.
"""

import asyncio
import selectors
import socket
from functools import partial
from typing import Any, Final

from recbms_zmq.sources.network import OPEN_TIMEOUT

LOOK_UP_TIMEOUT: Final = OPEN_TIMEOUT - 0.5
"""Seconds that a connection waits for a look-up: shorter than for all of it, so that the reason is
the name, and not the BMS."""

_Key = tuple[Any, ...]


class LookUpLoop(asyncio.SelectorEventLoop):
    """asyncio's own event loop, but for the look-ups."""

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        super().__init__(selector)
        # Those that run, and those with an answer that came too late for the connection.
        self._look_ups: dict[_Key, asyncio.Task[Any]] = {}

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """Look up a name.

        Raises:
            socket.gaierror: it has no address, or no name server has answered in time.

        """
        key = (host, port, *sorted(options.items()))
        look_up = self._look_ups.get(key)
        if look_up is None:
            look_up = self.create_task(super().getaddrinfo(host, port, **options))
            self._look_ups[key] = look_up
            look_up.add_done_callback(partial(self._on_done, key))
        # Not `wait_for`, which would cancel it.
        done, _ = await asyncio.wait({look_up}, timeout=LOOK_UP_TIMEOUT)
        if not done:
            raise socket.gaierror(
                socket.EAI_AGAIN, f"no name server has answered for {LOOK_UP_TIMEOUT:g} s"
            )
        self._look_ups.pop(key, None)
        return look_up.result()

    def _on_done(self, key: _Key, look_up: asyncio.Task[Any]) -> None:
        # A failure is no answer for the next try. And one that is not looked at would be logged.
        if look_up.cancelled() or look_up.exception() is not None:
            self._look_ups.pop(key, None)
