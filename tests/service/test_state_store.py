"""When the disk is written to, and how long a hanging one is waited for."""

import asyncio
import errno
import logging
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from support.virtual_time import current_loop, run_in_virtual_time

from recbms_zmq.service import state_files, state_store
from recbms_zmq.service.state_store import StateStore, Storage

HANGS = 3600.0


class AtOnce:
    """Instead of a thread: the disk takes no time, or hangs from a time on."""

    def __init__(self, most: int) -> None:
        assert most == 1
        self.hangs_from = float("inf")

    def submit(self, work: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        if current_loop().time() < self.hangs_from:
            future.set_result(work(*arguments))
        return future


class Record:
    """A record that has always changed."""

    name = "main"

    def __init__(self) -> None:
        self.dumped: list[tuple[float, bool]] = []
        self.calls: list[tuple[float, str]] = []
        self.storage = Storage("json", write=lambda *_: None)

    def load(self, content: bytes | None) -> None:
        assert content is None

    def dump(self, *, last: bool) -> bytes:
        self.dumped.append((round(current_loop().time(), 3), last))
        return b"{}"

    def saved(self) -> None:
        self.calls.append((current_loop().time(), "saved"))

    def unsaved(self) -> None:
        self.calls.append((current_loop().time(), "unsaved"))


Make = Callable[[], tuple[StateStore, Record]]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return what makes a store of one record, in virtual time."""
    monkeypatch.setattr(state_store, "DaemonThreads", AtOnce)
    monkeypatch.setattr(state_files, "sync_directory", lambda _: None)

    def make() -> tuple[StateStore, Record]:
        record = Record()
        made = StateStore(tmp_path)
        made.add(record)
        return made, record

    return make


@pytest.mark.parametrize(
    ("wanted_every", "written"),
    [
        (None, [0, 60, 120, 180]),
        (0.1, [0, *range(1, 200)]),
        (50.0, [0, 50, 100, 150]),
    ],
)
def test_state_is_written_each_minute_or_when_that_is_wanted_but_once_a_second_at_most(
    wanted_every: float | None, written: list[int], store: Make
) -> None:
    async def main() -> list[tuple[float, bool]]:
        made, record = store()
        await made.open()
        end = current_loop().time() + 199.5
        while (now := current_loop().time()) < end:
            await asyncio.sleep(min(wanted_every or HANGS, end - now))
            if wanted_every is not None and current_loop().time() < end:
                made.save_soon()
        await made.close()
        assert record.calls[-1][1] == "saved"
        return record.dumped

    *periodic, last = run_in_virtual_time(main())
    assert last == (199.5, True)
    assert [(round(when), is_last) for when, is_last in periodic] == [
        (second, False) for second in written
    ]


def test_a_signal_during_the_first_write_is_followed_by_a_last_one(store: Make) -> None:
    async def main() -> list[tuple[float, bool]]:
        made, record = store()
        writing = asyncio.Event()
        record.storage = Storage("json", write=lambda *_: writing.set())
        opening = asyncio.create_task(made.open())
        await writing.wait()
        opening.cancel()
        await made.close()
        assert [call for _, call in record.calls] == ["saved", "saved"]
        return record.dumped

    assert run_in_virtual_time(main()) == [(0.0, False), (0.0, True)]


def test_a_disk_that_hangs_is_given_up_after_five_seconds(
    store: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> tuple[float, list[tuple[float, str]]]:
        made, record = store()
        await made.open()
        made._thread.hangs_from = 1.0  # type: ignore[attr-defined]
        await asyncio.sleep(100.0)
        began = current_loop().time()
        await made.close()
        return current_loop().time() - began, record.calls

    caplog.set_level(logging.INFO)
    lasted, calls = run_in_virtual_time(main())
    assert lasted == pytest.approx(5.05)  # 0.05 s for each file
    assert calls == [(0.0, "saved"), (pytest.approx(65.0), "unsaved")]
    opened, slow, left_behind = caplog.messages
    assert opened == f"state is kept in {tmp_path}"
    assert slow == f"writing to {tmp_path} takes longer than 5 s; its values go on in memory"
    assert left_behind == (
        f"state was not written to {tmp_path} within 5.05 s: does the disk respond? up to 60 s of "
        "energy are not counted"
    )


def test_a_disk_that_takes_nothing_is_reported_once_and_tried_again(
    store: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def write(*_: object) -> None:
        if current_loop().time() < 150:
            raise OSError(errno.ENOSPC, "No space left on device")

    async def main() -> list[tuple[float, str]]:
        made, record = store()
        record.storage = Storage("json", write=write)
        await made.open()
        await asyncio.sleep(200.0)
        await made.close()
        return record.calls

    caplog.set_level(logging.INFO)
    assert run_in_virtual_time(main()) == [
        (0.0, "unsaved"),
        (60.0, "unsaved"),
        (120.0, "unsaved"),
        (180.0, "saved"),
        (200.0, "saved"),
    ]
    path = tmp_path / "main.json"
    assert caplog.messages == [
        (
            f"main: {path} cannot be kept: No space left on device; trying again every 60 s, its "
            "values go on in memory"
        ),
        f"main: {path} is kept again",
    ]
