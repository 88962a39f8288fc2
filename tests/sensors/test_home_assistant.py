"""The words for Home Assistant, held against the rules of its own sensor platform.

The tables are those of Home Assistant 2024.3 (`DEVICE_CLASS_UNITS`, `DEVICE_CLASS_STATE_CLASSES`,
`BinarySensorDeviceClass`), as far as this project uses them. An entity that breaks one of these
rules is refused, or spoils Home Assistant's log.
"""

from typing import Any

import pytest
from support.frames import SETTINGS, STATUS

from recbms_zmq.sensors.normalize import Normalizer, Readings
from recbms_zmq.sensors.sensor import Sensor
from recbms_zmq.sensors.table import SENSORS
from recbms_zmq.wire.decode import decode

UNITS: dict[str, set[str | None]] = {
    "battery": {"%"},
    "current": {"A", "mA"},
    "duration": {"d", "h", "min", "s", "ms"},
    "energy": {"Wh", "kWh", "MWh"},
    "energy_storage": {"Wh", "kWh", "MWh"},
    "enum": {None},
    "power": {"W", "kW"},
    "temperature": {"°C", "°F", "K"},
    "timestamp": {None},
    "voltage": {"V", "mV"},
}
STATE_CLASSES: dict[str, set[str]] = {
    "battery": {"measurement"},
    "current": {"measurement"},
    "duration": {"measurement", "total", "total_increasing"},
    "energy": {"total", "total_increasing"},
    "energy_storage": {"measurement"},
    "enum": set(),
    "power": {"measurement"},
    "temperature": {"measurement"},
    "timestamp": set(),
    "voltage": {"measurement"},
}
BINARY = {"battery_charging", "problem"}


def real(frame: str) -> Any:
    return decode(frame).frame


@pytest.mark.parametrize(
    "row", [row for row in SENSORS if row.component == "sensor"], ids=lambda row: row.key
)
def test_a_sensor_is_what_home_assistant_accepts(row: Sensor) -> None:
    words = row.home_assistant()
    device_class, state_class = words.get("device_class"), words.get("state_class")
    if device_class is not None:
        assert row.unit in UNITS[device_class]
        assert state_class is None or state_class in STATE_CLASSES[device_class]
    assert ("options" in words) == (device_class == "enum")


@pytest.mark.parametrize(
    "readings", [Normalizer().status(real(STATUS)), Normalizer().settings(real(SETTINGS))]
)
def test_a_text_has_nothing_that_makes_home_assistant_expect_a_number(readings: Readings) -> None:
    texts = [sensor for sensor, value in readings.items() if isinstance(value, str)]
    assert texts
    for sensor in texts:
        assert (sensor.unit, sensor.state_class) == (None, None)
        assert "suggested_display_precision" not in sensor.home_assistant()


@pytest.mark.parametrize(
    "row", [row for row in SENSORS if row.component == "binary_sensor"], ids=lambda row: row.key
)
def test_a_binary_sensor_is_what_home_assistant_accepts(row: Sensor) -> None:
    words = row.home_assistant()
    assert words.get("device_class") in BINARY | {None}
    assert (row.unit, row.decimals) == (None, None)
    assert words.keys() <= {
        *("component", "device_class", "entity_category", "icon", "enabled_by_default")
    }
