"""Sets the stand-in up: one form without fields, as the companion has it."""

from typing import Any

from homeassistant.config_entries import ConfigFlow, ConfigFlowResult


class StandInConfigFlow(ConfigFlow, domain="nodered"):
    """Asks for nothing."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        if self._async_current_entries():
            return self.async_abort(reason="single_instance_allowed")
        if user_input is None:
            return self.async_show_form(step_id="user")
        return self.async_create_entry(title="Stand-in", data={})
