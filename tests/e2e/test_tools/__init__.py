"""Websocket commands that the end-to-end tests need inside Home Assistant.

`recbms_test_tools/record` begins to record the commands that the companion is sent, whichever
companion it is; `recbms_test_tools/recorded` returns and forgets them.
`recbms_test_tools/compile_statistics` does what Home Assistant does by itself every five minutes.
The action `notify.test_phone` stands for a phone: it fires an event `test_phone` with what it was
given.
"""

# ruff: noqa: ARG001 - Home Assistant calls these functions with more than they need

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import homeassistant.helpers.config_validation as cv
import voluptuous as vol
from homeassistant.components import websocket_api
from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.tasks import StatisticsTask
from homeassistant.core import HomeAssistant, ServiceCall, callback
from homeassistant.helpers.typing import ConfigType
from homeassistant.util import dt

DOMAIN = "recbms_test_tools"
CONFIG_SCHEMA = cv.empty_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the commands and the action."""
    hass.data[DOMAIN] = []
    for command in (record, recorded, compile_statistics):
        websocket_api.async_register_command(hass, command)

    async def notify(call: ServiceCall) -> None:
        hass.bus.async_fire("test_phone", dict(call.data))

    hass.services.async_register("notify", "mobile_app_test", notify)
    hass.services.async_register("notify", "test_phone", notify)
    return True


@websocket_api.websocket_command({vol.Required("type"): f"{DOMAIN}/record"})
@callback
def record(
    hass: HomeAssistant, connection: websocket_api.ActiveConnection, msg: dict[str, Any]
) -> None:
    handlers = hass.data["websocket_api"]
    for name, (handler, schema) in list(handlers.items()):
        if name.startswith("nodered/") and not hasattr(handler, "recorded"):
            handlers[name] = (_recording(handler), schema)
    connection.send_result(msg["id"])


def _recording(handler: Callable[..., Any]) -> Callable[..., Any]:
    @callback
    def wrapped(
        hass: HomeAssistant, connection: websocket_api.ActiveConnection, msg: dict[str, Any]
    ) -> None:
        hass.data[DOMAIN].append({word: msg[word] for word in msg if word != "id"})
        handler(hass, connection, msg)

    wrapped.recorded = True  # type: ignore[attr-defined]
    return wrapped


@websocket_api.websocket_command({vol.Required("type"): f"{DOMAIN}/recorded"})
@callback
def recorded(
    hass: HomeAssistant, connection: websocket_api.ActiveConnection, msg: dict[str, Any]
) -> None:
    connection.send_result(msg["id"], hass.data[DOMAIN])
    hass.data[DOMAIN] = []


@websocket_api.websocket_command({vol.Required("type"): f"{DOMAIN}/compile_statistics"})
@callback
def compile_statistics(
    hass: HomeAssistant, connection: websocket_api.ActiveConnection, msg: dict[str, Any]
) -> None:
    now = dt.utcnow().replace(second=0, microsecond=0)
    period = now - timedelta(minutes=now.minute % 5)
    get_instance(hass).queue_task(StatisticsTask(period, fire_events=False))
    connection.send_result(msg["id"])
