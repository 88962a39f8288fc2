"""The stand-in's sensors."""

# ruff: noqa: ARG001 - Home Assistant calls these functions with more than they need

from datetime import datetime
from typing import Any

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddEntitiesCallback

from . import DOMAIN, StandInEntity


class StandInSensor(StandInEntity, SensorEntity):
    """Shows what it was told; null is unknown."""

    def show(self, state: Any) -> None:
        if isinstance(state, str) and self.device_class == SensorDeviceClass.TIMESTAMP:
            state = datetime.fromisoformat(state)
        self._attr_native_value = state


async def async_setup_entry(
    hass: HomeAssistant, entry: ConfigEntry, async_add_entities: AddEntitiesCallback
) -> None:
    hass.data[DOMAIN].adders["sensor"] = (StandInSensor, async_add_entities)
