"""The stand-in's binary sensors."""

from typing import Any

from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddEntitiesCallback

from . import DOMAIN, StandInEntity

ON = ("1", "true", "yes", "enable", "on", "open", "home", "unlocked")


class StandInBinarySensor(StandInEntity, BinarySensorEntity):
    """Is on at true, at a number but 0 and at some words; null is unknown, all else is off."""

    def take(self, state: Any) -> None:
        if isinstance(state, str):
            state = state.lower().strip() in ON
        self._attr_is_on = None if state is None else bool(state)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ConfigEntry,  # noqa: ARG001 - part of the signature
    async_add_entities: AddEntitiesCallback,
) -> None:
    hass.data[DOMAIN].adders["binary_sensor"] = (StandInBinarySensor, async_add_entities)
