"""How many messages and bytes come of a fixed drive: counted, so that no change goes unnoticed.

What they cost in system calls and instructions is counted in tests/e2e/test_e2e_cost.py.
"""

from collections import Counter
from pathlib import Path
from typing import BinaryIO

import pytest
from bench import drive
from support.fixtures import Run

from recbms_zmq.clock import Instant
from recbms_zmq.sources.recording import Recorder

pytestmark = pytest.mark.slow

SECONDS = 300


class Nobody:
    """A receiver that has seen nothing wrong."""

    def connected(self, at: Instant) -> None: ...

    def disconnected(self, reason: str, at: Instant) -> None: ...

    def received(self, data: bytes, at: Instant) -> bool:
        return bool(data and at)

    async def drain(self) -> None: ...


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drive as a recording, one frame a second."""
    path = tmp_path_factory.mktemp("drive") / "drive.jsonl"
    with path.open("wb") as file:
        recorder = Recorder(Nobody(), lambda line: _write(file, line))
        at = Instant(0.0, 1_790_000_000.0)
        recorder.start(at)
        recorder.connected(at)
        for second, frame in enumerate(drive.frames(SECONDS), 1):
            recorder.received(frame, at.at(float(second)))
        recorder.stop(at.at(SECONDS + 2.0))
    return path


def _write(file: BinaryIO, line: bytes) -> None:
    file.write(line + b"\n")


@pytest.mark.parametrize(
    ("options", "reading", "snapshot", "size"),
    [
        (["--report", "all"], 15309, 0, 5_211_501),
        ([], 2509, 0, 864_259),
        (["--min-interval", "10"], 995, 0, 351_924),
        (["--bare"], 2509, 0, 579_866),
        (["--emit", "snapshot"], 0, 276, 912_909),
    ],
)
def test_a_drive_makes_exactly_so_many_messages_and_bytes(
    options: list[str], reading: int, snapshot: int, size: int, recording: Path, run: Run
) -> None:
    service = run("--no-publish", *options, f"replay:{recording}?speed=0")
    assert service.wait() == 0
    lines = service.stdout.all()
    # The state is said once a minute, and before and behind that there is an offline.
    others = {"availability": 8, "device": 2, "event": 1}
    kinds = Counter(message["kind"] for message in service.messages)
    assert kinds == Counter({**others, "reading": reading, "snapshot": snapshot})
    assert sum(len(line) + 1 for line in lines) == size
