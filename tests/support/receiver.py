"""A receiver that keeps what a source passes to it."""

import asyncio
from collections.abc import Callable

from recbms_zmq.clock import Instant
from recbms_zmq.errors import FrameError
from recbms_zmq.sources import Source
from recbms_zmq.wire.decode import decode
from support.waiting import PATIENCE

Calls = list[tuple[str, str]]


class RecordingReceiver:
    """Judges frames as the service does, and keeps everything as (what, text)."""

    def __init__(self) -> None:
        self.calls: Calls = []
        self.times: list[Instant] = []
        self._news = asyncio.Event()

    def connected(self, at: Instant) -> None:
        self._note("connected", "", at)

    def disconnected(self, reason: str, at: Instant) -> None:
        self._note("disconnected", reason, at)

    def received(self, data: bytes, at: Instant) -> bool:
        self._note("frame", data.decode("latin-1"), at)
        try:
            decode(data)
        except FrameError:
            return False
        return True

    async def drain(self) -> None:
        """Wait for no reader."""

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def _note(self, what: str, text: str, at: Instant) -> None:
        self.calls.append((what, text))
        self.times.append(at)
        self._news.set()


def run_source(source: Source, count: int) -> Calls:
    """Run a source for `count` calls, or to its end; return the calls."""

    async def run() -> Calls:
        receiver = RecordingReceiver()
        task = asyncio.create_task(source.run(receiver))
        waiting = asyncio.create_task(receiver.until(lambda: len(receiver.calls) >= count))
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
        for each in (task, waiting):
            each.cancel()
        results = await asyncio.gather(task, waiting, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result
        return receiver.calls[:count]

    return asyncio.run(run(), debug=True)
