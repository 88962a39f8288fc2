"""`to_signalk.py` into a real Signal K server: values, units and notifications as it shows them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.pages import block
from support.process import environment
from support.waiting import eventually

from e2e import installation
from e2e.program import Program
from e2e.scripted_bms import ScriptedBms
from e2e.service import Service, children
from e2e.signalk import HERE, SignalK
from e2e.waiting import wait_until_equal

BATTERIES = "electrical.batteries"
REAL: dict[str, tuple[Any, str | None]] = {
    "manufacturer.name": ("REC", None),
    "manufacturer.model": ("ABMS", None),
    "chemistry": ("LiFePO4 Winston", None),
    "voltage": (13.24, "V"),
    "current": (7.46, "A"),
    "power": (98.8, "W"),
    "temperature": (295.65, "K"),
    "capacity.stateOfCharge": (0.285, "ratio"),
    "capacity.stateOfHealth": (0.996, "ratio"),
    "capacity.timeToFull": (111600, "s"),
    # 320 Ah at 4 times 3.2 V
    "capacity.nominal": (14745600, "J"),
    "capacity.remaining": (4202496, "J"),
    "capacity.actual": (14686618, "J"),
    "capacity.dischargeSinceFull": (817200, "C"),
    "chargeState": ("charging", None),
    "cellVoltageMinimum": (3.305, "V"),
    "cellVoltageMaximum": (3.32, "V"),
    "cellVoltageDifference": (0.015, "V"),
    "cellVoltageAverage": (3.311, "V"),
    "temperatureMinimum": (295.65, "K"),
    "balancing": (True, None),
    "cycles": (37, None),
    "cellLowest": ("2/1", None),
    "cellHighest": ("2/2", None),
    "unit2.temperature": (301.85, "K"),
    "unit2.sensor1.temperature": (295.65, "K"),
    "unit2.cell1.voltage": (3.305, "V"),
    "unit2.cell2.voltage": (3.32, "V"),
    "unit2.cell3.voltage": (3.311, "V"),
    "unit2.cell4.voltage": (3.308, "V"),
    "unit2.cell1.resistance": (0.00195, "ohm"),
    "unit2.cell2.resistance": (0.003093, "ohm"),
    "unit2.cell3.resistance": (0.002179, "ohm"),
    "unit2.cell4.resistance": (0.001809, "ohm"),
    "unit2.cell1.balancing": (True, None),
    "unit2.cell2.balancing": (False, None),
    "unit2.cell3.balancing": (False, None),
    "unit2.cell4.balancing": (False, None),
}
"""What the two real frames become: value and unit by path."""
TEXTS = ("name", "manufacturer.name", "manufacturer.model", "chemistry")
WITHDRAWN = {name: (value if name in TEXTS else None, unit) for name, (value, unit) in REAL.items()}


@pytest.fixture(scope="module")
def house() -> Iterator[ScriptedBms]:
    """The BMS of the Execute connection."""
    bms = ScriptedBms()
    bms.send_settings()
    bms.start()
    yield bms
    bms.close()


@pytest.fixture(scope="module")
def server(
    installed: Callable[[Callable[[], object]], None],
    tmp_path_factory: pytest.TempPathFactory,
    house: ScriptedBms,
) -> Iterator[SignalK]:
    installed(installation.signalk_modules)
    folder = tmp_path_factory.mktemp("signalk") / "server"
    program = SignalK(folder, "--stale-after", "2", "--refresh", "5", f"house-1={house.url}")
    try:
        program.start()
        yield program
    finally:
        program.stop()


def notification(server: SignalK, name: str) -> tuple[str, list[str], str] | None:
    path = f"notifications.{BATTERIES}.house1.{name}"
    value, _ = server.values(path).get("", (None, None))
    return None if value is None else (value["state"], value["method"], value["message"])


def test_the_real_frames_are_a_battery_in_the_units_of_signal_k(server: SignalK) -> None:
    wait_until_equal(
        lambda: server.values(f"{BATTERIES}.house1"), {"name": ("REC BMS house-1", None), **REAL}
    )
    current = server.get("/signalk/v1/api/vessels/self/electrical/batteries/house1/current")
    assert current["$source"] == "recbms.house1"
    assert notification(server, "offline") is None


def test_an_alarm_is_raised_acknowledged_cleared_and_raised_again(
    server: SignalK, house: ScriptedBms
) -> None:
    def state(name: str) -> str:
        return (notification(server, name) or ("",))[0]

    def set_error(number: int) -> None:
        present = int(number > 0)
        house.change(erro={"present": present, "addr": 2, "st": number, "con_st": 1})

    set_error(4)
    eventually(lambda: state("error4") == "alarm", "it is raised")
    _, method, message = notification(server, "error4") or ("", [], "")
    assert method == ["visual", "sound"]
    assert message.startswith("Cell temperature too high (unit 2, cell or sensor 1)")
    path = f"/signalk/v1/api/vessels/self/notifications/{BATTERIES.replace('.', '/')}/house1/error4"
    number = server.get(path)["value"]["id"]
    server.send("POST", f"/signalk/v2/api/notifications/{number}/acknowledge", {})
    eventually(
        lambda: "sound" not in (notification(server, "error4") or ("", ["sound"]))[1],
        "it is silent",
    )
    set_error(0)
    eventually(lambda: state("error4") == "normal", "it is over")
    set_error(4)
    eventually(lambda: state("error4") == "alarm", "it is raised again")
    # The server keeps what was acknowledged silent. So another error has another path.
    set_error(1)
    eventually(lambda: state("error1") == "alarm", "another error is raised")
    assert (notification(server, "error1") or ("", []))[1] == ["visual", "sound"]
    eventually(lambda: state("error4") == "normal", "the first is over")
    set_error(0)
    eventually(lambda: state("error1") == "normal", "all is over")


def test_a_connection_that_is_disabled_leaves_no_process(server: SignalK) -> None:
    def processes() -> list[int]:
        found, parents = list[int](), [server.program.pid]
        while parents:
            started = children(parents.pop())
            found += started
            parents += started
        return found

    assert processes() != []
    server.enable(enabled=False)
    eventually(lambda: processes() == [], "the pipe has ended")
    server.enable(enabled=True)
    eventually(lambda: processes() != [], "the pipe runs again", 90)


def test_by_udp_a_server_that_restarts_has_everything_again(
    server: SignalK, bms: ScriptedBms, service: Service, tmp_path: Path
) -> None:
    bms.send_settings()
    service.start("--refresh", "2", f"boat={bms.url}")
    changes = {**HERE, "listen": f"listen {service.address}", "4123": str(server.udp_port)}
    command = ["bash", "-c", block("signal k udp", changes)]
    pipe = Program(command, tmp_path / "pipe.log", environment())
    expected = {"name": ("REC BMS boat", None), **REAL}
    try:
        wait_until_equal(lambda: server.values(f"{BATTERIES}.boat"), expected)
        for _ in range(2):
            server.stop()
            server.start()
            wait_until_equal(lambda: server.values(f"{BATTERIES}.boat"), expected)
        assert pipe.is_running
        service.stop()
        eventually(lambda: _is_offline(server), "the end of the service is reported")
    finally:
        pipe.stop()


def _is_offline(server: SignalK) -> bool:
    value: Any = server.values(f"notifications.{BATTERIES}.boat.offline").get("", (None,))[0]
    return bool(value and value["state"] == "warn")
