"""sd_notify: what the real command sends to a notify socket, and when."""

import contextlib
import os
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.bms import FakeBms
from support.fixtures import MakeBms, Run
from support.frames import SETTINGS, status
from support.process import command
from support.waiting import PATIENCE

from recbms_zmq.service.systemd import Notifier

pytestmark = pytest.mark.slow

Changes = dict[str, str]


class Manager:
    """A notify socket as systemd has one, which keeps what it receives."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.received: list[Changes] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.setblocking(False)

    def environment(self, *, seconds: float | None = None, **more: str) -> dict[str, str]:
        """Return what systemd sets for a service; `seconds` are those of the watchdog."""
        watched = {} if seconds is None else {"WATCHDOG_USEC": str(round(seconds * 1e6))}
        return {"NOTIFY_SOCKET": self.address, **watched, **more}

    def until(self, last: Callable[[Changes], bool]) -> Changes:
        """Wait for a notification of which this is true."""
        deadline = time.monotonic() + PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._socket], [], [], left)[0]:
                self.received += self._read()
                if last(self.received[-1]):
                    return self.received[-1]
        raise AssertionError(f"not received; but {self.received}")

    def everything(self) -> list[Changes]:
        """Return all that was received until now."""
        while select.select([self._socket], [], [], 0)[0]:
            self.received += self._read()
        return self.received

    def status(self, text: str) -> None:
        """Wait for a status."""
        self.until(lambda changes: changes.get("STATUS") == text)

    def fill(self) -> None:
        """Fill the socket with notifications of others until there is no room."""
        full = False
        while not full:
            sent = 0
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
                other.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        other.sendto(b"OTHER=1", self._socket.getsockname())
                        sent += 1
            full = sent == 0

    def close(self) -> None:
        self._socket.close()

    def _read(self) -> list[Changes]:
        lines = self._socket.recv(65536).decode().split("\n")
        return [dict(line.split("=", 1) for line in lines)]


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


def test_the_status_has_problems_and_the_offline_bms_first(
    make_bms: MakeBms, run: Run, manager: Manager
) -> None:
    problem = {"present": 1, "addr": 2, "st": 1, "con_st": 3}
    house = make_bms(greeting=[SETTINGS, status(erro=problem)])
    van = make_bms()
    van.stop()
    run("--no-stdout", f"house={house.url}", f"van={van.url}", env=manager.environment())
    changes = manager.until(lambda changes: "house 28.5" in changes.get("STATUS", ""))
    assert changes["STATUS"] == (
        "1 of 2 BMS online; van offline: connection refused; "
        "house 28.5 %, charging, problem: Cell voltage too high"
    )


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


@pytest.mark.parametrize("manager", ["path"], indirect=True)
@pytest.mark.parametrize(
    ("pid", "usec"), [("1", "1000000"), (None, None), (None, "0"), (None, "soon")]
)
def test_a_watchdog_that_is_not_for_us_is_not_fed(
    bms: FakeBms, run: Run, manager: Manager, pid: str | None, usec: str | None
) -> None:
    settings = {"WATCHDOG_PID": pid, "WATCHDOG_USEC": usec}
    given = {name: value for name, value in settings.items() if value is not None}
    run("--no-stdout", bms.url, env=manager.environment() | given)
    manager.until(lambda changes: "main 28.5 %" in changes.get("STATUS", ""))
    assert not any(map(is_beat, manager.received))


def test_without_systemd_nothing_is_different(bms: FakeBms, run: Run, tmp_path: Path) -> None:
    for address in ("", "nonsense", f"{tmp_path}/none", "@recbms-test-none"):
        service = run("--no-stdout", bms.url, env={"NOTIFY_SOCKET": address})
        service.stderr.line("online")
        assert service.stop() == 0


@pytest.mark.parametrize("manager", ["path"], indirect=True)
class TestNotifier:
    """Times, which are arguments there."""

    def test_the_watchdog_is_fed_twice_as_often_as_asked_for(self, manager: Manager) -> None:
        environ = manager.environment(seconds=10.0, WATCHDOG_PID=str(os.getpid()), HOME="/")
        notifier = make_notifier(environ)
        assert environ == {"HOME": "/"}
        notifier.ready()
        times = run_until(notifier, 119.9)
        notifier.close()
        assert times == [100.0, 105.0, 110.0, 115.0]
        assert manager.everything() == [
            {"READY": "1", "WATCHDOG": "1", "STATUS": "well"},
            {"WATCHDOG": "1"},
            {"WATCHDOG": "1"},
            {"WATCHDOG": "1"},
        ]

    def test_it_is_fed_at_the_next_beat_after_which_it_may_be(self, manager: Manager) -> None:
        alive = iter([True, False, False, True])
        notifier = make_notifier(manager.environment(seconds=2.0), is_alive=lambda: next(alive))
        notifier.ready()
        assert run_until(notifier, 103.0) == [100.0, 101.0, 102.0, 103.0]
        notifier.close()
        assert manager.everything()[1:] == [{"WATCHDOG": "1"}]

    def test_a_state_that_changes_all_the_time_is_sent_every_few_seconds(
        self, manager: Manager
    ) -> None:
        states = iter(range(1000))
        notifier = make_notifier(manager.environment(), status=lambda: str(next(states)))
        notifier.ready()
        for tenth in range(101):
            notifier.changed(100.0 + tenth / 10)
            run_until(notifier, 100.0 + tenth / 10)
        notifier.close()
        assert manager.everything() == [
            {"READY": "1", "STATUS": "0"},
            {"STATUS": "1"},
            {"STATUS": "2"},
        ]

    def test_it_has_nothing_to_do_while_nothing_changes(self, manager: Manager) -> None:
        notifier = make_notifier(manager.environment())
        notifier.ready()
        run_until(notifier, 100.0)
        assert notifier.next_due == float("inf")
        assert not notifier.changed(101.0)
        assert notifier.next_due == 107.0
        notifier.close()
        assert notifier.next_due == float("inf")

    def test_the_status_is_sent_with_a_frame_and_needs_no_timer(self, manager: Manager) -> None:
        states = iter(range(1000))
        notifier = make_notifier(manager.environment(), status=lambda: str(next(states)))
        notifier.ready()
        run_until(notifier, 100.0)
        updates = [at for at in range(101, 116) if notifier.changed(at)]
        assert updates == [105, 110, 115]
        assert notifier.next_due == float("inf")
        notifier.close()
        assert manager.everything()[1:] == [{"STATUS": "1"}, {"STATUS": "2"}, {"STATUS": "3"}]

    def test_there_is_no_status_before_the_start_and_after_the_end(self, manager: Manager) -> None:
        notifier = make_notifier(manager.environment())
        assert not notifier.changed(100.0)
        notifier.ready()
        notifier.stopping()
        assert not notifier.changed(200.0)
        notifier.close()
        assert manager.everything() == [{"READY": "1", "STOPPING": "1", "STATUS": "stopping"}]

    def test_what_systemd_had_no_room_for_is_sent_later(self, manager: Manager) -> None:
        manager.fill()
        notifier = make_notifier(manager.environment(seconds=10.0), is_alive=lambda: False)
        notifier.ready()
        notifier.update(100.0)
        before = len(manager.everything())
        assert notifier.next_due == 101.0
        notifier.update(101.0)
        notifier.close()
        assert manager.everything()[before:] == [{"READY": "1", "STATUS": "well"}]


def make_notifier(
    environ: dict[str, str],
    status: Callable[[], str] = lambda: "well",
    is_alive: Callable[[], bool] = lambda: True,
) -> Notifier:
    return Notifier(environ, status, is_alive)


def run_until(notifier: Notifier, end: float, start: float = 100.0) -> list[float]:
    """Update whenever it is due; return the times."""
    times = []
    while (due := max(start, notifier.next_due)) <= end:
        notifier.update(due)
        times.append(due)
    return times


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
