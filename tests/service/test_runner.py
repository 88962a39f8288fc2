"""Tests of the threads for look-ups, and of the end of a program that uses them."""

import subprocess
import sys
import threading
from concurrent.futures import Future

import pytest

from recbms_zmq.service.runner import DaemonThreads
from recbms_zmq.sources.network import explain_failure


def test_the_end_collects_no_garbage() -> None:
    code = (
        "import asyncio, gc; from recbms_zmq.service.runner import run\n"
        "run(asyncio.sleep(0)); print(gc.get_freeze_count() > 0, len(gc.get_objects()) < 100)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("True True\n", "")


def test_the_end_does_not_wait_for_a_call_that_hangs() -> None:
    code = (
        "import asyncio, threading; from recbms_zmq.service.runner import run\n"
        "async def main():\n"
        "    started = threading.Event()\n"
        "    def hang(): started.set(); threading.Event().wait()\n"
        "    call = asyncio.get_running_loop().run_in_executor(None, hang)\n"
        "    while not started.is_set(): await asyncio.sleep(0)\n"
        "    print(call.done())\n"
        "run(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr, done.returncode) == ("False\n", "", 0)


def test_eight_calls_run_at_a_time_and_the_others_wait_in_order() -> None:
    threads = DaemonThreads()
    running, go = threading.Semaphore(0), threading.Event()
    order: list[int] = []

    def call(number: int) -> int:
        order.append(number)
        running.release()
        assert go.wait(60)
        return number

    futures = [threads.submit(call, number) for number in range(20)]
    for _ in range(8):
        assert running.acquire(timeout=60)
    assert sorted(order) == list(range(8))
    go.set()
    assert [future.result(60) for future in futures] == list(range(20))
    go.clear()
    one, order = DaemonThreads(most=1), []
    futures = [one.submit(call, number) for number in range(20)]
    go.set()
    assert futures[-1].result(60) == 19
    assert order == list(range(20))


def test_an_error_is_raised_where_the_result_is_awaited() -> None:
    future: Future[int] = DaemonThreads().submit(int, "x")
    with pytest.raises(ValueError, match="invalid literal"):
        future.result(60)


def test_without_a_thread_the_reason_is_a_sentence_and_the_call_is_never_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threads, done = DaemonThreads(), list[str]()
    with monkeypatch.context() as limited:
        limited.setattr(threading.Thread, "start", start)
        with pytest.raises(OSError, match="no thread can be started; raise the limit") as refused:
            threads.submit(done.append, "refused")
    assert explain_failure(refused.value) == (
        "no thread can be started; raise the limit, TasksMax= of a systemd unit"
    )
    threads.submit(done.append, "accepted").result(60)
    assert done == ["accepted"]


def test_a_call_waits_for_a_running_thread_when_no_other_can_be_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads = DaemonThreads()
    go = threading.Event()
    first = threads.submit(go.wait, 60)

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    second = threads.submit(int, "1")
    go.set()
    assert (first.result(60), second.result(60)) == (True, 1)
