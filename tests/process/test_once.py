"""`run --once`: the whole state, once, and an end."""

import json
import os
from pathlib import Path

from support.bms import FakeBms
from support.fixtures import MakeBms, Run
from support.frames import SETTINGS, STATUS
from support.process import matches

from process.test_real_frames import EXPECTED, neutral


def test_the_state_is_printed_once_one_line_a_topic(bms: FakeBms, run: Run) -> None:
    service = run("--once", bms.url)
    assert service.wait() == 0
    expected = [json.loads(line) for line in EXPECTED.splitlines()]
    online = next(m for m in expected if matches(m, {"payload": "online"}))
    # What a single moment has no energy for, nor charge.
    counters = ("energy_charged", "energy_discharged", "charge_in", "charge_out")
    state = [online, *(m for m in expected if m["key"] not in ("availability", *counters))]
    assert [json.loads(x) for x in neutral(service.stdout.all()).splitlines()] == state
    assert [line.split(b" ", 2)[2] for line in service.stderr.all()] == [b"info main: online"]


def test_several_bms_are_waited_for_and_printed_together(make_bms: MakeBms, run: Run) -> None:
    house, boat = make_bms(), make_bms(greeting=[])
    service = run("--once", f"house={house.url}", f"boat={boat.url}")
    boat.send(SETTINGS, STATUS)
    assert service.wait() == 0
    for name in ("house", "boat"):
        assert service.message(topic=f"recbms/{name}/soc")["payload"] == 28.5
    topics = [m["topic"] for m in service.messages]
    assert len(topics) == len(set(topics))


def test_one_that_does_not_answer_in_time_is_named_and_the_others_are_printed(
    make_bms: MakeBms, run: Run
) -> None:
    house, silent, down = make_bms(), make_bms(greeting=[]), make_bms()
    down.stop()
    sources = [f"house={house.url}", f"silent={silent.url}", f"down={down.url}"]
    service = run("--once", "--timeout", "3", *sources)
    assert service.wait() == 69
    assert service.stderr.all()[-1].decode() == (
        "recbms-zmq: no status frame within 3 s "
        "(silent: waiting for the first status frame; down: connection refused)"
    )
    assert {m["device"] for m in service.messages} == {"house"}
    assert service.message(key="soc")["payload"] == 28.5


def test_the_other_end_of_a_pipe_may_go(bms: FakeBms, run: Run) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    service = run("--once", bms.url, stdout=writer)
    os.close(writer)
    assert service.wait() == 141
    assert [line.split(b" ", 2)[2] for line in service.stderr.all()] == [b"info main: online"]


def test_only_a_bms_that_emits_snapshots_alone_is_one_document(
    make_bms: MakeBms, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "recbms.toml"
    file.write_text(
        f'[[bms]]\nname = "a"\nurl = "{make_bms().url}"\nemit = "snapshot"\n'
        f'[[bms]]\nname = "ab"\nurl = "{make_bms().url}"\n'
    )
    service = run("--once", "--config", str(file))
    assert service.wait() == 0
    service.stdout.all()
    (document,) = (message for message in service.messages if message["device"] == "a")
    assert (document["kind"], document["payload"]["soc"]) == ("snapshot", 28.5)
    assert document["payload"]["settings/capacity"] == 320
    kinds = {message["kind"] for message in service.messages if message["device"] == "ab"}
    assert kinds == {"availability", "device", "reading"}
