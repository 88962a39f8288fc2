"""The target `entity-nodes`: a node for each sensor, made from the sensor table.

Home Assistant's unique ids are made of these nodes' ids: they must not change.
"""

from typing import Any

from recbms_zmq.nodered import core_nodes
from recbms_zmq.nodered.layout import Canvas, Group
from recbms_zmq.nodered.options import FlowOptions
from recbms_zmq.sensors.sensor import Sensor
from recbms_zmq.sensors.table import SENSORS


def ids(canvas: Canvas, options: FlowOptions) -> list[str]:
    """Return the ids of the nodes, which need not be there yet."""
    return [_node_id(canvas, sensor) for sensor in _chosen(options)]


def keys(options: FlowOptions) -> list[str]:
    """Return the keys of the sensors that have a node."""
    return [sensor.key for sensor in _chosen(options)]


def need_all_sensors(options: FlowOptions) -> bool:
    """Return whether one of the nodes is for a sensor that is disabled at first."""
    return not all(sensor.enabled_by_default for sensor in _chosen(options))


def add(canvas: Canvas, group: Group, options: FlowOptions, changes: str) -> None:
    """Add the nodes, with their configuration, behind the node that sends changes."""
    sensors = _chosen(options)
    mine = group.add(
        "switch",
        "mine",
        f"Is {options.name}",
        "Entity nodes belong to one BMS. For another, import the flow that `recbms-zmq flow "
        "--name …` makes.",
        **core_nodes.switch("device", [options.name]),
    )
    route = group.add(
        "switch",
        "route",
        "By sensor",
        "One output for each sensor, by `msg.key`.",
        **core_nodes.switch("key", [sensor.key for sensor in sensors]),
    )
    canvas.chain(changes, mine, route)
    device = canvas.config(
        "ha-device-config",
        "device",
        options.device_name,
        version=0,
        hwVersion="",
        manufacturer="REC",
        model="BMS",
        swVersion="",
    )
    for number, sensor in enumerate(sensors):
        group.line(number, after=route)
        node = _add_one(canvas, group, options, sensor, device)
        canvas.wire(route, node, number)


def _add_one(
    canvas: Canvas, group: Group, options: FlowOptions, sensor: Sensor, device: str
) -> str:
    words: dict[str, Any] = {
        # With the device's name in front, old and new Home Assistant make the same entity id.
        "name": f"{options.device_name} {sensor.name}",
        "icon": sensor.icon,
        "entity_picture": None,
        "entity_category": sensor.entity_category,
        "device_class": sensor.device_class,
    }
    if sensor.component == "sensor":
        words |= {"unit_of_measurement": sensor.unit, "state_class": sensor.state_class}
    config = canvas.config(
        "ha-entity-config",
        f"entity-{_slug(sensor.key)}",
        f"{options.device_name} {sensor.name}",
        server=canvas.id("server"),
        deviceConfig=device,
        version=6,
        entityType=sensor.component,
        haConfig=[{"property": word, "value": value or ""} for word, value in words.items()],
        # Resending is what *Only what changed* does. Here it would write to disk at every change.
        resend=False,
        debugEnabled=False,
    )
    unit = f", in {sensor.unit}" if sensor.unit else ""
    return group.add(
        f"ha-{sensor.component.replace('_', '-')}",
        f"node-{_slug(sensor.key)}",
        sensor.name,
        f"{sensor.about} Key `{sensor.key}`{unit}.",
        entityConfig=config,
        version=0,
        state="payload",
        stateType="msg",
        attributes=[],
        # What else is in the message must not be taken for a state.
        inputOverride="block",
        outputProperties=[],
        outputs=1,
    )


def _chosen(options: FlowOptions) -> list[Sensor]:
    by_key = {sensor.key: sensor for sensor in SENSORS}
    cell = by_key["cell_voltage/{unit}/{number}"]
    cells = [
        cell.at(unit, number) for unit, count in options.cells for number in range(1, count + 1)
    ]
    return [*(by_key[key] for key in options.sensors), *cells]


def _slug(key: str) -> str:
    return key.replace("/", "-").replace("_", "-")


def _node_id(canvas: Canvas, sensor: Sensor) -> str:
    return canvas.id(f"node-{_slug(sensor.key)}")
