"""The stand-in's binary sensors."""

# ruff: noqa: ARG001 - Home Assistant calls these functions with more than they need

from typing import Any

from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddEntitiesCallback

from . import DOMAIN, StandInEntity


class StandInBinarySensor(StandInEntity, BinarySensorEntity):
    """Is on when it was told true or "on"; null is unknown, and any other word is off."""

    def show(self, state: Any) -> None:
        if isinstance(state, str):
            state = state.lower() in ("1", "true", "yes", "on", "open", "home")
        self._attr_is_on = None if state is None else bool(state)


async def async_setup_entry(
    hass: HomeAssistant, entry: ConfigEntry, async_add_entities: AddEntitiesCallback
) -> None:
    hass.data[DOMAIN].adders["binary_sensor"] = (StandInBinarySensor, async_add_entities)
