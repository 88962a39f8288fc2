"""What Home Assistant has to show of the real status frame (`tests/frames/status.json`).

Written by hand from the frame and the sensor table, not computed: a wrong formula, unit or word
anywhere on the way makes a difference here.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from e2e.home_assistant import HomeAssistant


def _number(unit: str, device_class: str = "", state_class: str = "measurement") -> dict[str, Any]:
    words = {"device_class": device_class} if device_class else {}
    return {"unit_of_measurement": unit, **words, "state_class": state_class}


def _icon(name: str, **attributes: Any) -> dict[str, Any]:
    return {**attributes, "icon": f"mdi:{name}"}


_VOLTAGE = _number("V", "voltage")
_POWER = _number("W", "power")
_TEMPERATURE = _number("°C", "temperature")
_ENERGY = _number("kWh", "energy", "total_increasing")
_HOURS = _number("h", "duration")
_CHARGE = _number("Ah", state_class="total_increasing")
_TIME: dict[str, Any] = {"device_class": "timestamp"}
_STATE: dict[str, Any] = {"device_class": "enum", "options": ["charging", "discharging", "idle"]}

TIME = "a time"
COUNTED = "a number that grows"
_NOT_COMPARED = {
    TIME: re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?(Z|\+00:00)"),
    COUNTED: re.compile(r"\d(\.\d{1,3})?"),
}


class Entity(NamedTuple):
    """One entity, whatever the flow that makes it."""

    key: str
    name: str
    state: str
    attributes: dict[str, Any]
    category: str | None = None
    component: str = "sensor"

    def id(self, device_name: str) -> str:
        """Return the entity id."""
        words = f"{device_name} {self.name}".lower().replace("-", " ").split()
        return f"{self.component}.{'_'.join(words)}"


_ROWS: list[Any] = [
    ("voltage", "Pack voltage", "13.24", _VOLTAGE),
    ("current", "Current", "7.46", _number("A", "current")),
    ("power", "Power", "98.8", _POWER),
    ("soc", "State of charge", "28.5", _number("%", "battery")),
    ("soh", "State of health", "99.6", _icon("battery-heart-variant", **_number("%"))),
    ("temperature_max", "Maximum temperature", "22.5", _TEMPERATURE),
    ("cell_voltage_min", "Minimum cell voltage", "3.305", _VOLTAGE),
    ("cell_voltage_max", "Maximum cell voltage", "3.32", _VOLTAGE),
    ("cell_voltage_delta", "Cell voltage difference", "0.015", _VOLTAGE),
    ("cell_min", "Lowest cell", "2/1", _icon("battery-arrow-down"), "diagnostic"),
    ("cell_max", "Highest cell", "2/2", _icon("battery-arrow-up"), "diagnostic"),
    ("time_remaining", "Time remaining", "31", _HOURS),
    ("time_remaining_minutes", "Minutes remaining", "1860", _number("min", "duration")),
    ("time_remaining_text", "Time remaining text", "Full in: 31h 00 min", _icon("text-short")),
    ("time_to_full", "Time to full", "31", _HOURS),
    ("time_to_empty", "Time to empty", "unknown", _HOURS),
    ("charge_state", "Charge state", "charging", _icon("battery-sync", **_STATE)),
    ("charging", "Charging", "on", {"device_class": "battery_charging"}, None, "binary_sensor"),
    (
        "discharging",
        "Discharging",
        "off",
        _icon("battery-arrow-down-outline"),
        None,
        "binary_sensor",
    ),
    ("problem", "Problem", "off", {"device_class": "problem"}, None, "binary_sensor"),
    ("error_number", "Error number", "0", _icon("alert-circle-outline")),
    ("error_text", "Error", "No error", _icon("alert-circle-outline")),
    ("error_message", "Error message", "none", _icon("message-alert-outline")),
    ("error_unit", "Error unit", "unknown", _icon("map-marker-alert-outline"), "diagnostic"),
    ("error_cell", "Error cell", "unknown", _icon("map-marker-alert-outline"), "diagnostic"),
    ("last_update", "Last update", TIME, _TIME, "diagnostic"),
    ("units", "BMS units", "1", _icon("counter"), "diagnostic"),
    ("cells", "Cells", "4", _icon("counter"), "diagnostic"),
    ("energy_charged", "Energy charged", COUNTED, _ENERGY),
    ("energy_discharged", "Energy discharged", COUNTED, _ENERGY),
    ("charge_in", "Charge in", COUNTED, _icon("battery-plus-outline", **_CHARGE)),
    ("charge_out", "Charge out", COUNTED, _icon("battery-minus-outline", **_CHARGE)),
    ("charge_power", "Charge power", "98.8", _POWER),
    ("discharge_power", "Discharge power", "0", _POWER),
    ("temperature_min", "Minimum temperature", "22.5", _TEMPERATURE),
    ("balancing", "Balancing", "on", _icon("scale-balance"), None, "binary_sensor"),
    ("last_alarm", "Last alarm", "unknown", _icon("alert-outline")),
    ("last_alarm_time", "Last alarm time", "unknown", _TIME),
    ("bms_temperature/2", "Unit 2 BMS temperature", "28.7", _TEMPERATURE, "diagnostic"),
    ("temperature/2/1", "Unit 2 temperature 1", "22.5", _TEMPERATURE),
    ("cell_voltage/2/1", "Unit 2 cell 1 voltage", "3.305", _VOLTAGE),
    ("cell_voltage/2/2", "Unit 2 cell 2 voltage", "3.32", _VOLTAGE),
    ("cell_voltage/2/3", "Unit 2 cell 3 voltage", "3.311", _VOLTAGE),
    ("cell_voltage/2/4", "Unit 2 cell 4 voltage", "3.308", _VOLTAGE),
]
_ROWS_OF_SETTINGS: list[Any] = [
    ("capacity_remaining", "Remaining capacity", "91.2", _icon("battery-medium", **_number("Ah"))),
    ("energy_remaining", "Remaining energy", "1.167", _number("kWh", "energy_storage")),
    ("cycles", "Cycles", "37", _icon("battery-sync-outline", state_class="total_increasing")),
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
