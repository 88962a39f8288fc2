"""`asyncio.run` with daemon threads, so that a hanging DNS look-up cannot delay the exit.

asyncio looks up names in the threads of an executor. Python joins the threads of its own executor
at exit, which takes half a minute with a name server that does not answer.
"""

import asyncio
import gc
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from recbms_zmq.interrupts import raise_interrupts
from recbms_zmq.service.look_ups import LookUpLoop
from recbms_zmq.service.selector import ServiceSelector

LOOKUPS: Final = 8
"""Look-ups at a time. A fleet that is without DNS must not run into a limit of threads."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class DaemonThreads(ThreadPoolExecutor):
    """Runs calls in daemon threads, which end when there is nothing more to do.

    asyncio accepts only a `ThreadPoolExecutor`, of which nothing but the type is used here.

    Args:
        most: calls that run at a time; the others wait in order.

    """

    def __init__(self, most: int = LOOKUPS) -> None:
        super().__init__(max_workers=most)
        self._most = most
        self._waiting: deque[Callable[[], None]] = deque()
        self._running = 0
        self._guard = threading.Lock()

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Run a call as soon as a thread is free.

        Raises:
            OSError: the system allows no thread, and none of ours is running.

        """
        future: Future[_T] = Future()
        job = partial(_fulfil, future, partial(fn, *args, **kwargs))
        with self._guard:
            self._waiting.append(job)
            if self._running >= self._most:
                return future
            self._running += 1
        try:
            threading.Thread(target=self._work, daemon=True).start()
        except RuntimeError as exc:
            with self._guard:
                self._running -= 1
                # Else one of the other threads does it.
                if not self._running:
                    self._waiting.remove(job)
                    raise OSError(
                        "no thread can be started; raise the limit, TasksMax= of a systemd unit"
                    ) from exc
        return future

    def _work(self) -> None:
        while True:
            with self._guard:
                if not self._waiting:
                    self._running -= 1
                    return
                job = self._waiting.popleft()
            job()

    # `asyncio.Runner` waits for this: for ever in Python 3.11, for 300 s from 3.12 on.
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the threads alone: they end with the process."""


def _fulfil(future: Future[_T], call: Callable[[], _T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as exc:  # noqa: BLE001 raised where the future is awaited
        future.set_exception(exc)
    else:
        future.set_result(result)


def run(work: Coroutine[Any, Any, _T], selector: ServiceSelector | None = None) -> _T:
    """Run a program to its end, as `asyncio.run` does, and leave look-ups behind.

    Args:
        work: the program.
        selector: of the event loop; by default a new one.

    """
    raise_interrupts()  # asyncio takes the place of Python's handler, and cancels `work`
    try:
        loop = partial(LookUpLoop, selector or ServiceSelector())
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.get_loop().set_default_executor(DaemonThreads())
            return runner.run(work)
    finally:
        # The collection at exit takes 0.4 s with 1,000 BMS; 0.2 s are promised for the whole end.
        gc.freeze()
