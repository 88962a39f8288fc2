"""What is published of energy counters never falls, whenever the process is killed."""

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import astuple

from recbms_zmq.sensors.energy import Counters, EnergyMeter
from recbms_zmq.service.counters import EnergyRecord

# What happens before a sample of a pack. A slow write ends after the sample, a cut one never.
STEPS = st.sampled_from(["", "", "write", "slow write", "cut write", "end", "kill"])
MUCH = 1_000_000.0
WATTS = st.sampled_from([0.0, 300.0, 6_000.0, MUCH])


class Process:
    """A process that begins with what is on the disk, and reserves more at once."""

    def __init__(self, disk: bytes | None) -> None:
        self.disk = disk
        self.meter = EnergyMeter()
        self.wants_save = False
        self.record = EnergyRecord("main", self.meter, self._save_soon)
        self.record.load(disk)
        self.write(self.record.dump(last=False))

    def _save_soon(self) -> None:
        self.wants_save = True

    def write(self, content: bytes | None) -> None:
        if content is not None:
            self.disk = content
            self.record.saved()

    def publish(self, now: float, watts: float) -> float:
        self.meter.add(now, 500.0, watts / 500)
        assert self.meter.totals is not None
        charged = self.record.limit(self.meter.totals).energy_charged
        assert charged is not None
        return charged

    def on_disk(self) -> float:
        assert self.disk is not None
        saved = msgspec.json.decode(self.disk)
        return float((saved["reserved"] or saved)["energy_charged"])


# Much is reserved by a pack of much power, and then the total is far below it.
@example([("", MUCH), ("", MUCH), ("write", 0.0), ("kill", 0.0)])
# Less is reserved than before, and more than that is counted while it is being written.
@example([("", MUCH), ("", MUCH), ("write", 0.0), ("write", 300.0), ("slow write", MUCH)])
@given(st.lists(st.tuples(STEPS, WATTS), max_size=40))
def test_no_published_counter_falls_and_none_is_above_what_is_on_the_disk(
    steps: list[tuple[str, float]],
) -> None:
    process = Process(None)
    published = 0.0
    for now, (step, watts) in enumerate(steps):
        content = process.record.dump(last=step == "end") if "w" in step or step == "end" else None
        if step in ("write", "end"):
            process.write(content)
        if step in ("end", "kill"):
            process = Process(process.disk)
        charged = process.publish(float(now), watts)
        assert published <= charged <= process.on_disk()
        published = charged
        if step == "slow write":
            process.write(content)
            assert published <= process.on_disk()


def test_a_counter_that_needs_more_than_is_reserved_asks_for_a_write() -> None:
    process = Process(None)
    process.record.dump(last=False)
    process.record.saved()
    process.meter.add(0.0, 50.0, 7_200.0)
    for second in (1.0, 2.0):
        process.meter.add(second, 50.0, 7_200.0)
    totals = process.meter.totals
    assert totals is not None
    assert process.record.limit(totals).energy_charged == 0.1
    assert process.wants_save
    process.record.dump(last=False)
    process.record.saved()
    assert process.record.limit(totals) == totals
    assert astuple(totals)[0] > 0.19


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 300,
        b"[]",
        b"{}",
        b'{"energy_charged":1e999,"energy_discharged":1,"charge_in":1,"charge_out":1}',
        b'{"energy_charged":1,"energy_discharged":1,"charge_in":1}',
        b'{"energy_charged":1,"energy_discharged":1,"charge_in":1,"charge_out":-0.001}',
        b'{"energy_charged":1,"energy_discharged":1,"charge_in":1,"charge_out":null}',
        b'{"energy_charged":1,"energy_discharged":1,"charge_in":1,"charge_out":1,"reserved":{}}',
    ],
)
def test_a_damaged_file_gives_no_counters(content: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        Process(content)


@pytest.mark.parametrize("total", [0.0, 5e-324, 1e12, 1e15, 1.7e308])
def test_a_counter_that_is_written_is_read_at_the_next_start(total: float) -> None:
    disk: bytes | None = msgspec.json.encode(dict.fromkeys(Counters.__struct_fields__, total))
    for _ in range(2):
        disk = Process(disk).record.dump(last=True)
        assert disk is not None
        assert msgspec.json.decode(disk)["energy_charged"] == total
