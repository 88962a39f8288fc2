"""The stand-in's sensors."""

from datetime import datetime
from typing import Any

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddEntitiesCallback

from . import DOMAIN, StandInEntity


class StandInSensor(StandInEntity, SensorEntity):
    """Shows the state that it is sent; null is unknown."""

    def take(self, state: Any) -> None:
        if isinstance(state, str) and self.device_class == SensorDeviceClass.TIMESTAMP:
            state = datetime.fromisoformat(state)
        self._attr_native_value = state


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ConfigEntry,  # noqa: ARG001 - part of the signature
    async_add_entities: AddEntitiesCallback,
) -> None:
    hass.data[DOMAIN].adders["sensor"] = (StandInSensor, async_add_entities)
