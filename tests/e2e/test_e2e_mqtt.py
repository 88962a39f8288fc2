"""flows/pipes/to_mqtt.py: into Home Assistant by discovery, and with brokers in trouble."""

import itertools
import json
import os
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.pages import ROOT, block
from support.waiting import PATIENCE, eventually

from e2e import installation
from e2e.broker import Broker, SecureBroker, Watcher
from e2e.expected import BY_KEY, WITH_SETTINGS, Shown, seen, shown, shown_of
from e2e.home_assistant import HomeAssistant
from e2e.pipeline import MakePipeline, stages
from e2e.scripted_bms import ScriptedBms
from e2e.service import Service
from e2e.waiting import wait_until_equal

URL = "ws://192.168.8.2/ws"
SCRIPT = ROOT / "flows" / "pipes" / "to_mqtt.py"


def numbers(entities: Shown) -> Shown:
    """Return the same with numbers written in one way: 31 is 31.0."""

    def plain(state: str) -> str:
        try:
            return f"{float(state):g}"
        except ValueError:
            return state

    return {name: (plain(state), attributes) for name, (state, attributes) in entities.items()}


def states(home_assistant: HomeAssistant, device_name: str) -> set[str]:
    """Return the states of the pack's numbers, each once."""
    found = seen(home_assistant, device_name)
    ids = [entity.id(device_name) for entity in BY_KEY.values() if entity.key in ("soc", "power")]
    return {found[each][0] for each in ids if each in found}


def complaints(log: str, names: set[str]) -> list[str]:
    """Return the warnings and errors in Home Assistant's log that name an entity or a topic."""
    levels = (" WARNING ", " ERROR ")
    return [
        line
        for line in log.splitlines()
        if any(level in line for level in levels) and any(name in line for name in names)
    ]


def test_home_assistant_has_all_entities_without_node_red(
    home_assistant: HomeAssistant, mqtt: int, bms: ScriptedBms, pipeline: MakePipeline
) -> None:
    bms.send_settings()
    name = "Attic pack"
    pipe = pipeline(
        block("mqtt pipe", {URL: f"attic={bms.url}"}),
        MQTT_PORT=str(mqtt),
        RECBMS_DEVICE_NAME=name,
    )
    expected = numbers(shown(name) | shown_of(name, WITH_SETTINGS))
    ids = set(expected)

    def found() -> Shown:
        all_of_it = numbers(seen(home_assistant, name))
        return {each: value for each, value in all_of_it.items() if each in ids}

    wait_until_equal(found, expected)
    registry = home_assistant.entities()
    devices = home_assistant.devices()
    entry = registry[BY_KEY["cell_voltage_delta"].id(name)]
    assert entry["unique_id"] == "recbms_attic_cell_voltage_delta"
    assert devices[entry["device_id"]]["name"] == name
    # The number of decimals, which a voltage would not have by itself.
    options = home_assistant.ask("config/entity_registry/get", entity_id=entry["entity_id"])
    assert options["options"]["sensor"]["suggested_display_precision"] == 3
    # Settings and the like are there for those who want them, and switched off.
    mine = [each for each in registry.values() if each["device_id"] == entry["device_id"]]
    disabled = {each["unique_id"] for each in mine if each["disabled_by"] == "integration"}
    assert {"recbms_attic_settings_capacity", "recbms_attic_link_frames"} <= disabled
    enabled = {each["entity_id"] for each in mine if each["unique_id"] not in disabled}
    assert enabled == ids
    # Home Assistant logs nothing about any of them, such as a unit that does not fit its class.
    assert complaints(home_assistant.log(), {"recbms_attic", "recbms/attic", *ids}) == []

    # The program dies: the broker publishes its Last Will.
    os.kill(stages(pipe.program.pid)["to_mqtt.py"], signal.SIGKILL)
    wait_until_equal(lambda: states(home_assistant, name), {"unavailable"})
    pipe.wait()
    pipe.start()
    wait_until_equal(found, expected)
    # Ctrl-C: the terminal signals all of the pipe.
    os.killpg(pipe.program.pid, signal.SIGINT)
    wait_until_equal(lambda: states(home_assistant, name), {"unavailable"})


def test_home_assistant_shows_a_silent_bms_and_a_dead_service_as_unavailable(
    home_assistant: HomeAssistant,
    mqtt: int,
    bms: ScriptedBms,
    service: Service,
    pipeline: MakePipeline,
) -> None:
    name = "Porch pack"
    service.start(
        *("--stale-after", "2", "--refresh", "1", "--device-name", name, f"porch={bms.url}")
    )
    pipeline(
        block("mqtt pipe", {f"run {URL}": f"listen {service.address}"}),
        MQTT_PORT=str(mqtt),
        MQTT_EXPIRE_AFTER="4",
    )
    live = {"28.5", "98.8"}
    wait_until_equal(lambda: states(home_assistant, name), live)
    bms.is_silent = True
    wait_until_equal(lambda: states(home_assistant, name), {"unavailable"})
    bms.is_silent = False
    wait_until_equal(lambda: states(home_assistant, name), live)
    # Its last word was `online`: without an end to the values they would stay forever.
    service.kill()
    wait_until_equal(lambda: states(home_assistant, name), {"unavailable"})
    service.start(*("--refresh", "1", "--device-name", name, f"porch={bms.url}"))
    wait_until_equal(lambda: states(home_assistant, name), live)


@pytest.fixture
def make_broker(
    installed: Callable[[Callable[[], object]], None], tmp_path: Path, cleared: ExitStack
) -> Callable[..., Broker]:
    def make(kind: type[Broker] = Broker) -> Broker:
        installed(installation.mosquitto)
        made = kind(tmp_path)
        cleared.callback(made.stop)
        return made

    return make


@pytest.fixture
def watch(cleared: ExitStack) -> Callable[[Broker], dict[str, str]]:
    def begin(broker: Broker) -> dict[str, str]:
        watcher = Watcher(broker)
        cleared.callback(watcher.close)
        return watcher.newest

    return begin


Watch = Callable[[Broker], dict[str, str]]
AVAILABILITY = "recbms/main/availability"
STATUS = "bridge/status"


def availability(newest: dict[str, str]) -> tuple[str | None, str | None]:
    """Return the payloads of the two topics, of the BMS and of the program."""
    message = json.loads(newest.get(AVAILABILITY, "{}"))
    return message.get("payload"), newest.get(STATUS)


def to_mqtt(url: str, port: int, host: str = "127.0.0.1") -> str:
    there = {URL: url, "--host 127.0.0.1": f"--host {host} --port {port} --client-id bridge"}
    return block("mqtt pipe", there)


def test_a_broker_that_is_away_at_the_start_gets_the_last_state(
    make_broker: Callable[..., Broker], bms: ScriptedBms, pipeline: MakePipeline, watch: Watch
) -> None:
    broker = make_broker()
    pipe = pipeline(to_mqtt(bms.url, broker.port))
    eventually(lambda: "cannot connect" in pipe.program.log(), "it looks for the broker")
    assert "Connection refused" in pipe.program.log()
    bms.change(vbat=11)
    broker.start()
    newest = watch(broker)
    eventually(lambda: '"payload":11.0' in newest.get("recbms/main/voltage", ""), "the voltage", 90)
    wait_until_equal(lambda: availability(newest), ("online", "online"))
    config = "homeassistant/device/recbms_main/config"
    eventually(lambda: config in newest, "the discovery message")
    # One that comes back with an empty memory gets what is not refreshed by itself.
    broker.kill()
    newest.clear()
    broker.start()
    kept = {config, STATUS, AVAILABILITY, "recbms/main/device"}
    eventually(lambda: kept <= set(newest), "what is not refreshed", 90)


@pytest.mark.parametrize(
    ("victim", "number"),
    [
        *itertools.product(["recbms_zmq", "to_mqtt.py"], [signal.SIGTERM, signal.SIGKILL]),
        ("all", signal.SIGINT),  # Ctrl-C
    ],
)
def test_whatever_ends_nothing_is_shown_as_online(
    victim: str,
    number: signal.Signals,
    make_broker: Callable[..., Broker],
    bms: ScriptedBms,
    pipeline: MakePipeline,
    watch: Watch,
) -> None:
    broker = make_broker()
    broker.start()
    newest = watch(broker)
    pipe = pipeline(to_mqtt(bms.url, broker.port))
    eventually(lambda: availability(newest) == ("online", "online"), "online")
    if victim == "all":
        os.killpg(pipe.program.pid, number)
    else:
        os.kill(stages(pipe.program.pid)[victim], number)
    by_will = (victim, number) == ("to_mqtt.py", signal.SIGKILL)
    # A Last Will is one message, and there may be many BMS.
    expected = ("online" if by_will else "offline", "offline")
    wait_until_equal(lambda: availability(newest), expected)
    pipe.wait()
    late = watch(broker)
    wait_until_equal(lambda: availability(late), expected)


def test_it_logs_in_with_tls_and_a_password(
    make_broker: Callable[..., Broker], bms: ScriptedBms, pipeline: MakePipeline, watch: Watch
) -> None:
    broker = make_broker(SecureBroker)
    assert isinstance(broker, SecureBroker)
    broker.start()
    newest = watch(broker)
    script = block(
        "mqtt login pipe",
        {
            URL: bms.url,
            "homeassistant.local": f"localhost --port {broker.port} --client-id bridge",
            "password.txt": f"password.txt --ca-file {broker.ca_file}",
        },
    )
    password = "printf '%s\\n' wrong > password.txt\n"
    pipe = pipeline(password + script)
    eventually(lambda: "refuses the connection: Not authorized" in pipe.program.log(), "no entry")
    assert not newest
    pipe.stop()
    pipe = pipeline(password.replace("wrong", f"'{broker.PASSWORD}'") + script)
    eventually(lambda: availability(newest) == ("online", "online"), "online")
    assert broker.PASSWORD not in pipe.program.log()


def test_a_broker_with_an_unknown_certificate_gets_nothing(
    make_broker: Callable[..., Broker], bms: ScriptedBms, pipeline: MakePipeline
) -> None:
    broker = make_broker(SecureBroker)
    broker.start()
    pipe = pipeline(to_mqtt(bms.url, broker.port, "localhost --tls"))
    eventually(lambda: "certificate verify failed" in pipe.program.log(), "it does not trust it")
    assert "connected to" not in pipe.program.log()


def test_without_a_broker_it_holds_no_more_than_it_may() -> None:
    line = json.dumps({"topic": "t", "kind": "reading", "key": "k", "text": "x" * 1000}) + "\n"
    words = [sys.executable, str(SCRIPT), "--host", "127.0.0.1", "--port", "9"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as program:
        assert program.stdin is not None
        file = program.stdin.fileno()
        written, enough = 0, 100 * len(line)
        # The first line that does not fit within seconds is one too many, once it reads at all.
        while select.select([], [file], [], 3 if written > enough else PATIENCE)[1]:
            written += os.write(file, line.encode())
            assert written < 1_000_000
        program.terminate()
        assert program.wait(30) == 1  # not everything was confirmed
    assert written > enough


def test_lines_that_are_no_messages_are_dropped(
    make_broker: Callable[..., Broker], pipeline: MakePipeline, watch: Watch
) -> None:
    broker = make_broker()
    broker.start()
    newest = watch(broker)
    good = '{"topic":"recbms/main/x","kind":"reading","key":"x","device_name":"A","payload":1}'
    bad = ["", "x", "1", "null", "[]", "{}", '"text"', '{"topic":1,"kind":2}', "\\xff", "9" * 5000]
    pipe = pipeline(
        f"printf '%s\\n' {shlex.join([*bad, good])} | ~/recbms/bin/python flows/pipes/to_mqtt.py"
        f" --port {broker.port} --client-id bridge"
    )
    assert pipe.wait() == 0
    wait_until_equal(lambda: dict(newest), {"recbms/main/x": good, STATUS: "offline"})
    assert pipe.program.log().count("dropped a line") == len(bad) - 1
