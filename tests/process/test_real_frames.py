"""The two real frames all the way: from a websocket to lines and ZeroMQ messages.

`expected/real_frames.jsonl` was made by the program, and then read line by line against what is
known of the protocol; so should every change of it be. `TS` and `RUN` stand for what is different
in every run.
"""

import json
import re
from pathlib import Path

from support.bms import FakeBms
from support.fixtures import MakeBms, Run, Subscribe
from support.frames import SETTINGS, STATUS

EXPECTED = (Path(__file__).parent / "expected" / "real_frames.jsonl").read_text(encoding="ascii")
TS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
LAST = "settings/remote_switch"


def neutral(lines: list[bytes]) -> str:
    """Put marks for what is different in every run, having seen that it is the same within one."""
    run = json.loads(lines[0])["run"]
    assert re.fullmatch("[0-9a-f]{8}", run)
    text = b"".join(line + b"\n" for line in lines).decode("ascii")
    return TS.sub("TS", text).replace(f'"run":"{run}"', '"run":"RUN"')


def test_real_frames_give_the_expected_lines(bms: FakeBms, run: Run) -> None:
    service = run("--no-publish", bms.url)
    service.message(key=LAST)
    assert service.stop() == 0
    assert neutral(service.stdout.all()) == EXPECTED
    # Not over all topics: settings that wait for the first status keep the time of their frame.
    times = [(message["topic"], message["ts"]) for message in service.messages]
    by_topic = sorted(times, key=lambda each: each[0])  # keeps the order within a topic
    assert by_topic == sorted(times)


def test_zeromq_bodies_are_the_lines_byte_for_byte(
    make_bms: MakeBms, run: Run, subscribe: Subscribe
) -> None:
    bms = make_bms(greeting=())
    service = run(bms.url)
    service.message(key="availability")
    subscriber = subscribe(service.endpoint())
    subscriber.message(key="availability")  # the same one, replayed
    bms.send(SETTINGS, STATUS)
    subscriber.message(key=LAST)
    assert service.stop() == 0
    subscriber.message(key="availability", reason="stopped")
    assert subscriber.bodies == service.stdout.all()
    assert neutral(subscriber.bodies) == EXPECTED
    for topic, body in subscriber.received:
        assert topic.decode() == json.loads(body)["topic"]


def test_two_bms_have_topics_of_their_own_and_one_run(make_bms: MakeBms, run: Run) -> None:
    house, boat = make_bms(), make_bms()
    service = run("--no-publish", f"house={house.url}", f"boat={boat.url}", "--prefix", "energy")
    service.message(topic=f"energy/house/{LAST}")
    service.message(topic=f"energy/boat/{LAST}")
    service.stop()
    lines = service.stdout.all()
    assert len({json.loads(line)["run"] for line in lines}) == 1
    for name in ("house", "boat"):
        own = [line for line in lines if f"energy/{name}/".encode() in line]
        assert neutral(own) == EXPECTED.replace("recbms/main/", f"energy/{name}/").replace(
            '"device":"main","device_name":"REC BMS"',
            f'"device":"{name}","device_name":"REC BMS {name}"',
        )
