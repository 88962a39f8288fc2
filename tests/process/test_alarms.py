"""The history of alarms with the real command: over `kill -9` and restarts, and printed."""

import json
import signal
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from support.bms import FakeBms
from support.fixtures import MakeBms, Run, Start
from support.frames import STATUS, status
from support.process import Command
from support.waiting import eventually

pytestmark = pytest.mark.slow

LOW = {"present": 1, "addr": 2, "st": 2, "con_st": 3}
TEXT = "Cell voltage too low (unit 2, cell 3)"


@pytest.fixture
def bms(make_bms: MakeBms) -> FakeBms:
    return make_bms(greeting=())


def last_alarm(service: Command) -> tuple[Any, Any]:
    text = service.message(key="last_alarm")["payload"]
    return text, service.message(key="last_alarm_time")["payload"]


def test_alarms_survive_kill_9_and_are_printed_with_what_to_do(
    bms: FakeBms, run: Run, start: Start, tmp_path: Path
) -> None:
    options = ("--no-publish", "--state-dir", str(tmp_path), f"house={bms.url}")
    log = tmp_path / "house.alarms.jsonl"
    service = run(*options)
    bms.send(STATUS)
    assert last_alarm(service) == (None, None)
    bms.send(status(erro=LOW))
    event = service.message(key="event")
    eventually(lambda: log.read_bytes().endswith(b"\n"), "the alarm is on the disk")
    service.send_signal(signal.SIGKILL)
    service.wait()

    service = run(*options)  # the alarm is still active
    bms.wait_for_connections(2)
    bms.send(status(erro=LOW))
    assert last_alarm(service) == (TEXT, event["ts"])
    assert service.stop() == 0
    assert len(log.read_bytes().splitlines()) == 1

    service = run(*options)  # it was cleared meanwhile
    bms.wait_for_connections(3)
    bms.send(STATUS)
    assert last_alarm(service) == (TEXT, event["ts"])
    cleared = service.message(key="event")
    assert cleared["payload"]["event"] == "alarm_cleared"
    assert service.stop() == 0

    printed = start("alarms", "--state-dir", str(tmp_path))
    assert printed.wait() == 0
    raised, end = (
        f"{datetime.fromisoformat(each['ts']).astimezone():%Y-%m-%d %H:%M:%S}"
        for each in (event, cleared)
    )
    assert printed.stdout.text() == (
        f"{raised}  house  error 2, {TEXT}: cleared by {end} or before, while no frames came\n"
        "    Plug in the charger.\n"
    )
    as_json = start("alarms", "--json", env={"STATE_DIRECTORY": str(tmp_path)})
    assert as_json.wait() == 0
    [record] = [json.loads(line) for line in as_json.stdout.text().splitlines()]
    assert record.pop("duration") >= 0
    assert record == {
        "device": "house",
        "number": 2,
        "text": "Cell voltage too low",
        "advice": "Plug in the charger.",
        "unit": 2,
        "cell": 3,
        "raised": event["ts"],
        "cleared": cleared["ts"],
        "observed": False,
        "active": False,
        "times": 1,
        "first_raised": event["ts"],
    }


@pytest.mark.parametrize(
    ("arguments", "code", "out", "error"),
    [
        (
            ["alarms"],
            2,
            "",
            "recbms-zmq: name the directory of the service: recbms-zmq alarms --state-dir DIR\n",
        ),
        (
            ["alarms", "--state-dir", "{}"],
            0,
            "no alarms in {}; no service has it as its --state-dir\n",
            "",
        ),
        (["alarms", "--state-dir", "{}", "--json"], 0, "", ""),
        (
            ["alarms", "--state-dir", "{}/none"],
            78,
            "",
            "recbms-zmq: cannot read the alarms in {}/none: No such file or directory\n",
        ),
    ],
)
def test_without_alarms_it_is_one_sentence(
    start: Start, tmp_path: Path, arguments: list[str], code: int, out: str, error: str
) -> None:
    process = start(*(argument.format(tmp_path) for argument in arguments))
    assert process.wait() == code
    assert process.stdout.text() == out.format(tmp_path)
    assert process.stderr.text() == error.format(tmp_path)
