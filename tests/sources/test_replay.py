"""Replaying a recording gives the messages of the live run."""

import asyncio
import errno
import fcntl
import io
import json
import math
import os
import re
import time
from pathlib import Path

import pytest
from support.bms import FakeBms
from support.fixtures import Run
from support.frames import SETTINGS, STATUS, status
from support.receiver import Calls, RecordingReceiver, run_source
from support.virtual_time import current_loop, run_in_virtual_time
from support.waiting import eventually

from recbms_zmq.clock import Instant
from recbms_zmq.config.load import load
from recbms_zmq.errors import ConfigError, UsageError
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.sensors.energy import FROM_ZERO
from recbms_zmq.service.fleet import build_fleet
from recbms_zmq.service.record import record
from recbms_zmq.sources.replay import ReplaySource

OPTIONS = {
    "emit": "both",
    "refresh": "2.5",  # a machine that is later than that leaves repeats out
    "min_interval": "0.2",
    "stale_after": "1.2",
}
FLAGS = [word for name, value in OPTIONS.items() for word in ("--" + name.replace("_", "-"), value)]
RUN = re.compile(rb'"run":"[0-9a-f]{8}"')


class LiveRun:
    """A live run and its recording, made by the code of `record`."""

    def __init__(self, url: str) -> None:
        self.messages: list[bytes] = []
        self.recording: list[bytes] = []
        self._config = load(OPTIONS, [url], {}).config

    def publish(self, batch: Batch) -> None:
        self.messages += [message[1] for message in batch.messages]

    def wait_for(self, text: str, count: int = 1) -> None:
        def is_there() -> bool:
            return sum(text.encode() in message for message in self.messages) >= count

        eventually(is_there, f"{count} messages with {text}")

    def of(self, bms: FakeBms) -> None:
        """Live through what may happen to a BMS."""

        async def live() -> None:
            (wired,) = build_fleet(self._config, self.publish)
            wired.pipeline.meter.resume(FROM_ZERO)
            ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            recording = asyncio.create_task(record(wired, self.recording.append, ended))
            await asyncio.to_thread(self._happen, bms)
            ended.set_result(None)
            await recording

        asyncio.run(live())

    def _happen(self, bms: FakeBms) -> None:
        self.wait_for('"soc","name"')
        for soc in range(5):  # a burst, for the minimal interval
            bms.send(status(soc=soc / 10, ibat=-20.0 + soc))
        bms.send("no JSON", b"\xff\xfe\x00", '{"type":"other"}', SETTINGS[:200], STATUS[:300])
        bms.send(STATUS.replace("13.2439", "NaN"), status(soc="half"), status(units=2))
        bms.send(status(erro={"present": 1, "addr": 2, "st": 2, "con_st": 3}))
        self.wait_for("alarm_raised")
        # Silence: it goes offline, and the connection is renewed.
        self.wait_for('"reason":"no status frame for 1.2 s')
        bms.wait_for_connections(2)
        self.wait_for('"payload":"online"', 2)
        bms.drop()
        bms.wait_for_connections(3)
        bms.send(status(soc=0.9))
        self.wait_for('"payload":90.0')


@pytest.fixture(scope="module")
def live_run() -> LiveRun:
    bms = FakeBms().start()
    try:
        run = LiveRun(bms.url)
        run.of(bms)
    finally:
        bms.close()
    return run


@pytest.mark.parametrize("speed", ["0", "5"])
def test_a_replay_gives_the_same_messages_but_for_run(
    live_run: LiveRun, run: Run, tmp_path: Path, speed: str
) -> None:
    path = tmp_path / "what came.jsonl"
    path.write_bytes(b"\n".join(live_run.recording) + b"\n")
    replay = run("--no-publish", *FLAGS, f"replay:{path}?speed={speed}")
    lines = replay.stdout.all()
    assert replay.wait() == 0
    assert [RUN.sub(b"", line) for line in lines] == [
        RUN.sub(b"", message) for message in live_run.messages
    ]
    last = [m["payload"] for m in replay.messages if m["kind"] == "snapshot"][-1]
    assert (last["link/bad_frames"], last["link/reconnects"]) == (7, 2)


def test_a_replay_loses_nothing_to_a_slow_reader(
    live_run: LiveRun, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "recording.jsonl"
    path.write_bytes(b"\n".join(live_run.recording))
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    replay = run("--no-publish", *FLAGS, f"replay:{path}?speed=0", stdout=writing)
    os.close(writing)
    replay.stderr.line("main: online")  # its messages do not fit into the pipe
    time.sleep(0.5)  # nothing depends on it but how surely a mistake would show
    with os.fdopen(reading, "rb") as pipe:
        lines = pipe.read().splitlines()
    assert replay.wait() == 0
    assert [RUN.sub(b"", line) for line in lines] == [
        RUN.sub(b"", message) for message in live_run.messages
    ]


def recording(*events: dict[str, object] | bytes) -> bytes:
    """Return a recording of these events, a second apart."""
    lines = [json.dumps({"event": "start", "monotonic": 100.0, "wall": 1e9, "version": 1}).encode()]
    for number, event in enumerate(events, 1):
        at = {"monotonic": 100.0 + number, "wall": 1e9 + number}
        lines.append(event if isinstance(event, bytes) else json.dumps({**at, **event}).encode())
    return b"\n".join(lines)


def frame(text: str) -> dict[str, object]:
    return {"event": "frame", "text": text}


END: dict[str, object] = {"event": "end"}


def replayed(path: Path, speed: str = "0") -> Calls:
    return run_source(ReplaySource(f"replay:{path}?speed={speed}", max_frame=1024), 10**9)


def test_the_longest_frame_comes_also_if_every_byte_of_it_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    text = "\x01" * 1024  # six bytes each in the recording
    path.write_bytes(recording(frame(text), END))
    assert replayed(path) == [("frame", text)]


def test_everything_comes_at_its_time(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    path.write_bytes(
        recording(
            {"event": "connected"},
            frame("a"),
            {"event": "frame", "base64": "//4="},
            {"event": "trouble", "reason": "gone"},
            END,
            frame("behind the end"),
        )
    )
    receiver = RecordingReceiver()
    source = ReplaySource(f"replay:{path}?speed=0")
    assert source.now() == Instant(100.0, 1e9)
    asyncio.run(source.run(receiver))
    assert receiver.calls == [
        ("connected", ""),
        ("frame", "a"),
        ("frame", "\xff\xfe"),
        ("disconnected", "gone"),
    ]
    assert receiver.times == [Instant(100.0 + n, 1e9 + n) for n in (1, 2, 3, 4)]
    assert source.now() == Instant(105.0, 1e9 + 5)


def test_after_a_slow_reader_a_replay_catches_up_with_its_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "recording"
    path.write_bytes(recording(frame("a"), frame("b"), frame("c"), END))
    came: list[float] = []

    class Slow(RecordingReceiver):
        async def drain(self) -> None:
            came.append(current_loop().time())
            if len(came) == 1:
                await asyncio.sleep(0.8)

    async def main() -> float:
        monkeypatch.setattr(time, "monotonic", current_loop().time)
        await ReplaySource(f"replay:{path}?speed=2").run(Slow())
        return current_loop().time()

    end = run_in_virtual_time(main())
    assert [*came, end] == pytest.approx([0.5, 0.5 + 0.8, 1.5, 2.0, 2.0])


def test_the_time_of_a_recording_is_that_of_the_clock_but_never_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replay that a slow reader stops at this moment would be looked at without a pause."""
    path = tmp_path / "recording"
    path.write_bytes(recording(frame("a"), END))
    monkeypatch.setattr(time, "monotonic", lambda: 50.0)
    source = ReplaySource(f"replay:{path}?speed=2")
    assert [source.clock_time(at) for at in (104.0, 100.0, 1.0)] == [52.0, 50.01, 50.01]
    assert ReplaySource(f"replay:{path}?speed=0").clock_time(104.0) == math.inf


def test_an_editor_may_have_been_there(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    lines = recording(frame("a"), frame("b"), END).replace(b"\n", b"\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + lines + b"\r\n")
    assert replayed(path) == [("frame", "a"), ("frame", "b")]


def test_between_two_lines_time_goes_on_but_not_past_the_next(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    path.write_bytes(recording(frame("a"), END))

    async def run() -> None:
        source = ReplaySource(f"replay:{path}?speed=0.1")
        task = asyncio.create_task(source.run(RecordingReceiver()))
        await asyncio.sleep(0)
        first = source.now().monotonic
        await asyncio.to_thread(eventually, lambda: source.now().monotonic > first, "time passing")
        now = source.now()
        assert 100.0 <= first < now.monotonic <= 101.0
        assert now.wall - 1e9 == pytest.approx(now.monotonic - 100.0, abs=1e-3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "Input data was truncated"),
        (b'{"event":"end","monotonic":99,"wall":1}', "its time is before that of the line above"),
        (b'{"event":"end","monotonic":1e9,"wall":1}', "its time is before that of the line above"),
        (recording(), "another recording starts here"),
        (b" " * 100_000 + b"{}", "it is longer than --max-frame allows"),
        (b"", "Input data was truncated"),
    ],
)
def test_a_damaged_line_is_skipped_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, line: bytes, why: str
) -> None:
    path = tmp_path / "recording"
    path.write_bytes(recording(frame("a"), line, frame("b"), line, END))
    assert replayed(path) == [("frame", "a"), ("frame", "b")]
    # asyncio in debug mode logs what takes long, too.
    ours = [r.message for r in caplog.records if r.name.startswith("recbms_zmq")]
    first, last = ours
    assert first.startswith(f"{path}: line 3 is skipped: {why}")
    assert last == f"{path}: 2 lines were skipped"


def test_one_damaged_line_is_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "recording"
    path.write_bytes(recording(frame("a"), frame("b"))[:-1])  # cut off in a line
    assert replayed(path) == [("frame", "a")]
    ours = [r.message for r in caplog.records if r.name.startswith("recbms_zmq")]
    assert ours == [f"{path}: line 3 is skipped: Input data was truncated"]


def test_damaged_lines_leave_turns_to_the_others(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    path.write_bytes(recording(*[b"{"] * 1000, END))

    async def run() -> int:
        source = ReplaySource(f"replay:{path}?speed=0")
        task = asyncio.create_task(source.run(RecordingReceiver()))
        turns = 0
        while not task.done():
            turns += 1
            await asyncio.sleep(0)
        return turns

    assert asyncio.run(run()) >= 1000


def test_a_recording_may_pause_for_a_year_but_not_for_longer(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    year = 366 * 86400.0
    later = {**frame("a year later"), "monotonic": 101.0 + year}
    too_late = {**frame("too late"), "monotonic": 101.0 + 2 * year + 0.5}
    path.write_bytes(recording(frame("a"), later, too_late, END))
    assert replayed(path) == [("frame", "a"), ("frame", "a year later")]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot read the recording {path}: No such file or directory"),
        (b"", "{path} is not a recording: it is empty"),
        (
            b"\xff\n",
            "{path} is not a recording: line 1: JSON is malformed: invalid character (byte 0)",
        ),
        (
            STATUS.encode(),
            "{path} is not a recording: line 1: Object missing required field `event`",
        ),
        (
            b'{"event":"end","monotonic":1,"wall":1}',
            "{path} is not a recording: line 1 is not a start",
        ),
        (
            b'{"event":"start","monotonic":1,"wall":1,"version":2}',
            "{path} is not a recording: line 1: Invalid enum value 2 - at `$.version`",
        ),
    ],
)
def test_a_file_that_is_not_a_recording_is_refused(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "recording"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        ReplaySource(f"replay:{path}")
    assert str(caught.value) == why.format(path=path)


def test_a_pipe_is_refused_because_it_would_block(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="it is not a regular file"):
        ReplaySource(f"replay:{path}")


def test_a_recording_that_cannot_be_read_is_named(start: Run) -> None:
    recorder = start("record", "replay:/proc/self/mem")  # a regular file, which gives EIO
    assert recorder.wait() == 78
    assert recorder.stderr.text() == (
        "recbms-zmq: cannot read the recording /proc/self/mem: Input/output error\n"
    )


def test_a_disk_that_fails_on_the_way_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "recording"
    path.write_bytes(recording(frame("a"), frame("b"), END))
    source = ReplaySource(f"replay:{path}?speed=0")

    class Failing(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 150:
                raise OSError(errno.EIO, "Input/output error")
            return super().readline(size)

    content = path.read_bytes()
    monkeypatch.setattr(Path, "open", lambda *_, **__: Failing(content))
    expected = f"cannot read the recording {path} from line 4 on: Input/output error"
    with pytest.raises(ConfigError, match=expected):
        asyncio.run(source.run(RecordingReceiver()))


@pytest.mark.parametrize("speed", ["", "fast", "-1", "nan", "inf"])
def test_a_speed_has_to_be_a_number(tmp_path: Path, speed: str) -> None:
    with pytest.raises(UsageError) as caught:
        ReplaySource(f"replay:{tmp_path}?speed={speed}")
    expected = f"?speed=: expected a speed, a number of at least 0, got {speed!r}"
    assert str(caught.value) == expected
