"""`ipc://` paths of the real command: their mode, and whose they are."""

import fcntl
import os
import signal
import stat
from pathlib import Path

import pytest
from support.bms import FakeBms
from support.fixtures import Run, Subscribe

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("arguments", "mode"),
    [((), 0o600), (("--ipc-mode", "0660"), 0o660), (("--ipc-mode", "666"), 0o666)],
)
def test_the_socket_has_the_mode_that_was_asked_for(
    bms: FakeBms, run: Run, tmp_path: Path, arguments: tuple[str, ...], mode: int
) -> None:
    path = tmp_path / "pub"
    service = run("--publish", f"ipc://{path}", *arguments, bms.url, umask=0o077)
    assert service.endpoint() == f"ipc://{path}"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert stat.S_ISSOCK(path.stat().st_mode)


def test_what_a_killed_service_left_behind_is_cleaned_up(
    bms: FakeBms, run: Run, subscribe: Subscribe, tmp_path: Path
) -> None:
    endpoint = f"ipc://{tmp_path}/pub"
    first = run("--publish", endpoint, bms.url)
    first.endpoint()
    first.stop(signal.SIGKILL)
    assert (tmp_path / "pub").exists()
    second = run("--publish", endpoint, bms.url)
    assert second.endpoint() == endpoint
    run_id = second.message(key="availability")["run"]
    assert subscribe(endpoint).message(key="soc")["run"] == run_id


@pytest.mark.parametrize("kind", [fcntl.LOCK_EX, fcntl.LOCK_SH])
def test_a_lock_that_another_user_holds_on_the_folder_does_not_stop_it(
    kind: int, bms: FakeBms, run: Run, subscribe: Subscribe, tmp_path: Path
) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, kind)
    service = run("--publish", f"ipc://{tmp_path}/pub", bms.url)
    subscribe(service.endpoint()).message(key="soc")
    os.close(folder)


def test_a_file_at_the_path_is_never_removed(bms: FakeBms, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "pub"
    file.write_text("precious")
    endpoint = f"ipc://{file}"
    service = run("--publish", endpoint, bms.url)
    assert service.wait() == 73
    assert service.stderr.text().endswith(
        f"recbms-zmq: cannot publish on {endpoint}: the file at this path is not a socket\n"
    )
    assert file.read_text() == "precious"
