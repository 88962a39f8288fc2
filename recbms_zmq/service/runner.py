"""Threads that look up names, and that nobody waits for at the end.

asyncio looks up names in the threads of an executor. Its own makes the end of the program wait for
them, which with a name server that does not answer takes half a minute.
"""

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class DaemonThreads(ThreadPoolExecutor):
    """Gives every call a thread of its own, which ends with the program if not before.

    It is a `ThreadPoolExecutor` because asyncio takes nothing else, and has no pool.
    """

    def submit(  # noqa: D102 that of its base
        self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> Future[_T]:
        future: Future[_T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as exc:  # noqa: BLE001 it belongs to whoever waits
                future.set_exception(exc)
            else:
                future.set_result(result)

        threading.Thread(target=work, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the threads alone."""


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a program to its end, as `asyncio.run` does, and wait for no name server then."""
    try:
        with asyncio.Runner() as runner:
            runner.get_loop().set_default_executor(DaemonThreads())
            return runner.run(work)
    finally:
        # Python would look for garbage in all that a fleet has left: 0.4 s with 1,000 BMS, when the
        # promise for the whole end is 0.2 s.
        gc.freeze()
