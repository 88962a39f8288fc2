"""The view as lines: what is printed of a pack, and that it is printed once."""

import os
import re
import signal
from pathlib import Path

import pytest
from support.bms import FakeBms
from support.fixtures import MakeBms, Run
from support.frames import SETTINGS, status
from support.monitored_bms import MonitoredBms
from support.process import Command

from recbms_zmq.monitor.model import Model
from recbms_zmq.monitor.plain import PlainView

NORMAL = (
    "28.5 %, 13.24 V, +7.46 A charging, +98.8 W, full in 31 h 00 min, "
    "cells 3.305 to 3.320 V, difference 15 mV, 22.5 °C"
)


def test_a_line_shows_the_state_of_a_pack() -> None:
    bms = MonitoredBms(device_name="House")
    bms.settings()
    bms.status()
    assert PlainView().changed_lines(bms.model) == [f"House: {NORMAL}"]


def test_only_what_has_changed_is_printed() -> None:
    model = Model()
    house, boat = (
        MonitoredBms(model, name="house"),
        MonitoredBms(model, name="boat", device_name="Boat"),
    )
    view = PlainView()
    assert view.changed_lines(model) == [
        "REC BMS: offline: waiting for the first status frame",
        "Boat: offline: waiting for the first status frame",
    ]
    house.status()
    assert view.changed_lines(model) == [f"REC BMS: {NORMAL}"]
    house.status(at=1.0)
    assert view.changed_lines(model) == []
    house.status(at=2.0, soc=0.5)
    boat.status(at=2.0, ibat=1000)
    assert view.changed_lines(model) == [
        f"REC BMS: {NORMAL.replace('28.5', '50.0')}",
        f"Boat: {NORMAL.replace('+7.46 A', '+1000.00 A').replace('+98.8 W', '+13.2 kW')}",
    ]
    boat.tick(at=33.0)
    assert view.changed_lines(model) == ["Boat: offline: no status frame for 30 s"]
    model.refused("tcp://h:5556", "this key is not allowed")
    refusal = "tcp://h:5556 refused the connection: this key is not allowed"
    assert [view.changed_lines(model) for _ in range(2)] == [[refusal], []]


def test_an_alarm_is_printed_with_what_to_do() -> None:
    bms = MonitoredBms()
    bms.status(erro={"present": 1, "addr": 3, "st": 1, "con_st": 12}, error="Over\x1b[2Jvolt")
    assert PlainView().changed_lines(bms.model) == [
        (
            f"REC BMS: {NORMAL}. Alarm 1: Cell voltage too high (unit 3, cell 12). REC's manual: "
            "charging is switched off now. Wait: the BMS balances the cells down. "
            "Message of the BMS: Over[2Jvolt"
        )
    ]


def line(process: Command, *texts: str) -> str:
    """Wait for a line; return it without its time."""
    found = process.stdout.line(*texts)
    time, _, rest = found.partition(" REC BMS")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", time)
    return f"REC BMS{rest}"


def test_into_a_pipe_go_lines(start: Run, bms: FakeBms) -> None:
    process = start("monitor", bms.url)
    assert line(process, "28.5 %") == f"REC BMS: {NORMAL}"
    bms.send(status(soc=0.5))
    assert line(process, "50.0 %") == f"REC BMS: {NORMAL.replace('28.5', '50.0')}"
    bms.stop()
    assert process.stop() == 0
    assert len([text for text in process.stdout.all() if b"50.0 %" in text]) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_in_order(start: Run, bms: FakeBms, number: int) -> None:
    process = start("monitor", bms.url)
    process.stdout.line("28.5 %")
    assert process.stop(number) == 0
    assert process.stderr.text() == ""


def test_a_service_and_a_bms_can_be_watched_together(
    start: Run, run: Run, make_bms: MakeBms
) -> None:
    service = run("--device-name", "House", make_bms().url)
    bms = make_bms(greeting=(SETTINGS, status(soc=0.75)))
    endpoint = service.endpoint()
    process = start("monitor", endpoint, f"boat={bms.url}")
    assert NORMAL in process.stdout.line("House: 28.5 %")
    process.stdout.line("REC BMS boat: 75.0 %")
    assert f"recbms-zmq: subscribing to {endpoint}" in process.stderr.line("subscribing")
    service.stop()
    process.stdout.line("House: offline: ")


def test_the_bms_of_a_configuration_file_can_be_watched(
    start: Run, make_bms: MakeBms, tmp_path: Path
) -> None:
    file = tmp_path / "recbms.toml"
    urls = [make_bms().url, make_bms(greeting=(SETTINGS, status(soc=0.75))).url]
    text = 'emit = "readings"\nmin_interval = 30\n'
    for name, url in zip(("house", "boat"), urls, strict=True):
        text += f'[[bms]]\nname = "{name}"\nurl = "{url}"\nrefresh = 10\n'
    file.write_text(text, encoding="utf-8")
    process = start("monitor", "--config", str(file))
    process.stdout.line("REC BMS house: 28.5 %")
    process.stdout.line("REC BMS boat: 75.0 %")


def test_a_reader_that_has_gone_ends_it(start: Run, bms: FakeBms) -> None:
    reader, writer = os.pipe()
    process = start("monitor", bms.url, stdout=writer)
    os.close(writer)
    assert os.read(reader, 10)
    os.close(reader)
    bms.send(status(soc=0.5))
    assert process.wait() == 141
    assert process.stderr.text() == ""
