"""Whose an `ipc://` path is; the real command with such paths is in `tests/process`."""

import contextlib
import os
import socket
import threading
from pathlib import Path

import pytest

from recbms_zmq.sinks.ipc import IpcPath


def test_of_many_that_bind_a_dead_path_at_once_exactly_one_gets_it(tmp_path: Path) -> None:
    path = tmp_path / "pub"
    for _ in range(50):
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(str(path))
        dead.close()
        bound: list[IpcPath] = []
        start = threading.Barrier(4)

        def bind(bound: list[IpcPath] = bound, start: threading.Barrier = start) -> None:
            start.wait()
            with contextlib.suppress(OSError):
                bound.append(IpcPath(path, 0o600))

        threads = [threading.Thread(target=bind) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(bound) == 1
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(path))  # what is at the path is alive
        client.close()
        bound[0].remove()
        os.close(bound[0].detach())
        assert not path.exists()


def test_a_path_that_is_another_services_by_now_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "pub"
    first = IpcPath(path, 0o600)
    path.unlink()
    second = IpcPath(path, 0o600)
    first.remove()
    assert path.exists()
    second.remove()
    assert not path.exists()
    for bound in (first, second):
        os.close(bound.detach())


def test_a_busy_service_counts_as_alive(tmp_path: Path) -> None:
    path = tmp_path / "pub"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
        busy.bind(str(path))
        busy.listen(0)
        waiting.connect(str(path))  # fills its queue
        with pytest.raises(OSError, match="in use"):
            IpcPath(path, 0o600)
    assert path.exists()
