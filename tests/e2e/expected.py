"""What Home Assistant has to show of the real status frame (`tests/frames/status.json`).

Written by hand from the frame and the sensor table, not computed: a wrong formula, unit or word
anywhere on the way makes a difference here.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from e2e.home_assistant import HomeAssistant

_VOLTAGE = {"unit_of_measurement": "V", "device_class": "voltage", "state_class": "measurement"}
_POWER = {"unit_of_measurement": "W", "device_class": "power", "state_class": "measurement"}
_TEMPERATURE = {
    "unit_of_measurement": "°C",
    "device_class": "temperature",
    "state_class": "measurement",
}
_ENERGY = {
    "unit_of_measurement": "kWh",
    "device_class": "energy",
    "state_class": "total_increasing",
}
_CHARGE = {"unit_of_measurement": "Ah", "state_class": "total_increasing"}
_HOURS = {"unit_of_measurement": "h", "device_class": "duration", "state_class": "measurement"}

TIME = "a time"
COUNTED = "a number that grows"
_NOT_COMPARED = {
    TIME: re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?(Z|\+00:00)"),
    COUNTED: re.compile(r"\d(\.\d{1,3})?"),
}


class Entity(NamedTuple):
    """One entity, whatever the flow that makes it."""

    component: str
    key: str
    name: str
    state: str
    attributes: dict[str, Any]
    category: str | None = None

    def id(self, device_name: str) -> str:
        """Return the entity id."""
        words = f"{device_name} {self.name}".lower().replace("-", " ").split()
        return f"{self.component}.{'_'.join(words)}"


_ROWS: list[Any] = [
    ("sensor", "voltage", "Pack voltage", "13.24", _VOLTAGE),
    (
        "sensor",
        "current",
        "Current",
        "7.46",
        {"unit_of_measurement": "A", "device_class": "current", "state_class": "measurement"},
    ),
    ("sensor", "power", "Power", "98.8", _POWER),
    (
        "sensor",
        "soc",
        "State of charge",
        "28.5",
        {"unit_of_measurement": "%", "device_class": "battery", "state_class": "measurement"},
    ),
    (
        "sensor",
        "soh",
        "State of health",
        "99.6",
        {
            "unit_of_measurement": "%",
            "state_class": "measurement",
            "icon": "mdi:battery-heart-variant",
        },
    ),
    ("sensor", "temperature_max", "Maximum temperature", "22.5", _TEMPERATURE),
    ("sensor", "cell_voltage_min", "Minimum cell voltage", "3.305", _VOLTAGE),
    ("sensor", "cell_voltage_max", "Maximum cell voltage", "3.32", _VOLTAGE),
    ("sensor", "cell_voltage_delta", "Cell voltage difference", "0.015", _VOLTAGE),
    ("sensor", "cell_min", "Lowest cell", "2/1", {"icon": "mdi:battery-arrow-down"}, "diagnostic"),
    ("sensor", "cell_max", "Highest cell", "2/2", {"icon": "mdi:battery-arrow-up"}, "diagnostic"),
    ("sensor", "time_remaining", "Time remaining", "31", _HOURS),
    (
        "sensor",
        "time_remaining_minutes",
        "Minutes remaining",
        "1860",
        {**_HOURS, "unit_of_measurement": "min"},
    ),
    (
        "sensor",
        "time_remaining_text",
        "Time remaining text",
        "Full in: 31h 00 min",
        {"icon": "mdi:text-short"},
    ),
    ("sensor", "time_to_full", "Time to full", "31", _HOURS),
    ("sensor", "time_to_empty", "Time to empty", "unknown", _HOURS),
    (
        "sensor",
        "charge_state",
        "Charge state",
        "charging",
        {
            "device_class": "enum",
            "icon": "mdi:battery-sync",
            "options": ["charging", "discharging", "idle"],
        },
    ),
    ("binary_sensor", "charging", "Charging", "on", {"device_class": "battery_charging"}),
    (
        "binary_sensor",
        "discharging",
        "Discharging",
        "off",
        {"icon": "mdi:battery-arrow-down-outline"},
    ),
    ("binary_sensor", "problem", "Problem", "off", {"device_class": "problem"}),
    ("sensor", "error_number", "Error number", "0", {"icon": "mdi:alert-circle-outline"}),
    ("sensor", "error_text", "Error", "No error", {"icon": "mdi:alert-circle-outline"}),
    ("sensor", "error_message", "Error message", "none", {"icon": "mdi:message-alert-outline"}),
    (
        "sensor",
        "error_unit",
        "Error unit",
        "unknown",
        {"icon": "mdi:map-marker-alert-outline"},
        "diagnostic",
    ),
    (
        "sensor",
        "error_cell",
        "Error cell",
        "unknown",
        {"icon": "mdi:map-marker-alert-outline"},
        "diagnostic",
    ),
    ("sensor", "last_update", "Last update", TIME, {"device_class": "timestamp"}, "diagnostic"),
    ("sensor", "units", "BMS units", "1", {"icon": "mdi:counter"}, "diagnostic"),
    ("sensor", "cells", "Cells", "4", {"icon": "mdi:counter"}, "diagnostic"),
    ("sensor", "energy_charged", "Energy charged", COUNTED, _ENERGY),
    ("sensor", "energy_discharged", "Energy discharged", COUNTED, _ENERGY),
    (
        "sensor",
        "charge_in",
        "Charge in",
        COUNTED,
        {**_CHARGE, "icon": "mdi:battery-plus-outline"},
    ),
    (
        "sensor",
        "charge_out",
        "Charge out",
        COUNTED,
        {**_CHARGE, "icon": "mdi:battery-minus-outline"},
    ),
    ("sensor", "charge_power", "Charge power", "98.8", _POWER),
    ("sensor", "discharge_power", "Discharge power", "0", _POWER),
    ("sensor", "temperature_min", "Minimum temperature", "22.5", _TEMPERATURE),
    ("binary_sensor", "balancing", "Balancing", "on", {"icon": "mdi:scale-balance"}),
    ("sensor", "last_alarm", "Last alarm", "unknown", {"icon": "mdi:alert-outline"}),
    ("sensor", "last_alarm_time", "Last alarm time", "unknown", {"device_class": "timestamp"}),
    (
        "sensor",
        "bms_temperature/2",
        "Unit 2 BMS temperature",
        "28.7",
        _TEMPERATURE,
        "diagnostic",
    ),
    ("sensor", "temperature/2/1", "Unit 2 temperature 1", "22.5", _TEMPERATURE),
    ("sensor", "cell_voltage/2/1", "Unit 2 cell 1 voltage", "3.305", _VOLTAGE),
    ("sensor", "cell_voltage/2/2", "Unit 2 cell 2 voltage", "3.32", _VOLTAGE),
    ("sensor", "cell_voltage/2/3", "Unit 2 cell 3 voltage", "3.311", _VOLTAGE),
    ("sensor", "cell_voltage/2/4", "Unit 2 cell 4 voltage", "3.308", _VOLTAGE),
]
_ROWS_OF_SETTINGS: list[Any] = [
    (
        "sensor",
        "capacity_remaining",
        "Remaining capacity",
        "91.2",
        {
            "unit_of_measurement": "Ah",
            "state_class": "measurement",
            "icon": "mdi:battery-medium",
        },
    ),
    (
        "sensor",
        "energy_remaining",
        "Remaining energy",
        "1.167",
        {
            "unit_of_measurement": "kWh",
            "device_class": "energy_storage",
            "state_class": "measurement",
        },
    ),
    (
        "sensor",
        "cycles",
        "Cycles",
        "37",
        {"state_class": "total_increasing", "icon": "mdi:battery-sync-outline"},
    ),
]
ENTITIES = tuple(Entity(*row) for row in _ROWS)
WITH_SETTINGS = tuple(Entity(*row) for row in _ROWS_OF_SETTINGS)
"""What comes beside `ENTITIES` once the BMS has sent its settings."""
BY_KEY = {entity.key: entity for entity in ENTITIES}
_BY_NAME = {entity.name: entity.state for entity in ENTITIES}

Shown = dict[str, tuple[str, dict[str, Any]]]


def shown(device_name: str, keys: tuple[str, ...] = tuple(BY_KEY)) -> Shown:
    """Return entity id → (state, attributes) of the whole pack, or of some sensors."""
    return shown_of(device_name, [BY_KEY[key] for key in keys])


def shown_of(device_name: str, entities: Iterable[Entity]) -> Shown:
    """Return entity id → (state, attributes)."""
    return {
        entity.id(device_name): (
            entity.state,
            {**entity.attributes, "friendly_name": f"{device_name} {entity.name}"},
        )
        for entity in entities
    }


def seen(home_assistant: HomeAssistant, device_name: str) -> Shown:
    """Return the same of what Home Assistant has of a device, by its API.

    An entity belongs to the device that the registry names; a state without an entry to the device
    with which its name begins. What depends on the time is not compared: it only has to look
    right, and is then named.
    """
    prefix = f"{device_name} "
    owners = home_assistant.device_names()
    found: Shown = {}
    for entity_id, entity in home_assistant.states().items():
        name = str(entity["attributes"].get("friendly_name", ""))
        # The names of other tests' devices may begin with this one.
        if owners.get(entity_id, device_name) == device_name and name.startswith(prefix):
            state = entity["state"]
            expected = _BY_NAME.get(name.removeprefix(prefix), "")
            if expected in _NOT_COMPARED and _NOT_COMPARED[expected].fullmatch(state):
                state = expected
            attributes = dict(entity["attributes"])
            attributes.pop("recbms_device", None)  # marks what the states flow has written
            found[entity_id] = (state, attributes)
    return found
