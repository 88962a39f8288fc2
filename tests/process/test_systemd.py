"""sd_notify: what the real command sends to a notify socket, and when."""

import os
import select
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.bms import FakeBms
from support.fixtures import MakeBms, Run
from support.frames import status
from support.notify_socket import Changes, Manager
from support.process import command

pytestmark = pytest.mark.slow


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    name = f"@recbms-test-{os.getpid()}-{time.monotonic_ns()}"
    made = Manager(str(tmp_path / "notify") if request.param == "path" else name)
    yield made
    made.close()


def is_beat(changes: Changes) -> bool:
    return changes.get("WATCHDOG") == "1"


def test_the_life_of_a_service_is_notified(bms: FakeBms, run: Run, manager: Manager) -> None:
    service = run("--no-stdout", bms.url, env=manager.environment())
    manager.until(lambda _: True)
    service.endpoint()
    manager.status("1 of 1 BMS online; main 28.5 %, charging")
    bms.send(status(soc=0.5, ibat=-12.0))
    manager.status("1 of 1 BMS online; main 50.0 %, discharging")
    assert service.stop() == 0
    assert manager.everything() == [
        {
            "READY": "1",
            "STATUS": "0 of 1 BMS online; main offline: waiting for the first status frame",
        },
        {"STATUS": "1 of 1 BMS online; main 28.5 %, charging"},
        {"STATUS": "1 of 1 BMS online; main 50.0 %, discharging"},
        {"STOPPING": "1", "STATUS": "stopping"},
    ]


def test_it_is_ready_only_when_its_addresses_are_bound(
    bms: FakeBms, run: Run, manager: Manager
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        endpoint = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        service = run("--no-stdout", "--publish", endpoint, bms.url, env=manager.environment())
        assert service.wait() == 73
    assert manager.everything() == []


@pytest.mark.parametrize("manager", ["path"], indirect=True)
def test_the_watchdog_is_fed_though_the_bms_is_silent_or_away(
    make_bms: MakeBms, run: Run, manager: Manager
) -> None:
    silent, away = make_bms(greeting=[]), make_bms()
    away.stop()
    run(
        *("--no-stdout", "--stale-after", "0.5", f"silent={silent.url}", f"away={away.url}"),
        env=manager.environment(seconds=1.0),
    )
    manager.status(
        "0 of 2 BMS online; silent offline: nothing came for 0.5 s; "
        "away offline: connection refused"
    )
    for _ in range(5):
        manager.until(is_beat)


DEAD_SOURCE = """
import sys
from recbms_zmq import cli
from recbms_zmq.service import pipeline
working = pipeline.Pipeline.disconnected
def broken(self, reason, at):
    if self.name == "broken":
        raise RuntimeError("made by the test")
    working(self, reason, at)
pipeline.Pipeline.disconnected = broken
sys.exit(cli.main())
"""
CANCELLED_READER = """
import asyncio, sys
from recbms_zmq import cli
from recbms_zmq.service import fleet, service
async def cancelled(bms, delay):
    if bms.pipeline.name == "broken":
        raise asyncio.CancelledError
    await fleet.keep_running(bms, delay)
service.keep_running = cancelled
sys.exit(cli.main())
"""


@pytest.mark.parametrize("manager", ["path"], indirect=True)
@pytest.mark.parametrize("program", [DEAD_SOURCE, CANCELLED_READER], ids=["raises", "cancelled"])
def test_the_watchdog_is_not_fed_when_a_reader_is_dead(
    make_bms: MakeBms, run: Run, manager: Manager, program: str
) -> None:
    good, away = make_bms(), make_bms()
    away.stop()
    service = run(
        *("--no-stdout", f"good={good.url}", f"broken={away.url}"),
        python=[sys.executable, "-c", program],
        env=manager.environment(seconds=0.6),
    )
    if program == DEAD_SOURCE:
        service.stderr.line("made by the test")
    manager.until(lambda changes: "good 28.5 %" in changes.get("STATUS", ""))
    before = len(manager.received)
    good.send(status(soc=0.5))  # the loop goes on, and sends the state
    manager.until(lambda changes: "good 50.0 %" in changes.get("STATUS", ""))
    assert not any(map(is_beat, manager.received[before:]))


BROKEN_TIMERS = """
import sys
from recbms_zmq import cli
from recbms_zmq.service import fleet
class Broken(fleet.Timer):
    def set(self, due):
        pass
fleet.Timer = Broken
fleet.OVERDUE = 0.5
sys.exit(cli.main())
"""


@pytest.mark.parametrize("manager", ["path"], indirect=True)
def test_the_watchdog_is_not_fed_when_what_is_due_is_not_done(
    bms: FakeBms, run: Run, manager: Manager
) -> None:
    run(
        *("--no-stdout", "--refresh", "1", bms.url),  # the availability is due every second
        python=[sys.executable, "-c", BROKEN_TIMERS],
        env=manager.environment(seconds=0.4),
    )
    manager.until(is_beat)
    while select.select([manager._socket], [], [], 2.0)[0]:  # until there are no more beats
        manager.everything()
    bms.send(status(soc=0.5))  # with a frame all is done that is due
    manager.until(is_beat)


BLOCKED_LOOP = """
import os, sys, time
from recbms_zmq import cli
from recbms_zmq.service import pipeline
working = pipeline.Pipeline.received
def blocking(self, data, at):
    while b"0.5432" in data and not os.path.exists(sys.argv[-1] + ".go"):
        time.sleep(0.01)
    return working(self, data, at)
pipeline.Pipeline.received = blocking
sys.exit(cli.main())
"""


@pytest.mark.parametrize("manager", ["path"], indirect=True)
def test_the_watchdog_is_not_fed_while_the_loop_is_blocked(
    bms: FakeBms, run: Run, manager: Manager, tmp_path: Path
) -> None:
    config = tmp_path / "recbms.toml"
    config.write_text(f'publish = ["tcp://127.0.0.1:*"]\n[[bms]]\nurl = "{bms.url}"\n')
    interval = 0.4
    run(
        *("--no-stdout", "--config", str(config)),
        python=[sys.executable, "-c", BLOCKED_LOOP],
        env=manager.environment(seconds=interval),
    )
    manager.until(lambda changes: "main 28.5 %" in changes.get("STATUS", ""))
    manager.until(is_beat)
    bms.send(status(soc=0.5432))
    while select.select([manager._socket], [], [], 2 * interval)[0]:
        manager.everything()  # systemd would restart us after this silence
    Path(f"{config}.go").touch()
    manager.until(is_beat)


def test_without_systemd_nothing_is_different(bms: FakeBms, run: Run, tmp_path: Path) -> None:
    for address in ("", "nonsense", f"{tmp_path}/none", "@recbms-test-none"):
        service = run("--no-stdout", bms.url, env={"NOTIFY_SOCKET": address})
        service.stderr.line("online")
        assert service.stop() == 0


def test_no_child_inherits_the_notify_socket(bms: FakeBms, run: Run, tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    script = (
        "import os, sys\nfrom recbms_zmq import cli\ntry:\n    cli.main()\nfinally:\n"
        "    print(sorted(n for n in os.environ if n.startswith(('NOTIFY', 'WATCHDOG'))))"
    )
    service = run(
        *("--no-stdout", bms.url),
        python=[*command()[:1], "-c", script],
        env=manager.environment(seconds=5.0),
    )
    service.stderr.line("online")
    service.stop()
    assert service.stdout.text() == "[]\n"
    manager.close()
