"""flows/zmq-to-signal-k.json in a real Node-RED, into a real Signal K server with security on."""

import os
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.waiting import eventually

from e2e import installation
from e2e.node_red import NodeRed, flow_file
from e2e.scripted_bms import ScriptedBms
from e2e.service import Service
from e2e.signalk import SignalK
from e2e.test_e2e_signalk import BATTERIES, REAL, WITHDRAWN
from e2e.waiting import wait_until_equal


@pytest.fixture
def server(
    installed: Callable[[Callable[[], object]], None], tmp_path: Path, bms: ScriptedBms
) -> Iterator[SignalK]:
    """A server with security, whose Execute connection reads the same BMS."""
    installed(installation.signalk_modules)
    bms.send_settings()
    program = SignalK(tmp_path / "signalk", "--refresh", "5", f"house-1={bms.url}")
    try:
        program.secure()
        program.start()
        yield program
    finally:
        program.stop()


@pytest.fixture
def own_node_red(
    installed: Callable[[Callable[[], object]], None], tmp_path: Path
) -> Iterator[NodeRed]:
    """Node-RED without Home Assistant."""
    installed(installation.node_modules)
    program = NodeRed(tmp_path / "node-red", {"PATH": os.environ["PATH"]})
    try:
        program.start()
        yield program
    finally:
        program.stop()


def test_a_server_with_security_gets_everything_from_the_flow_without_a_token(
    server: SignalK, own_node_red: NodeRed, bms: ScriptedBms, service: Service
) -> None:
    def values() -> dict[str, tuple[Any, str | None]]:
        return server.values(f"{BATTERIES}.boat")

    def state(name: str) -> str:
        value, _ = server.values(f"notifications.{BATTERIES}.boat.{name}").get("", (None, None))
        return value["state"] if value else ""

    service.start("--refresh", "2", f"boat={bms.url}")
    place = {"ZMQ_ADDRESS": service.address, "SIGNALK_PORT": str(server.udp_port)}
    own_node_red.deploy(flow_file("zmq-to-signal-k.json", **place))
    wait_until_equal(values, {"name": ("REC BMS boat", None), **REAL})
    # The other way that the server itself has set up needs no token either.
    wait_until_equal(
        lambda: server.values(f"{BATTERIES}.house1"), {"name": ("REC BMS house-1", None), **REAL}
    )
    # All other ways do.
    with pytest.raises(urllib.error.HTTPError, match="401"):
        server.enable(enabled=False)

    bms.change(erro={"present": 1, "addr": 2, "st": 4, "con_st": 1})
    eventually(lambda: state("error4") == "alarm", "the alarm is raised")
    bms.change(erro={"present": 0, "addr": 2, "st": 0, "con_st": 0})
    eventually(lambda: state("error4") == "normal", "the alarm is over")
    server.stop()
    server.start()
    wait_until_equal(values, {"name": ("REC BMS boat", None), **REAL})
    service.stop()
    wait_until_equal(values, {"name": ("REC BMS boat", None), **WITHDRAWN})
    eventually(lambda: state("offline") == "warn", "the end of the service is reported")
