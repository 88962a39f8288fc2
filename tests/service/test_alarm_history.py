"""Tests of the history of alarms: a real log on a real disk, in one process."""

import io
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from recbms_zmq.cli import main
from recbms_zmq.clock import Instant
from recbms_zmq.sensors.alarm_tracker import Alarm, AlarmTracker
from recbms_zmq.service import state_files
from recbms_zmq.service.alarm_history import MOST_ALARMS, PastAlarm
from recbms_zmq.service.alarm_history import read_history as read_directory
from recbms_zmq.service.alarm_record import AlarmRecord

STORAGE = AlarmRecord.storage
LOW = Alarm(2, "Cell voltage too low", 2, 3)
WORSE = LOW._replace(cell=4)
COLD = Alarm(7, "Temperature too low for charging", 2, 1)


def at(seconds: float) -> Instant:
    return Instant(seconds, 1_790_000_000.0 + seconds)


def ts(seconds: float) -> str:
    return at(seconds).isoformat()


def read_history(directory: Path) -> list[PastAlarm]:
    found = read_directory(directory)
    assert not found.failures
    return found.alarms


class Process:
    """A process that follows the alarm of one BMS; `save` is what the store does."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / f"main.{STORAGE.suffix}"
        self.tracker = AlarmTracker()
        self.wanted = 0
        self.second = 0.0
        self.history = AlarmRecord(
            "main", self.tracker.resume, self._save_soon, lambda: self.second
        )
        self.history.load(STORAGE.read(self.path))

    def _save_soon(self) -> None:
        self.wanted += 1

    def frame(self, second: float, alarm: Alarm | None, *, online: bool = True) -> None:
        self.second = second
        changes = self.tracker.update(alarm, ts(second))
        self.history.update(changes, at(second), online)

    def save(self, *, last: bool = False) -> None:
        lines = self.history.dump(last=last)
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
    times: int = 1,
    first: float | None = None,
) -> PastAlarm:
    end = None if cleared is None else ts(cleared)
    since = ts(raised if first is None else first)
    return PastAlarm(device, alarm, ts(raised), end, observed, is_active, times, since)


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

    for second, alarm in ((30, COLD), (31, None), (32, COLD)):
        process.frame(second, alarm)
        process.save()
    process = Process(tmp_path)  # it was raised twice, and is cleared later
    process.frame(40, COLD, online=False)
    process.frame(41, None)
    process.save(last=True)
    assert read_history(tmp_path)[-1] == past(COLD, 32, 41, times=2, first=30)


def test_a_log_that_cannot_be_read_hides_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = Process(tmp_path)
    process.frame(1, LOW)
    process.frame(2, None)
    process.save()
    with process.path.open("ab") as log:
        log.write(b"no alarm\n[]\n" + b'{"ts": "half a li')
    (tmp_path / "boat.alarms.jsonl").mkdir()
    (tmp_path / "cabin.alarms.jsonl").write_bytes(b"\n" * 2**22 + b"\n")
    assert main(["alarms", "--state-dir", str(tmp_path), "--json"]) == 78
    out, error = capsys.readouterr()
    [record] = map(msgspec.json.decode, out.splitlines())
    assert (record["device"], record["raised"], record["cleared"]) == ("main", ts(1), ts(2))
    assert error == (
        f"recbms-zmq: 2 lines of {process.path} are no alarms\n"
        f"recbms-zmq: cannot read all alarms in {tmp_path}: boat.alarms.jsonl: Is a directory; "
        "cabin.alarms.jsonl: it has more than 4,194,304 bytes\n"
    )


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])  # the end of the first one comes late
def test_a_clock_that_was_set_back_changes_no_order_and_makes_no_duration(
    order: tuple[int, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (
        b'{"ts":"2031-11-26T10:00:00.000Z","event":"alarm_raised","number":2,"text":"Low"}\n',
        (
            b'{"ts":"2026-11-26T10:00:00.000Z","event":"alarm_cleared","number":2,"text":"Low",'
            b'"raised":"2031-11-26T10:00:00.000Z"}\n'
        ),
        b'{"ts":"2026-11-26T10:01:00.000Z","event":"alarm_raised","number":7,"text":"Cold"}\n',
    )
    log = b"".join(lines[number] for number in order)
    if order[-1] == 1:
        log = log.removesuffix(b"}\n") + b',"late":true}\n'
    (tmp_path / "main.alarms.jsonl").write_bytes(log)
    assert main(["alarms", "--state-dir", str(tmp_path), "--json"]) == 0
    records = list(map(msgspec.json.decode, capsys.readouterr().out.splitlines()))
    states = [(record["text"], record["active"]) for record in records]
    assert states == [("Low", False), ("Cold", True)]
    assert records[0]["duration"] is None
    assert main(["alarms", "--state-dir", str(tmp_path)]) == 0
    assert ", after the clock was set back\n" in capsys.readouterr().out


def test_an_end_that_is_written_late_leaves_the_active_alarm_active_whatever_the_clock(
    tmp_path: Path,
) -> None:
    process = Process(tmp_path)

    def frame(second: float, alarm: Alarm | None, set_back: float = 0.0) -> None:
        process.second = second
        when = Instant(second, at(second).wall - set_back)
        changes = process.tracker.update(alarm, when.isoformat())
        process.history.update(changes, when, was_online=True)
        process.save()

    for second, alarm in ((0, LOW), (1, None), (2, LOW), (3, None), (70, None)):
        frame(second, alarm)
    for second, alarm in ((80, LOW), (81, None)):
        frame(second, alarm)  # this is not written at once, because it comes and goes
    frame(90, COLD, 1000)
    process.second = 400
    process.save()
    kept = [past(LOW, 80, 81, times=3, first=0), past(COLD, -910, None, is_active=True)]
    assert read_history(tmp_path) == kept
    assert process.path.read_bytes().count(b'"late":true') == 1

    process = Process(tmp_path)  # it is not raised again
    frame(410, COLD, 1000)
    assert read_history(tmp_path) == kept


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


@pytest.mark.parametrize(
    ("pause", "others", "is_same"),
    [(3600, 0, True), (3601, 0, False), (900, 99, True), (900, 100, False)],
)
def test_an_alarm_is_the_same_one_for_an_hour_and_a_hundred_others(
    pause: int, others: int, is_same: bool, tmp_path: Path
) -> None:
    process = Process(tmp_path)
    process.frame(0, LOW)
    process.frame(1, None)
    for number in range(others):
        process.frame(2 + number, LOW._replace(number=100 + number))
    process.frame(500, None)
    process.frame(1 + pause, LOW)
    process.save(last=True)
    alarms = [each for each in read_history(tmp_path) if each.alarm == LOW]
    again = past(LOW, 1 + pause, None, is_active=True)
    assert alarms == (
        [replace(again, times=2, first_raised=ts(0))] if is_same else [past(LOW, 0, 1), again]
    )


def test_the_last_change_is_written_when_there_was_none_for_five_minutes(tmp_path: Path) -> None:
    process = Process(tmp_path)
    for second in range(0, 400, 4):
        process.frame(second, LOW)
        process.frame(second + 2, None)
        process.save()
    written = process.path.read_bytes()
    process.second = 398 + 299
    process.save()
    assert process.path.read_bytes() == written
    process.second = 398 + 300
    process.save()
    assert process.path.read_bytes() != written
    assert read_history(tmp_path) == [past(LOW, 396, 398, times=100, first=0)]


def test_a_text_without_end_is_cut(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.frame(0, LOW._replace(text="x" * 101))
    process.save()
    assert read_history(tmp_path) == [past(LOW._replace(text="x" * 100), 0, None, is_active=True)]


def test_an_alarm_that_comes_and_goes_has_one_entry_and_leaves_room_for_the_others(
    tmp_path: Path,
) -> None:
    process = Process(tmp_path)
    process.frame(0, COLD)
    process.frame(2, None)
    day = 86_400
    for second in range(4, day + 4, 4):
        process.frame(second, LOW)
        process.frame(second + 2, None)
        process.save()
    lines = len(process.path.read_bytes().splitlines())
    assert lines <= 12
    assert process.wanted <= 12
    process.second = day + 400  # nothing has changed for some minutes
    process.save()
    kept = [past(COLD, 0, 2), past(LOW, day, day + 2, times=day // 4, first=4)]
    assert read_history(tmp_path) == kept

    process = Process(tmp_path)  # more than an hour later it is another one
    assert process.tracker.last == (LOW.sentence, ts(day))
    process.frame(day + 3700, LOW)
    process.save()
    assert read_history(tmp_path) == [*kept, past(LOW, day + 3700, None, is_active=True)]


MOMENTS = st.lists(
    st.tuples(st.sampled_from([1, 50, 400, 4000]), st.sampled_from([None, LOW, COLD, WORSE])),
    max_size=12,
)


@given(MOMENTS, st.lists(st.integers(0, 11)), st.booleans())
# Their lines come in another order than they were raised.
@example(moments=[(1, COLD), (1, LOW), (1, None), (4000, LOW)], saves=[], ends=False)
@example(
    moments=[(1, each) for each in (LOW, None, LOW, None, LOW, COLD)], saves=[3, 5], ends=False
)
def test_the_history_has_each_alarm_with_its_last_time_and_how_often_it_came(
    moments: list[tuple[int, Alarm | None]], saves: list[int], ends: bool
) -> None:
    expected: list[PastAlarm] = []
    active: Alarm | None = None
    changed: dict[Alarm | None, int] = {}
    second = 0
    with TemporaryDirectory() as folder:
        process = Process(Path(folder))
        for number, (pause, alarm) in enumerate(moments):
            second += pause
            process.frame(second, alarm)
            if number in saves:
                process.save()
            if alarm == active:
                continue
            if active is not None:
                expected[-1] = replace(expected[-1], cleared=ts(second), is_active=False)
            if alarm is not None:
                same = [each for each in expected if each.alarm == alarm]
                if same and second - changed[alarm] <= 3600:
                    expected.remove(same[-1])
                    new = past(alarm, second, None, is_active=True, times=same[-1].times + 1)
                    expected.append(replace(new, first_raised=same[-1].first_raised))
                else:
                    expected.append(past(alarm, second, None, is_active=True))
            changed[active] = changed[alarm] = second
            active = alarm
        if not ends:  # some minutes without a change
            process.second += 301
        process.save(last=ends)
        assert read_history(Path(folder)) == expected


def test_what_waits_for_a_disk_is_bounded_and_so_are_writes_at_once(tmp_path: Path) -> None:
    process = Process(tmp_path)
    alarms = [LOW._replace(number=number) for number in range(3000)]
    for second, alarm in enumerate(alarms):
        process.frame(2 * second, alarm)
        process.frame(2 * second + 1, None)
    assert process.wanted == 80  # in two hours
    process.save()
    kept = read_history(tmp_path)
    waiting = list(enumerate(alarms))[-1100:]
    assert kept == [past(alarm, 2 * second, 2 * second + 1) for second, alarm in waiting][-1000:]


def test_lines_can_be_read_by_a_program_that_knows_no_counts(tmp_path: Path) -> None:
    process = Process(tmp_path)
    for second, alarm in enumerate([LOW, None, LOW]):
        process.frame(second, alarm)
        process.save()
    process.frame(3, None)
    process.save(last=True)
    of_low = {"number": 2, "text": LOW.text, "unit": 2, "cell": 3}
    raised, cleared = ({"event": event} | of_low for event in ("alarm_raised", "alarm_cleared"))
    again = {"times": 2, "first_raised": ts(0)}
    assert list(map(msgspec.json.decode, process.path.read_bytes().splitlines())) == [
        {"ts": ts(0)} | raised,
        {"ts": ts(1)} | cleared | {"raised": ts(0)},
        {"ts": ts(2)} | raised | again,
        {"ts": ts(3)} | cleared | {"raised": ts(2)} | again,
    ]


@pytest.mark.slow
def test_two_files_of_bounded_size_hold_the_last_thousand_alarms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", bool)  # 6,000 of them take half a minute
    process = Process(tmp_path)
    longest = Alarm(2**63 - 1, "\U0001f50b" * 200, 255, 32)
    alarms = [longest._replace(number=2**63 - 1 - number) for number in range(3 * MOST_ALARMS)]
    for number, alarm in enumerate(alarms):
        process.frame(2 * number, alarm)
        process.save()
        process.frame(2 * number + 1, None)
        process.save()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["main.alarms.jsonl", "main.alarms.jsonl.old"]
    assert all(path.stat().st_size < 1.02 * state_files.LOG_BYTES for path in tmp_path.iterdir())
    assert read_history(tmp_path) == [
        past(alarm._replace(text=alarm.text[:100]), 2 * number, 2 * number + 1)
        for number, alarm in list(enumerate(alarms))[-MOST_ALARMS:]
    ]
    last = Process(tmp_path).tracker.last
    assert last is not None
    assert last.raised_at == ts(2 * len(alarms) - 2)


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
