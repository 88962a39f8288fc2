"""Home Assistant's Energy dashboard takes the energy counters, by its own validation."""

from typing import Any

from e2e.expected import BY_KEY, seen
from e2e.home_assistant import HomeAssistant
from e2e.node_red import NodeRed, flow_file
from e2e.scripted_bms import ScriptedBms
from e2e.waiting import wait_until_equal

CHARGED = BY_KEY["energy_charged"].id("Energy pack")
DISCHARGED = BY_KEY["energy_discharged"].id("Energy pack")


def test_the_energy_dashboard_takes_the_counters_and_keeps_their_sums(
    home_assistant: HomeAssistant, node_red: NodeRed, bms: ScriptedBms
) -> None:
    # As a person does in Settings, Dashboards, Energy, Add battery system.
    battery = {"type": "battery", "stat_energy_from": DISCHARGED, "stat_energy_to": CHARGED}
    home_assistant.ask("energy/save_prefs", energy_sources=[battery])

    def complaints() -> dict[str, Any]:
        found: dict[str, Any] = home_assistant.ask("energy/validate")
        return {
            group: [sorted(issue["type"] for issue in issues) for issues in each]
            for group, each in found.items()
            if group in ("energy_sources", "device_consumption")
        }

    missing = ["entity_not_defined", "statistics_not_defined"]
    assert complaints() == {"energy_sources": [missing], "device_consumption": []}

    node_red.deploy(
        flow_file(
            "exec-to-home-assistant.json", BMS_URL=f"energy={bms.url}", DEVICE_NAME="Energy pack"
        )
    )
    both = [BY_KEY[key].state for key in ("energy_charged", "energy_discharged")]
    wait_until_equal(lambda: [_seen(home_assistant, each) for each in (CHARGED, DISCHARGED)], both)
    # Home Assistant does so by itself every five minutes.
    home_assistant.ask("recbms_test_tools/compile_statistics")
    wait_until_equal(complaints, {"energy_sources": [[]], "device_consumption": []})

    known = home_assistant.ask("recorder/list_statistic_ids", statistic_type="sum")
    assert [
        (each["statistic_id"], each["statistics_unit_of_measurement"], each["unit_class"])
        for each in known
        if each["statistic_id"] in (CHARGED, DISCHARGED)
    ] == [(CHARGED, "kWh", "energy"), (DISCHARGED, "kWh", "energy")]


def _seen(home_assistant: HomeAssistant, entity_id: str) -> str | None:
    states = seen(home_assistant, "Energy pack")
    return states[entity_id][0] if entity_id in states else None
