"""Tests of the history of alarms: a real log on a real disk, in one process."""

import io
import resource
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbms_zmq.cli import main
from recbms_zmq.clock import Instant
from recbms_zmq.sensors.alarm_tracker import Alarm, AlarmTracker
from recbms_zmq.service import state_files
from recbms_zmq.service.alarm_history import (
    MOST_ALARMS,
    STORAGE,
    AlarmHistory,
    PastAlarm,
    read_history,
)

LOW = Alarm(2, "Cell voltage too low", 2, 3)
COLD = Alarm(7, "Temperature too low for charging", 2, 1)


def at(seconds: float) -> Instant:
    return Instant(seconds, 1_790_000_000.0 + seconds)


def ts(seconds: float) -> str:
    return at(seconds).isoformat()


class Process:
    """A process that follows the alarm of one BMS; `save` is what the store does."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / f"main.{STORAGE.suffix}"
        self.tracker = AlarmTracker()
        self.wanted = 0
        self.history = AlarmHistory("main", self.tracker.resume, self._save_soon)
        self.history.load(STORAGE.read(self.path))

    def _save_soon(self) -> None:
        self.wanted += 1

    def frame(self, second: float, alarm: Alarm | None, *, online: bool = True) -> None:
        changes = self.tracker.update(alarm, ts(second))
        self.history.update(changes, at(second), online)

    def save(self) -> None:
        lines = self.history.dump(last=False)
        if lines is not None:
            try:
                STORAGE.write(self.path, lines)
            except OSError:
                self.history.unsaved()
                raise
            self.history.saved()


def past(
    alarm: Alarm,
    raised: float,
    cleared: float | None,
    *,
    observed: bool = True,
    is_active: bool = False,
    device: str = "main",
) -> PastAlarm:
    end = None if cleared is None else ts(cleared)
    return PastAlarm(device, alarm, ts(raised), end, observed, is_active)


def test_an_alarm_over_restarts_is_raised_once_and_closed_with_what_is_known(
    tmp_path: Path,
) -> None:
    process = Process(tmp_path)
    for second, alarm in enumerate([None, LOW, LOW, None, COLD]):
        process.frame(second, alarm)
        process.save()
    assert read_history(tmp_path) == [past(LOW, 1, 3), past(COLD, 4, None, is_active=True)]

    process = Process(tmp_path)  # the alarm is still active, and is cleared later
    process.frame(10, COLD, online=False)
    process.frame(11, None)
    process.frame(12, LOW)
    process.save()
    now = [past(LOW, 1, 3), past(COLD, 4, 11), past(LOW, 12, None, is_active=True)]
    assert read_history(tmp_path) == now

    process = Process(tmp_path)  # it was cleared while the program was down
    process.frame(20, None, online=False)
    process.save()
    assert read_history(tmp_path) == [*now[:2], past(LOW, 12, 20, observed=False)]
    assert process.tracker.last is not None
    assert process.tracker.last.raised_at == ts(12)


def test_the_alarms_of_all_bms_are_in_the_order_of_their_times(tmp_path: Path) -> None:
    for name, second in (("boat", 5.0), ("house", 1.0)):
        process = Process(tmp_path)
        process.path = tmp_path / f"{name}.{STORAGE.suffix}"
        process.frame(second, LOW)
        process.save()
    assert read_history(tmp_path) == [
        past(LOW, 1, None, is_active=True, device="house"),
        past(LOW, 5, None, is_active=True, device="boat"),
    ]


def test_whatever_a_power_cut_leaves_of_the_last_line_costs_that_line_alone(
    tmp_path: Path,
) -> None:
    process = Process(tmp_path)
    process.frame(1, LOW)
    process.frame(2, None)
    process.save()
    whole = process.path.read_bytes()
    process.frame(3, COLD)
    process.save()
    content = process.path.read_bytes()
    for size in range(len(whole), len(content)):
        process.path.write_bytes(content[:size])
        assert read_history(tmp_path) == [past(LOW, 1, 2)]
        after = Process(tmp_path)
        after.frame(4, COLD)
        after.save()
        assert read_history(tmp_path) == [past(LOW, 1, 2), past(COLD, 4, None, is_active=True)]
        assert process.path.read_bytes().startswith(whole)


@contextmanager
def full_at(size: int) -> Iterator[None]:
    """Let no file become larger than this."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_leaves_the_log_as_it_was_and_no_alarm_is_lost(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.frame(1, LOW)
    process.save()
    before = process.path.read_bytes()
    process.frame(2, None)
    for room in (0, 1, 20):
        with full_at(len(before) + room), pytest.raises(OSError, match="too large"):
            process.save()
        assert process.path.read_bytes() == before
    process.frame(3, COLD)
    process.save()
    assert read_history(tmp_path) == [past(LOW, 1, 2), past(COLD, 3, None, is_active=True)]


def test_what_waits_for_a_disk_is_bounded_and_so_are_the_writes_for_an_alarm_that_comes_and_goes(
    tmp_path: Path,
) -> None:
    process = Process(tmp_path)
    for second in range(6000):
        process.frame(second, None if second % 2 else LOW)
    assert process.wanted == 80  # in two hours
    process.save()
    kept = read_history(tmp_path)
    assert kept == [past(LOW, second, second + 1) for second in range(5000, 6000, 2)]


@pytest.mark.slow
def test_two_files_of_bounded_size_hold_the_last_thousand_alarms(tmp_path: Path) -> None:
    process = Process(tmp_path)
    longest = Alarm(2**63 - 1, "\U0001f50b" * 200, 255, 32)
    rounds = 3 * MOST_ALARMS
    for second in range(0, 2 * rounds, 2):
        process.frame(second, longest)
        process.frame(second + 1, None)
        if not second % 20 or second > 2 * rounds - 3:
            process.save()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["main.alarms.jsonl", "main.alarms.jsonl.old"]
    assert all(path.stat().st_size < 1.02 * state_files.LOG_BYTES for path in tmp_path.iterdir())
    shown = longest._replace(text=longest.text[:100])
    assert read_history(tmp_path) == [
        past(shown, second, second + 1) for second in range(2 * rounds - 2000, 2 * rounds, 2)
    ]
    last = Process(tmp_path).tracker.last
    assert last is not None
    assert last.raised_at == ts(2 * rounds - 2)


@given(
    st.lists(
        st.binary(max_size=40)
        | st.builds(
            lambda **fields: msgspec.json.encode(fields),
            ts=st.text(max_size=8) | st.just(ts(1)) | st.integers(),
            event=st.sampled_from(["alarm_raised", "alarm_cleared", "other"]),
            number=st.none() | st.integers() | st.text(max_size=3),
            text=st.text(max_size=8),
            raised=st.none() | st.text(max_size=8),
        ),
        max_size=6,
    ),
)
def test_whatever_is_in_a_log_is_printed_or_skipped(lines: list[bytes]) -> None:
    with TemporaryDirectory() as folder:
        directory = Path(folder)
        (directory / "main.alarms.jsonl").write_bytes(b"\n".join([*lines, b""]))
        Process(directory)
        printed = io.StringIO()
        with redirect_stdout(printed):
            assert main(["alarms", "--state-dir", folder]) == 0
            assert main(["alarms", "--state-dir", folder, "--json"]) == 0
    assert printed.getvalue().replace("\n", "").isprintable()


def test_an_end_that_is_not_in_the_log_is_unknown(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.frame(1, LOW)
    process.save()
    process.frame(2, None)  # killed before that was written
    process = Process(tmp_path)
    process.tracker = AlarmTracker()  # as if the log had been read late
    process.frame(3, COLD)
    process.save()
    with process.path.open("ab") as log:
        log.write(b"no entry\n[]\n\xff\n")
    assert read_history(tmp_path) == [
        past(LOW, 1, None, observed=False),
        past(COLD, 3, None, is_active=True),
    ]
    with suppress(FileNotFoundError):
        process.path.unlink()
    assert read_history(tmp_path) == []
