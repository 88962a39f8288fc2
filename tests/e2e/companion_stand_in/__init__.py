"""A stand-in for the companion integration *Node-RED Companion*, made for recbms-zmq's tests.

It is not the companion, and shares no code with it: the companion is on no package registry. It
registers the same websocket commands inside the real Home Assistant, refuses every message whose
shape is not exactly what the companion takes, and does with the good ones what the companion was
seen to do:

- announcing an unknown id makes an entity with the state it names, a moment later;
- announcing a known id changes name, unit, icon and device, and leaves the state alone;
- a state for an id that is not known (yet) is ignored without a word;
- after a restart nothing is known.

Beyond that it tells a test what it was sent (`nodered_stand_in/received`), and has Home Assistant
compile its statistics when a test asks for it (`nodered_stand_in/compile_statistics`), which Home
Assistant does by itself every five minutes.
"""

# ruff: noqa: ARG001 - Home Assistant calls these functions with more than they need

import asyncio
from datetime import timedelta
from typing import Any

import homeassistant.helpers.config_validation as cv
import voluptuous as vol
from homeassistant.components import websocket_api
from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.tasks import StatisticsTask
from homeassistant.config_entries import SOURCE_IMPORT, ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity, EntityCategory
from homeassistant.helpers.typing import ConfigType
from homeassistant.util import dt

DOMAIN = "nodered"
CONFIG_SCHEMA = vol.Schema({DOMAIN: vol.Any(None, {})}, extra=vol.ALLOW_EXTRA)
PLATFORMS = ("sensor", "binary_sensor")
VERSION = "4.2.3"
"""Of the companion that this stands for; the nodes ask for it."""

SETUP_S = 0.5
"""How long a kind of entity takes to get ready: what comes meanwhile is lost, as in reality."""

STATE = vol.Any(None, bool, str, int, float)
ID = {vol.Required("server_id"): str, vol.Required("node_id"): str}
DEVICE = vol.Schema(
    {
        vol.Required("id"): str,
        vol.Optional("name"): str,
        vol.Optional("manufacturer"): str,
        vol.Optional("model"): str,
        vol.Optional("hw_version"): str,
        vol.Optional("sw_version"): str,
    }
)
CONFIG = vol.Schema(
    {
        vol.Optional("name"): str,
        vol.Optional("icon"): str,
        vol.Optional("device_class"): str,
        vol.Optional("state_class"): str,
        vol.Optional("unit_of_measurement"): str,
        vol.Optional("entity_category"): vol.Any("config", "diagnostic"),
        vol.Optional("entity_picture"): str,
        vol.Optional("last_reset"): str,
    }
)
WORDS = {
    # The entity's attribute for each word of the configuration.
    "name": "_attr_name",
    "icon": "_attr_icon",
    "device_class": "_attr_device_class",
    "state_class": "_attr_state_class",
    "unit_of_measurement": "_attr_native_unit_of_measurement",
    "entity_category": "_attr_entity_category",
}


class StandIn:
    """What the stand-in knows: the entities by id, and all it was sent since it was last asked."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        self.hass = hass
        self.entry = entry
        self.entities: dict[str, StandInEntity] = {}
        self.received: list[dict[str, Any]] = []
        self.adders: dict[str, Any] = {}
        self._announced: set[str] = set()
        self._lock = asyncio.Lock()

    async def announce(self, message: dict[str, Any]) -> None:
        """Make an entity, change it or, with `remove`, take it away."""
        key = unique_id(message)
        if message.get("remove"):
            entity = self.entities.pop(key, None)
            self._announced.discard(key)
            if entity is not None:
                await entity.async_remove(force_remove=True)
        elif key not in self._announced:
            self._announced.add(key)
            component = message["component"]
            async with self._lock:
                if component not in self.adders:
                    await asyncio.sleep(SETUP_S)
                    await self.hass.config_entries.async_forward_entry_setups(
                        self.entry, [component]
                    )
            make, add = self.adders[component]
            add([make(self, message)])
        elif key in self.entities:
            self.entities[key].configure(message)
            self.entities[key].async_write_ha_state()


class StandInEntity(Entity):
    """What sensors and binary sensors have in common."""

    _attr_should_poll = False

    def __init__(self, stand_in: StandIn, message: dict[str, Any]) -> None:
        self._stand_in = stand_in
        self._attr_unique_id = unique_id(message)
        if "device_info" in message:
            device = dict(message["device_info"])
            identifiers = {(DOMAIN, device.pop("id"))}
            self._attr_device_info = DeviceInfo(identifiers=identifiers, **device)
        self.configure(message)
        self.show(message.get("state"))

    def configure(self, message: dict[str, Any]) -> None:
        """Take over the words of an announcement."""
        for word, attribute in WORDS.items():
            setattr(self, attribute, message["config"].get(word))
        category = message["config"].get("entity_category")
        self._attr_entity_category = EntityCategory(category) if category else None

    def show(self, state: Any) -> None:
        """Take over a state."""
        raise NotImplementedError

    async def async_added_to_hass(self) -> None:
        self._stand_in.entities[str(self._attr_unique_id)] = self


def unique_id(message: dict[str, Any]) -> str:
    """Return the companion's unique id of what a message is about."""
    return f"{DOMAIN}-{message['server_id']}-{message['node_id']}"


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Make the config entry at the first start."""
    hass.async_create_task(
        hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_IMPORT}, data={})
    )
    return True


async def async_setup_entry(hass: HomeAssistant, entry: ConfigEntry) -> bool:
    """Register the commands, and tell the nodes that somebody is there."""
    hass.data[DOMAIN] = StandIn(hass, entry)
    for command in (version, discovery, entity, update_config, received, compile_statistics):
        websocket_api.async_register_command(hass, command)
    hass.bus.async_fire(DOMAIN, {"type": "loaded", "version": VERSION})
    return True


def _heard(hass: HomeAssistant, message: dict[str, Any]) -> StandIn:
    stand_in: StandIn = hass.data[DOMAIN]
    stand_in.received.append({word: message[word] for word in message if word != "id"})
    return stand_in


@websocket_api.require_admin
@websocket_api.websocket_command({vol.Required("type"): "nodered/version"})
@callback
def version(
    hass: HomeAssistant, connection: websocket_api.ActiveConnection, msg: dict[str, Any]
) -> None:
    connection.send_result(msg["id"], VERSION)


@websocket_api.require_admin
@websocket_api.websocket_command(
    {
        vol.Required("type"): "nodered/discovery",
        **ID,
        vol.Required("component"): vol.In(PLATFORMS),
        vol.Optional("config", default=dict): CONFIG,
        vol.Optional("state"): STATE,
        vol.Optional("attributes"): {str: object},
        vol.Optional("remove"): cv.boolean,
        vol.Optional("device_info"): DEVICE,
    }
)
@callback
def discovery(
    hass: HomeAssistant, connection: websocket_api.ActiveConnection, msg: dict[str, Any]
) -> None:
    hass.async_create_task(_heard(hass, msg).announce(msg))
    connection.send_result(msg["id"], {"success": True})


@websocket_api.require_admin
@websocket_api.websocket_command(
    {
        vol.Required("type"): "nodered/entity",
        **ID,
        vol.Required("state"): STATE,
        vol.Optional("attributes", default=dict): {str: object},
    }
)
@callback
def entity(
    hass: HomeAssistant, connection: websocket_api.ActiveConnection, msg: dict[str, Any]
) -> None:
    known = _heard(hass, msg).entities.get(unique_id(msg))
    if known is not None:
        known.show(msg["state"])
        known.async_write_ha_state()
    connection.send_result(msg["id"], {"success": True})


@websocket_api.require_admin
@websocket_api.websocket_command(
    {
        vol.Required("type"): "nodered/entity/update_config",
        **ID,
        vol.Required("config"): {
            vol.Optional("name"): str,
            vol.Optional("icon"): str,
            vol.Optional("entity_picture"): str,
            vol.Optional("options"): [str],
        },
    }
)
@callback
def update_config(
    hass: HomeAssistant, connection: websocket_api.ActiveConnection, msg: dict[str, Any]
) -> None:
    known = _heard(hass, msg).entities.get(unique_id(msg))
    if known is not None:
        for word, value in msg["config"].items():
            setattr(known, f"_attr_{word}", value)
        known.async_write_ha_state()
    connection.send_result(msg["id"], {"success": True})


@websocket_api.require_admin
@websocket_api.websocket_command({vol.Required("type"): "nodered_stand_in/received"})
@callback
def received(
    hass: HomeAssistant, connection: websocket_api.ActiveConnection, msg: dict[str, Any]
) -> None:
    stand_in: StandIn = hass.data[DOMAIN]
    connection.send_result(msg["id"], stand_in.received)
    stand_in.received = []


@websocket_api.require_admin
@websocket_api.websocket_command({vol.Required("type"): "nodered_stand_in/compile_statistics"})
@callback
def compile_statistics(
    hass: HomeAssistant, connection: websocket_api.ActiveConnection, msg: dict[str, Any]
) -> None:
    now = dt.utcnow().replace(second=0, microsecond=0)
    period = now - timedelta(minutes=now.minute % 5)
    get_instance(hass).queue_task(StatisticsTask(period, fire_events=False))
    connection.send_result(msg["id"])
