"""Tests of the type of a sensor."""

from recbms_zmq.sensors.sensor import Sensor


def test_a_pattern_becomes_the_sensor_of_one_cell() -> None:
    pattern = Sensor(
        key="cell_voltage/{unit}/{number}",
        name="Unit {unit} cell {number} voltage",
        value=lambda unit: unit,
        group="cell",
        unit="V",
        decimals=3,
    )
    cell = pattern.at(2, 3)
    assert (cell.key, cell.name) == ("cell_voltage/2/3", "Unit 2 cell 3 voltage")
    assert (cell.group, cell.unit, cell.decimals) == ("cell", "V", 3)
    assert pattern.key == "cell_voltage/{unit}/{number}"


def test_home_assistant_gets_no_empty_keys() -> None:
    assert Sensor(key="a", name="A", value=len).home_assistant() == {"component": "sensor"}
    assert Sensor(
        key="a",
        name="A",
        value=len,
        unit="V",
        decimals=0,
        component="binary_sensor",
        device_class="voltage",
        state_class="measurement",
        entity_category="diagnostic",
        icon="mdi:flash",
        options=("x", "y"),
        enabled_by_default=False,
        every_frame=True,
        about="Something.",
    ).home_assistant() == {
        "component": "binary_sensor",
        "device_class": "voltage",
        "state_class": "measurement",
        "entity_category": "diagnostic",
        "icon": "mdi:flash",
        "suggested_display_precision": 0,
        "options": ("x", "y"),
        "enabled_by_default": False,
    }


def test_a_number_without_a_unit_has_no_display_precision() -> None:
    # Home Assistant takes a sensor with a precision for a number with a unit.
    sensor = Sensor(key="a", name="A", value=len, decimals=3)
    assert sensor.home_assistant() == {"component": "sensor"}
