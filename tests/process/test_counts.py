"""How many messages and bytes a fixed drive makes, in relation to all of its readings.

What they cost in system calls and instructions is counted in tests/e2e/test_e2e_cost.py.
"""

from collections import Counter
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pytest
from bench import drive
from support.fixtures import Run
from support.receiver import RecordingReceiver

from recbms_zmq.clock import Instant
from recbms_zmq.sources.recording import Recorder

pytestmark = pytest.mark.slow

SECONDS = 300


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drive as a recording, one frame a second."""
    path = tmp_path_factory.mktemp("drive") / "drive.jsonl"
    with path.open("wb") as file:
        recorder = Recorder(RecordingReceiver(), lambda line: _write(file, line))
        at = Instant(0.0, 1_790_000_000.0)
        recorder.start(at)
        recorder.connected(at)
        for second, frame in enumerate(drive.frames(SECONDS), 1):
            recorder.received(frame, at.at(float(second)))
        recorder.stop(at.at(SECONDS + 2.0))
    return path


def _write(file: BinaryIO, line: bytes) -> None:
    file.write(line + b"\n")


class Sent(NamedTuple):
    """What came of the drive: messages by kind, and bytes."""

    kinds: Counter[str]
    size: int


def sent(run: Run, recording: Path, *options: str) -> Sent:
    service = run("--no-publish", *options, f"replay:{recording}?speed=0")
    assert service.wait() == 0
    size = sum(len(line) + 1 for line in service.stdout.all())
    return Sent(Counter(message["kind"] for message in service.messages), size)


@pytest.mark.parametrize(
    ("options", "kind", "messages", "size"),
    [
        ([], "reading", 0.165, 0.168),
        (["--min-interval", "10"], "reading", 0.061, 0.0635),
        (["--bare"], "reading", 0.165, 0.113),
        (["--emit", "snapshot"], "snapshot", 0.0155, 0.161),
    ],
)
def test_what_a_drive_costs_is_this_part_of_all_its_readings(
    options: list[str], kind: str, messages: float, size: float, recording: Path, run: Run
) -> None:
    everything = sent(run, recording, "--report", "all")
    some = sent(run, recording, *options)
    # The availability is repeated once a minute, and `offline` comes first and last.
    others = {"availability": 8, "device": 2, "event": 1}
    assert everything.kinds - Counter(others) == Counter(reading=everything.kinds["reading"])
    assert some.kinds - Counter(others) == Counter({kind: some.kinds[kind]})
    all_readings = everything.kinds["reading"]
    assert some.kinds[kind] / all_readings == pytest.approx(messages, rel=0.03)
    assert some.size / everything.size == pytest.approx(size, rel=0.03)
