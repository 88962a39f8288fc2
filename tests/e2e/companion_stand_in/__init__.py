"""A stand-in for the integration *Node-RED Companion* 4.2.3, made for recbms-zmq's tests.

It is not the companion, and shares no code with it: the companion is on no package registry. It
registers the same websocket commands with the same shapes inside the real Home Assistant, and
behaves as the companion was seen to behave, its faults included:

- an announcement of an unknown id makes an entity with the state in it, a moment later;
- an announcement of a known id changes name, unit, icon and device, and leaves the state alone;
- what `config` has beyond that is ignored: decimals, options, whether the entity is enabled;
- a state for an id that has no entity (yet) is ignored;
- the announced ids are forgotten when the integration is unloaded, so that after a reload or a
  restart its entities are unavailable until they are announced again; `loaded` and `unloaded` are
  events on Home Assistant's bus;
- `remove` in an announcement takes nothing away. When the entity is removed later, Home Assistant
  logs a TypeError, and the id stays in the set of announced ids;
- `nodered/device/remove` detaches the device's entities and removes the device; the entities stay
  in the registry. What was removed and is announced again stays away until the next reload.

`test_e2e_companion.py` asserts all of this, of the stand-in and of the real one.
"""

# ruff: noqa: ARG001 - Home Assistant calls these functions with more than they need

import logging
from typing import Any

import homeassistant.helpers.config_validation as cv
import voluptuous as vol
from homeassistant.components import websocket_api
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry, entity_registry
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity, EntityCategory

DOMAIN = "nodered"
PLATFORMS = ["binary_sensor", "sensor"]
VERSION = "4.2.3"
"""Of the companion that this stands for; the nodes ask for it."""

STATE = vol.Any(bool, str, int, float, None)
ID = {vol.Required("server_id"): cv.string, vol.Required("node_id"): cv.string}
ATTRIBUTES = {
    # The entity's attribute for each word of the configuration that the companion reads.
    "name": "_attr_name",
    "icon": "_attr_icon",
    "device_class": "_attr_device_class",
    "state_class": "_attr_state_class",
    "unit_of_measurement": "_attr_native_unit_of_measurement",
    "entity_picture": "_attr_entity_picture",
}
_LOGGER = logging.getLogger(__name__)


class StandIn:
    """What the stand-in knows while it is loaded."""

    def __init__(self) -> None:
        self.announced: set[str] = set()
        self.entities: dict[str, StandInEntity] = {}
        self.adders: dict[str, Any] = {}


class StandInEntity(Entity):
    """What sensors and binary sensors have in common."""

    _attr_should_poll = False
    component = ""

    def __init__(self, stand_in: StandIn, message: dict[str, Any]) -> None:
        self._stand_in = stand_in
        self._attr_unique_id = unique_id(message)
        device = dict(message.get("device_info", {}))
        if device.get("id"):
            identifiers = {(DOMAIN, device.pop("id"))}
            self._attr_device_info = DeviceInfo(identifiers=identifiers, **device)
        self.configure(message["config"])
        self.show(message)

    def configure(self, config: dict[str, Any]) -> None:
        """Take over the configuration in an announcement."""
        for word, attribute in ATTRIBUTES.items():
            setattr(self, attribute, config.get(word))
        category = config.get("entity_category")
        self._attr_entity_category = EntityCategory.DIAGNOSTIC if category == "diagnostic" else None

    def show(self, message: dict[str, Any]) -> None:
        """Take over state and attributes."""
        self._attr_extra_state_attributes = message.get("attributes", {})
        self.take(message.get("state"))

    def take(self, state: Any) -> None:
        """Take over a state."""
        raise NotImplementedError

    def announce_again(self, message: dict[str, Any]) -> None:
        """Take over a second announcement: everything but the state."""
        if "remove" in message:
            self.async_on_remove(self._forget)
            return
        entities = entity_registry.async_get(self.hass)
        devices = device_registry.async_get(self.hass)
        info = dict(message.get("device_info", {}))
        if info and self.registry_entry is not None:
            identifiers = {(DOMAIN, info.pop("id"))}
            entry_id = self.registry_entry.config_entry_id
            device = devices.async_get_or_create(
                config_entry_id=entry_id, identifiers=identifiers, **info
            )
            devices.async_update_device(device.id, **info)
            entities.async_update_entity(self.entity_id, device_id=device.id)
        self.configure(message["config"])
        self.async_write_ha_state()

    def _forget(self) -> None:
        # As in the companion: it is a set, and sets do not support `del`.
        del self._stand_in.announced[self.unique_id]

    async def async_added_to_hass(self) -> None:
        self._stand_in.entities[str(self.unique_id)] = self

    async def async_will_remove_from_hass(self) -> None:
        self._stand_in.entities.pop(str(self.unique_id), None)


def unique_id(message: dict[str, Any]) -> str:
    """Return the companion's unique id of what a message is about."""
    return f"{DOMAIN}-{message['server_id']}-{message['node_id']}"


async def async_setup_entry(hass: HomeAssistant, entry: ConfigEntry) -> bool:
    """Register the commands, and fire the event that the nodes wait for."""
    hass.data[DOMAIN] = StandIn()
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    for command in (version, discovery, entity, update_config, remove_device):
        websocket_api.async_register_command(hass, command)
    hass.bus.async_fire(DOMAIN, {"type": "loaded", "version": VERSION})
    return True


async def async_unload_entry(hass: HomeAssistant, entry: ConfigEntry) -> bool:
    """Forget everything."""
    unloaded = await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
    if unloaded:
        hass.data.pop(DOMAIN)
        hass.bus.async_fire(DOMAIN, {"type": "unloaded"})
    return unloaded


@websocket_api.require_admin
@websocket_api.websocket_command({vol.Required("type"): "nodered/version"})
def version(
    hass: HomeAssistant, connection: websocket_api.ActiveConnection, msg: dict[str, Any]
) -> None:
    connection.send_result(msg["id"], VERSION)


@websocket_api.require_admin
@websocket_api.websocket_command(
    {
        vol.Required("type"): "nodered/discovery",
        **ID,
        vol.Required("component"): cv.string,
        vol.Optional("config", default={}): dict,
        vol.Optional("state"): STATE,
        vol.Optional("attributes"): dict,
        vol.Optional("remove"): bool,
        vol.Optional("device_info"): dict,
    }
)
def discovery(
    hass: HomeAssistant, connection: websocket_api.ActiveConnection, msg: dict[str, Any]
) -> None:
    stand_in: StandIn = hass.data[DOMAIN]
    key = unique_id(msg)
    if msg["component"] not in PLATFORMS:
        _LOGGER.warning("Integration %s is not supported", msg["component"])
    elif key not in stand_in.announced:
        stand_in.announced.add(key)
        make, add = stand_in.adders[msg["component"]]
        add([make(stand_in, msg)])
    elif key in stand_in.entities:
        stand_in.entities[key].announce_again(msg)
    connection.send_result(msg["id"])


@websocket_api.require_admin
@websocket_api.websocket_command(
    {
        vol.Required("type"): "nodered/entity",
        **ID,
        vol.Required("state"): STATE,
        vol.Optional("attributes", default={}): dict,
    }
)
def entity(
    hass: HomeAssistant, connection: websocket_api.ActiveConnection, msg: dict[str, Any]
) -> None:
    known = hass.data[DOMAIN].entities.get(unique_id(msg))
    if known is not None:
        known.show(msg)
        known.async_write_ha_state()
    connection.send_result(msg["id"])


@websocket_api.require_admin
@websocket_api.websocket_command(
    {
        vol.Required("type"): "nodered/entity/update_config",
        **ID,
        vol.Optional("config", default={}): dict,
    }
)
def update_config(
    hass: HomeAssistant, connection: websocket_api.ActiveConnection, msg: dict[str, Any]
) -> None:
    known = hass.data[DOMAIN].entities.get(unique_id(msg))
    if known is not None:
        for word in ("name", "icon", "entity_picture", "options"):
            if msg["config"].get(word):
                setattr(known, f"_attr_{word}", msg["config"][word])
        known.async_write_ha_state()
    connection.send_result(msg["id"])


@websocket_api.require_admin
@websocket_api.websocket_command(
    {
        vol.Required("type"): "nodered/device/remove",
        vol.Required("node_id"): cv.string,
        vol.Optional("config", default={}): dict,
    }
)
def remove_device(
    hass: HomeAssistant, connection: websocket_api.ActiveConnection, msg: dict[str, Any]
) -> None:
    devices = device_registry.async_get(hass)
    entities = entity_registry.async_get(hass)
    device = devices.async_get_device({(DOMAIN, msg["node_id"])})
    if device is not None:
        for entry in entity_registry.async_entries_for_device(entities, device.id):
            entities.async_update_entity(entry.entity_id, device_id=None)
        devices.async_remove_device(device.id)
    connection.send_result(msg["id"])
