"""A fleet from one file: each BMS speaks for itself, and none holds up the others."""

from pathlib import Path
from typing import Any

import pytest
from support.bms import Connection
from support.fixtures import MakeBms, Run, Subscribe
from support.frames import SETTINGS, STATUS, status
from support.process import matches
from support.subscriber import Subscriber

pytestmark = pytest.mark.slow

SIZE = 60
FLEET = {f"b{number}" for number in range(SIZE)}


class Flood:
    """Sends without a pause, and counts."""

    sent = 0

    async def __call__(self, connection: Connection) -> None:
        while True:
            await connection.send(STATUS)
            self.sent += 1


def gather(subscriber: Subscriber, devices: set[str], **fields: Any) -> None:
    """Wait for such a message of each of these devices."""
    missing = set(devices)

    def note(message: dict[str, Any]) -> bool:
        if matches(message, fields):
            missing.discard(message["device"])
        return not missing

    subscriber.until(note, str(fields))


def test_each_bms_of_a_fleet_is_on_its_own(
    make_bms: MakeBms, run: Run, subscribe: Subscribe, tmp_path: Path
) -> None:
    flood = Flood()
    many = make_bms(greeting=[SETTINGS, STATUS])
    urls = dict.fromkeys(sorted(FLEET), many.url)
    urls |= {"flood": make_bms(behave=flood).url, "gone": "ws://127.0.0.1:9/ws"}
    config = tmp_path / "fleet.toml"
    config.write_text(
        'publish = ["tcp://127.0.0.1:*"]\nno_stdout = true\nstale_after = 600\n'
        + "".join(f'[[bms]]\nname = "{name}"\nurl = "{url}"\n' for name, url in urls.items())
    )
    service = run("--config", str(config))
    subscriber = subscribe(service.endpoint())
    gather(subscriber, FLEET | {"flood"}, key="availability", payload="online")
    gather(subscribe(service.endpoint()), {"gone"}, key="availability", payload="offline")
    for key in ("link/frames", "link/bad_frames", "link/reconnects", "link/frame_interval"):
        gather(subscribe(service.endpoint()), FLEET | {"flood"}, key=key)

    # A flood delays the others only for a while, and their outage does not concern it.
    before = flood.sent
    many.send(status(vbat=11.11))
    gather(subscriber, FLEET, key="voltage", payload=11.11)
    many.stop()
    many.start()
    many.wait_for_connections(2 * SIZE)
    many.wait_for_client(SIZE)
    many.send(status(vbat=12.12))
    gather(subscriber, FLEET, key="voltage", payload=12.12)
    assert flood.sent > before + SIZE
    messages = subscriber.messages
    assert [m for m in messages if m["device"] == "gone" and m["kind"] == "reading"] == []
    states = [m["payload"] for m in messages if m["topic"] == "recbms/flood/availability"]
    assert states[-1] == "online"
    assert service.stop() == 0
