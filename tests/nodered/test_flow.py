"""The flows: the files of `flows/`, and what `recbms-zmq flow` prints."""

import itertools
import json
import math
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from support.pages import block

from recbms_zmq.cli import main
from recbms_zmq.nodered import FILES, SOURCES, TARGETS, FlowOptions, flow_json
from recbms_zmq.nodered.layout import BEGINNINGS, node_width
from recbms_zmq.nodered.options import ENTITY_NODE_KEYS
from recbms_zmq.sensors.table import SENSORS

FLOWS = Path(__file__).parents[2] / "flows"
Flow = list[dict[str, Any]]
ALL = [
    FlowOptions(source=source, target=target)
    for source, target in itertools.product(SOURCES, TARGETS)
]


def made(options: FlowOptions) -> Flow:
    flow: Flow = json.loads(flow_json(options))
    return flow


def label(options: FlowOptions) -> str:
    return f"{options.source}-{options.target}"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Flow:
    assert main(["flow", *arguments]) == 0
    flow: Flow = json.loads(capsys.readouterr().out)
    return flow


def env(flow: Flow) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in flow[0]["env"]}


def ordinary(flow: Flow) -> Flow:
    """Return the nodes that are drawn and wired."""
    return [node for node in flow if "wires" in node]


def test_the_view_fits_any_name_of_the_device(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "--target", "lovelace", "--device-name", "Büro-Akku 2"]) == 0
    printed_view = capsys.readouterr().out
    assert "entity: sensor.buro_akku_2_state_of_charge" in printed_view
    assert "path: buro-akku-2\n" in printed_view
    assert "rec_bms" not in printed_view
    assert "DEVICE" not in printed_view


def test_the_name_of_the_device_may_have_any_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "--target", "lovelace", "--device-name", "MY DEVICE_NAME"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.endswith('for the entities of the device "MY DEVICE_NAME".')


def test_titles_of_tabs_differ_in_what_the_editor_shows_of_them() -> None:
    titles = [made(FlowOptions(source=s, target=t))[0]["label"][:20] for s, t in FILES.values()]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize("options", ALL, ids=label)
def test_what_a_flow_takes_from_the_environment_is_in_its_tab(options: FlowOptions) -> None:
    flow = made(options)
    nodes = [each for each in flow if each["type"] not in ("comment", "tab")]
    texts = [text for node in nodes for name, text in node.items() if name != "info"]
    wanted = re.findall(
        r"env\.get\('(\w+)'\)(?! \?\?| === true)|\$\{([A-Z_]+)\}", json.dumps(texts)
    )
    # The token may be in the environment in which Node-RED is started.
    assert {a or b for a, b in wanted} <= {*env(flow), "HA_TOKEN"}


@pytest.mark.parametrize("options", ALL, ids=label)
def test_one_node_is_called_home_assistant(options: FlowOptions) -> None:
    names = [node["name"] for node in ordinary(made(options))]
    assert names.count("Home Assistant") == (options.target in ("discovery", "states"))


def test_every_flow_file_is_made_by_the_command() -> None:
    assert {path.name for path in FLOWS.glob("*.json")} == set(FILES)


def test_ids_are_readable_and_unique_across_all_flows_also_for_a_second_bms() -> None:
    second = [
        FlowOptions(source=each.source, target=each.target, name="boat", device_name="Boat")
        for each in ALL
    ]
    ids = [node["id"] for options in (*ALL, *second) for node in made(options)]
    assert len(ids) == len(set(ids))
    assert [each for each in ids if not re.fullmatch(r"recbms-[a-z0-9-]+", each)] == []


@pytest.mark.parametrize("options", ALL, ids=label)
def test_every_reference_leads_to_a_node_of_the_same_flow(options: FlowOptions) -> None:
    flow = made(options)
    ids = {node["id"] for node in flow}
    ends = set()
    for node in flow:
        ends |= {end for wires in node.get("wires", []) for end in wires}
        ends |= set(node.get("links", [])) | set(node.get("scope") or [])
        ends |= set(node.get("nodes", []))
        ends |= {
            node[word]
            for word in ("z", "g", "server", "broker", "entityConfig", "deviceConfig")
            if word in node and "${" not in node[word]
        }
    assert ends <= ids


@pytest.mark.parametrize("options", ALL, ids=label)
def test_every_node_has_a_name_a_description_and_a_place(options: FlowOptions) -> None:
    flow = made(options)
    lacking = [
        node["id"]
        for node in ordinary(flow)
        if not (node["name"] and node["info"] and node["x"] > 0 and node["y"] > 0 and node["z"])
    ]
    assert lacking == []
    assert [node for node in ordinary(flow) if "g" not in node and node["type"] != "comment"] == []


@pytest.mark.parametrize("options", ALL, ids=label)
def test_wires_run_from_left_to_right(options: FlowOptions) -> None:
    nodes = {node["id"]: node for node in ordinary(made(options))}
    backwards = [
        (begin["name"], nodes[end]["name"])
        for begin in nodes.values()
        for wires in begin["wires"]
        for end in wires
        if nodes[end]["x"] <= begin["x"]
    ]
    assert backwards == []


@pytest.mark.parametrize("options", ALL, ids=label)
def test_no_wire_runs_below_a_node(options: FlowOptions) -> None:
    nodes = {node["id"]: node for node in ordinary(made(options))}
    below = [
        (begin["name"], nodes[end]["name"], node["name"])
        for begin in nodes.values()
        for output, wires in enumerate(begin["wires"])
        for end in wires
        for node in nodes.values()
        if node not in (begin, nodes[end])
        and any(
            abs(x - node["x"]) < half_width(node) and abs(y - node["y"]) < 15
            for x, y in curve(begin, output, nodes[end])
        )
    ]
    assert below == []


def half_width(node: dict[str, Any]) -> float:
    return node_width(node["name"], has_input=node["type"] not in BEGINNINGS) / 2


def curve(begin: dict[str, Any], output: int, end: dict[str, Any]) -> list[tuple[float, float]]:
    """Return points of a wire, which the editor draws as a Bezier curve."""
    x0, x3 = begin["x"] + half_width(begin), end["x"] - half_width(end)
    y0 = begin["y"] + 13 * (output - (len(begin["wires"]) - 1) / 2)
    y3 = end["y"]
    reach = 75 * min(1, math.hypot(x3 - x0, y3 - y0) / 100)
    return [
        (
            x0 * (1 - t) ** 3
            + 3 * (x0 + reach) * (1 - t) ** 2 * t
            + 3 * (x3 - reach) * (1 - t) * t**2
            + x3 * t**3,
            y0 * (1 - t) ** 2 * (1 + 2 * t) + y3 * t**2 * (3 - 2 * t),
        )
        for t in (step / 40 for step in range(1, 40))
    ]


@pytest.mark.parametrize("options", ALL, ids=label)
def test_nodes_and_groups_do_not_lie_on_each_other(options: FlowOptions) -> None:
    flow = made(options)
    lines = sorted((node["y"], node["x"]) for node in ordinary(flow))
    near = [
        (one, other)
        for one, other in itertools.pairwise(lines)
        if one[0] == other[0] and other[1] - one[1] < 100
    ]
    assert near == []
    groups = [node for node in flow if node["type"] == "group"]
    overlapping = [
        (one["name"], other["name"])
        for one, other in itertools.combinations(groups, 2)
        if one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    ]
    assert overlapping == []


@pytest.mark.parametrize("options", ALL, ids=label)
def test_addresses_are_in_the_tabs_environment_and_nowhere_else(options: FlowOptions) -> None:
    flow = made(options)
    address = re.compile(r"\w+://[\w$\[][\w.:/\]]*|\d+\.\d+\.\d+\.\d+")
    settings = [
        {word: node[word] for word in node if word not in ("info", "name")} for node in flow[1:]
    ]
    # A script that puts the BMS's own host behind it.
    assert set(address.findall(json.dumps(settings))) <= {"http://$"}
    found = set(address.findall(json.dumps(env(flow))))
    assert found <= {
        "ws://192.168.8.2/ws",
        "tcp://127.0.0.1:5556",
        "http://homeassistant.local:8123",
        "127.0.0.1",
    }, "neither loopback nor the module's own default"


@pytest.mark.parametrize("options", ALL, ids=label)
def test_the_credentials_are_names_of_variables(options: FlowOptions) -> None:
    servers = [node for node in made(options) if node["type"] == "server"]
    assert [node["credentials"] for node in servers] == [
        {"host": "${HA_URL}", "access_token": "${HA_TOKEN}"}
    ] * (options.target not in ("mqtt", "dashboard", "signal-k"))


def test_entity_nodes_are_made_from_the_sensor_table() -> None:
    flow = made(FlowOptions(source="exec", target="entity-nodes"))
    nodes = {node["id"]: node for node in flow}
    [route] = [node for node in flow if node.get("name") == "By sensor"]
    got = {}
    for rule, [wire] in zip(route["rules"], route["wires"], strict=True):
        config = nodes[nodes[wire]["entityConfig"]]
        words = {entry["property"]: entry["value"] for entry in config["haConfig"]}
        got[rule["v"]] = (nodes[wire]["type"], config["entityType"], words)
    by_key = {sensor.key: sensor for sensor in SENSORS}
    expected = {}
    for key in ENTITY_NODE_KEYS:
        sensor = by_key[key]
        words = {
            "name": f"REC BMS {sensor.name}",
            "icon": sensor.icon or "",
            "entity_picture": "",
            "entity_category": sensor.entity_category or "",
            "device_class": sensor.device_class or "",
        }
        if sensor.component == "sensor":
            words["unit_of_measurement"] = sensor.unit or ""
            words["state_class"] = sensor.state_class or ""
        kind = "ha-sensor" if sensor.component == "sensor" else "ha-binary-sensor"
        expected[key] = (kind, sensor.component, words)
    assert got == expected


def test_no_two_sensors_get_the_same_unique_id_in_home_assistant() -> None:
    ids = [sensor.at(2, 3).key.replace("/", "_") for sensor in SENSORS]
    assert len(ids) == len(set(ids))


def test_a_started_program_gets_the_users_addresses(capsys: pytest.CaptureFixture[str]) -> None:
    flow = printed(
        capsys,
        *("--url", "ws://10.0.0.7/ws", "--name", "boat", "--device-name", "Boat battery"),
        *("--publish", "tcp://127.0.0.1:6000", "--program", "/opt/recbms/bin/recbms-zmq"),
        "--all-sensors",
    )
    assert env(flow) == {
        "BMS_URL": "boat=ws://10.0.0.7/ws",
        "DEVICE_NAME": "Boat battery",
        "PROGRAM": "/opt/recbms/bin/recbms-zmq",
        "ARGUMENTS": "run --exit-on-stdin-close --publish tcp://127.0.0.1:6000 "
        '--device-name "${DEVICE_NAME}" ${BMS_URL}',
        "HA_URL": "http://homeassistant.local:8123",
        "MIN_INTERVAL": "10",
        "NOTIFY": "",
        "OFFLINE_MINUTES": "0",
        "ALL_SENSORS": "true",
    }


@pytest.mark.parametrize("source", ["exec", "daemon"])
def test_a_started_program_reads_several_bms(
    capsys: pytest.CaptureFixture[str], source: str
) -> None:
    urls = ("house=ws://10.0.0.7/ws", "boat=http://10.0.0.8/cell")
    flow = printed(capsys, "--source", source, "--url", urls[0], "--url", urls[1])
    variables = env(flow)
    words = ("run", "--exit-on-stdin-close", "--no-publish", "--device-name")
    if source == "exec":
        arguments = " ".join((*words, '"${DEVICE_NAME}"', "${BMS_URL}"))
        read = variables["BMS_URL"].split()
    else:
        arguments = json.dumps([*words, "${DEVICE_NAME}", "${BMS_URL}", "${BMS_URL_2}"])
        read = [variables["BMS_URL"], variables["BMS_URL_2"]]
    assert (variables["ARGUMENTS"], variables["DEVICE_NAME"]) == (arguments, "REC BMS")
    assert read == list(urls)
    assert flow[0]["id"].endswith("-house-boat-tab")


def test_cells_get_nodes_and_charts(capsys: pytest.CaptureFixture[str]) -> None:
    flow = printed(capsys, *("--target", "entity-nodes", "--sensors", "soc", "--cells", "2:2,3:1"))
    (route,) = [node for node in flow if node.get("name") == "By sensor"]
    keys = ["soc", "cell_voltage/2/1", "cell_voltage/2/2", "cell_voltage/3/1"]
    assert [rule["v"] for rule in route["rules"]] == keys
    assert [node["name"] for node in flow if node["type"] == "ha-sensor"] == [
        "State of charge",
        "Unit 2 cell 1 voltage",
        "Unit 2 cell 2 voltage",
        "Unit 3 cell 1 voltage",
    ]
    assert main(["flow", "--target", "lovelace", "--cells", "2"]) == 0
    view = capsys.readouterr().out
    without = (FLOWS / "lovelace.yaml").read_text(encoding="utf-8")
    assert view.removeprefix(without).splitlines() == [
        "      - type: history-graph",
        "        title: Cells of unit 2",
        "        hours_to_show: 24",
        "        entities:",
        "          - entity: sensor.rec_bms_unit_2_cell_1_voltage",
        "            name: Cell 1",
        "          - entity: sensor.rec_bms_unit_2_cell_2_voltage",
        "            name: Cell 2",
    ]


def test_it_writes_a_file_and_no_other_over_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "flow.json"
    words = ["flow", "-o", str(path), "--url", "sim:"]
    assert main(words) == 0
    assert main([*words, "--name", "boat"]) == 73
    exists = f"recbms-zmq: {path} exists; choose another name, or overwrite: --force\n"
    assert capsys.readouterr() == ("", exists)
    assert env(json.loads(path.read_text(encoding="utf-8")))["BMS_URL"] == "sim:"
    assert main([*words, "--name", "boat", "--force"]) == 0
    assert env(json.loads(path.read_text(encoding="utf-8")))["BMS_URL"] == "boat=sim:"


def test_a_file_named_dash_is_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow"]) == 0
    flow = capsys.readouterr()
    assert main(["flow", "-o", "-"]) == 0
    assert capsys.readouterr() == flow


def test_the_list_has_the_options_of_every_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "--list"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == [*FILES, "lovelace.yaml"]
    for name, *options in lines:
        assert main(["flow", *options]) == 0
        assert capsys.readouterr().out == (FLOWS / name).read_text(encoding="utf-8")


def test_a_subscriber_gets_the_users_addresses(capsys: pytest.CaptureFixture[str]) -> None:
    assert env(
        printed(
            capsys,
            *("--source", "zmq", "--target", "entity-nodes", "--name", "boat"),
            *("--publish", "tcp://10.0.0.7:5556"),
        )
    ) == {
        "ZMQ_ADDRESS": "tcp://10.0.0.7:5556",
        "ZMQ_TOPIC": "recbms/boat/",
        "HA_URL": "http://homeassistant.local:8123",
        "MIN_INTERVAL": "10",
        "NOTIFY": "",
        "OFFLINE_MINUTES": "0",
    }


def test_chosen_sensors_get_nodes_and_the_name_is_the_devices(
    capsys: pytest.CaptureFixture[str],
) -> None:
    flow = printed(
        capsys, *("--target", "entity-nodes", "--name", "boat", "--sensors", "soc, cell_min,soc")
    )
    names = [node["name"] for node in flow if node["type"] == "ha-entity-config"]
    assert names == ["REC BMS boat State of charge", "REC BMS boat Lowest cell"]
    assert [node["name"] for node in flow if node["type"] == "ha-device-config"] == ["REC BMS boat"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--source", "pigeon"], "--source: expected one of exec, daemon, "),
        (["--url", "ws://a b"], "SOURCE: expected a source: ws://HOST/ws, wss://HOST/ws, "),
        (["--url", "ws://u:secret@a b"], "got 'ws://***@a b'"),
        (["--url", 'ws://a/"b"'], "--url: expected one word without spaces and quotes"),
        (["--url", "sim:?unitz=2"], "sim: expected OPTION=VALUE with one of units, cells, "),
        (["--url", "a=sim:", "--url", "a=sim:"], "SOURCE: a second BMS has the name 'a'"),
        (["--url", "a=sim:", "--name", "b"], "--name: has no effect if each source has a name"),
        (
            ["--target", "entity-nodes", "--url", "a=sim:", "--url", "b=sim:"],
            "--url: entity nodes belong to one BMS; make a flow for each",
        ),
        (["--publish", "tcp://*:5556"], "--publish: other machines can reach tcp://*:5556"),
        (
            ["--source", "zmq", "--publish", "tcp://*:5556"],
            "--publish: expected the address of a machine, such as tcp://192.168.8.3:5556",
        ),
        (["--target", "lovelace", "--cells", "2:x"], "--cells: expected the cells of each unit"),
        (["--target", "lovelace", "--cells", "2:33"], "--cells: expected the cells of each unit"),
        (["--target", "lovelace", "--cells", "4,2:4"], "--cells: expected the cells of each unit"),
        (
            ["--target", "lovelace", "--url", "sim:"],
            "--url: has no effect on this view; it belongs to flows",
        ),
        (
            ["--cells", "4"],
            "--cells: has no effect in this flow; it belongs to --target entity-nodes and lovelace",
        ),
        (["--force"], "--force: has no effect without --output"),
        (["--publish", "5556"], "--publish: expected a ZeroMQ endpoint"),
        (["--name", "Boat"], "--name: expected a name of a-z, 0-9, _ and -"),
        (["--device-name", 'My "Boat"'], '--device-name: expected a text without ", \\ and $'),
        (["--device-name", ""], "--device-name: expected a text of one line, got ''"),
        (
            ["--target", "lovelace", "--device-name", "Батарея"],
            "a name in Latin letters, as in sensor.NAME_state_of_charge, got 'Батарея'",
        ),
        (["--program", ""], "--program: expected one word without spaces and quotes, got ''"),
        (
            ["--target", "entity-nodes", "--sensors", "soc,charge"],
            "('charge' is not one), got 'soc,charge'",
        ),
        (["--target", "entity-nodes", "--sensors", "cell_voltage/{unit}/{number}"], "keys of"),
        (
            ["--source", "zmq", "--url", "ws://10.0.0.7/ws"],
            "--url: has no effect in this flow; it belongs to --source exec and daemon",
        ),
        (
            ["--target", "dashboard", "--all-sensors"],
            "--all-sensors: has no effect in this flow; it belongs to --target discovery, states",
        ),
        (["--sensors", "soc"], "--sensors: has no effect in this flow"),
        (
            ["--source", "zeromq-node", "--program", "/opt/recbms-zmq"],
            "--program: has no effect in this flow",
        ),
    ],
)
def test_a_wrong_option_gets_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["flow", *arguments]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert sentence in output.err


def test_the_commands_of_the_page_print_flows(capsys: pytest.CaptureFixture[str]) -> None:
    *commands, help_command = block("flow commands").splitlines()
    assert commands
    for command in commands:
        _, *arguments, arrow, _ = shlex.split(command)
        assert arrow == ">"
        assert printed(capsys, *arguments[1:])[0]["type"] == "tab"
    assert help_command.endswith(" flow --help")
