"""What is sent to systemd, and when; times are arguments here."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.notify_socket import Manager

from recbms_zmq.service.systemd import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(str(tmp_path / "notify"))
    yield made
    made.close()


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


def test_the_watchdog_is_fed_twice_as_often_as_asked_for(manager: Manager) -> None:
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


def test_it_is_fed_at_the_next_beat_after_which_it_may_be(manager: Manager) -> None:
    alive = iter([True, False, False, True])
    notifier = make_notifier(manager.environment(seconds=2.0), is_alive=lambda: next(alive))
    notifier.ready()
    assert run_until(notifier, 103.0) == [100.0, 101.0, 102.0, 103.0]
    notifier.close()
    assert manager.everything()[1:] == [{"WATCHDOG": "1"}]


def test_a_state_that_changes_all_the_time_is_sent_every_few_seconds(
    manager: Manager,
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


def test_it_has_nothing_to_do_while_nothing_changes(manager: Manager) -> None:
    notifier = make_notifier(manager.environment())
    notifier.ready()
    run_until(notifier, 100.0)
    assert notifier.next_due == float("inf")
    assert not notifier.changed(101.0)
    assert notifier.next_due == 107.0
    notifier.close()
    assert notifier.next_due == float("inf")


def test_the_status_is_sent_with_a_frame_and_needs_no_timer(manager: Manager) -> None:
    states = iter(range(1000))
    notifier = make_notifier(manager.environment(), status=lambda: str(next(states)))
    notifier.ready()
    run_until(notifier, 100.0)
    updates = [at for at in range(101, 116) if notifier.changed(at)]
    assert updates == [105, 110, 115]
    assert notifier.next_due == float("inf")
    notifier.close()
    assert manager.everything()[1:] == [{"STATUS": "1"}, {"STATUS": "2"}, {"STATUS": "3"}]


def test_there_is_no_status_before_the_start_and_after_the_end(manager: Manager) -> None:
    notifier = make_notifier(manager.environment())
    assert not notifier.changed(100.0)
    notifier.ready()
    notifier.stopping()
    assert not notifier.changed(200.0)
    notifier.close()
    assert manager.everything() == [{"READY": "1", "STOPPING": "1", "STATUS": "stopping"}]


def test_what_systemd_had_no_room_for_is_sent_later(manager: Manager) -> None:
    manager.fill()
    notifier = make_notifier(manager.environment(seconds=10.0), is_alive=lambda: False)
    notifier.ready()
    notifier.update(100.0)
    before = len(manager.everything())
    assert notifier.next_due == 101.0
    notifier.update(101.0)
    notifier.close()
    assert manager.everything()[before:] == [{"READY": "1", "STATUS": "well"}]


@pytest.mark.parametrize(("pid", "usec"), [("1", "1000000"), ("", ""), ("", "0"), ("", "soon")])
def test_a_watchdog_that_is_not_for_us_is_not_fed(manager: Manager, pid: str, usec: str) -> None:
    environ = manager.environment(WATCHDOG_PID=pid, WATCHDOG_USEC=usec)
    notifier = make_notifier(environ)
    notifier.ready()
    notifier.update(100.0)
    notifier.close()
    assert environ == {}
    assert manager.everything() == [{"READY": "1", "STATUS": "well"}]
