"""How the companion behaves: asserted of the stand-in, and with RECBMS_COMPANION of the real one.

    RECBMS_COMPANION=FOLDER pytest -m e2e -n 0 tests/e2e/test_e2e_companion.py

FOLDER is a checkout of hass-node-red, or its folder `custom_components`.
"""

from typing import Any

import pytest
from support.waiting import eventually

from e2e.home_assistant import HomeAssistant
from e2e.waiting import wait_until_equal


def announce(home_assistant: HomeAssistant, node_id: str, state: Any, **rest: Any) -> None:
    """Announce a voltage of the device *Conform*."""
    config = {"name": f"Conform {node_id}", "device_class": "voltage", "unit_of_measurement": "V"}
    more = rest.pop("config", {})
    home_assistant.ask(
        "nodered/discovery",
        server_id="test",
        node_id=node_id,
        component="sensor",
        config={**config, "state_class": "measurement", **more},
        state=state,
        attributes={},
        device_info={"id": f"device_{node_id}", "name": "Conform", "manufacturer": "REC"},
        **rest,
    )


def update(home_assistant: HomeAssistant, node_id: str, state: Any) -> None:
    home_assistant.ask("nodered/entity", server_id="test", node_id=node_id, state=state)


def registry_entry(home_assistant: HomeAssistant, entity_id: str) -> dict[str, Any]:
    entry: dict[str, Any] = home_assistant.ask("config/entity_registry/get", entity_id=entity_id)
    return entry


def test_an_unknown_state_is_ignored_and_an_announcement_makes_an_entity_with_its_state(
    home_assistant: HomeAssistant,
) -> None:
    entity_id = "sensor.conform_one"
    update(home_assistant, "one", 1)
    assert home_assistant.state(entity_id) is None
    announce(home_assistant, "one", 3.305)
    wait_until_equal(lambda: home_assistant.state(entity_id), "3.305")
    update(home_assistant, "one", 3.4)
    assert home_assistant.state(entity_id) == "3.4"
    update(home_assistant, "one", None)
    assert home_assistant.state(entity_id) == "unknown"
    entry = registry_entry(home_assistant, entity_id)
    assert (entry["platform"], entry["unique_id"]) == ("nodered", "nodered-test-one")


def test_a_second_announcement_changes_the_description_and_leaves_the_state(
    home_assistant: HomeAssistant,
) -> None:
    entity_id = "sensor.conform_two"
    announce(home_assistant, "two", 1)
    wait_until_equal(lambda: home_assistant.state(entity_id), "1")
    announce(home_assistant, "two", 2, config={"icon": "mdi:battery"})
    state = home_assistant.states()[entity_id]
    assert (state["state"], state["attributes"]["icon"]) == ("1", "mdi:battery")


def test_decimals_and_what_else_it_does_not_know_are_ignored(
    home_assistant: HomeAssistant,
) -> None:
    entity_id = "sensor.conform_three"
    config = {"suggested_display_precision": 3, "enabled_by_default": False, "colour": "blue"}
    announce(home_assistant, "three", 3.305, config=config)
    wait_until_equal(lambda: home_assistant.state(entity_id), "3.305")
    # Home Assistant's own default for volts.
    assert registry_entry(home_assistant, entity_id)["options"]["sensor"] == {
        "suggested_display_precision": 0
    }


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ({"type_": "nodered/entity", "state": {}}, "invalid_format"),
        ({"type_": "nodered/entity"}, "invalid_format"),
        ({"type_": "nodered/discovery", "component": "sensor", "config": []}, "invalid_format"),
        ({"type_": "nodered/nothing"}, "Unknown command."),
    ],
    ids=str,
)
def test_a_wrong_message_is_refused(
    command: dict[str, Any], error: str, home_assistant: HomeAssistant
) -> None:
    with pytest.raises(AssertionError, match=error):
        home_assistant.ask(**command, server_id="a", node_id="b")


def test_a_reload_leaves_entities_unavailable_until_they_are_announced_again(
    home_assistant: HomeAssistant,
) -> None:
    entity_id = "sensor.conform_four"
    announce(home_assistant, "four", 4)
    wait_until_equal(lambda: home_assistant.state(entity_id), "4")
    with home_assistant.events("nodered") as events:
        home_assistant.reload("nodered")
        assert [events.next()["type"] for _ in range(2)] == ["unloaded", "loaded"]
    assert home_assistant.state(entity_id) == "unavailable"
    update(home_assistant, "four", 5)
    assert home_assistant.state(entity_id) == "unavailable"
    announce(home_assistant, "four", 6)
    wait_until_equal(lambda: home_assistant.state(entity_id), "6")


def test_remove_in_an_announcement_takes_nothing_away_and_breaks_the_removal(
    home_assistant: HomeAssistant,
) -> None:
    entity_id = "sensor.conform_five"
    announce(home_assistant, "five", 5)
    wait_until_equal(lambda: home_assistant.state(entity_id), "5")
    announce(home_assistant, "five", 5, remove=True)
    assert (home_assistant.state(entity_id), entity_id in home_assistant.entities()) == ("5", True)
    home_assistant.ask("config/entity_registry/remove", entity_id=entity_id)
    eventually(lambda: "support item deletion" in home_assistant.log(), "TypeError")


def test_what_was_removed_stays_away_until_a_reload(home_assistant: HomeAssistant) -> None:
    entity_id = "sensor.conform_six"
    announce(home_assistant, "six", 5)
    wait_until_equal(lambda: home_assistant.state(entity_id), "5")
    home_assistant.ask("nodered/device/remove", node_id="device_six")
    entry = home_assistant.entities()[entity_id]
    assert (entry["device_id"], home_assistant.state(entity_id)) == (None, "5")
    named = [device["identifiers"] for device in home_assistant.devices().values()]
    assert [["nodered", "device_six"]] not in named

    home_assistant.ask("config/entity_registry/remove", entity_id=entity_id)
    eventually(lambda: home_assistant.state(entity_id) is None, "the entity is gone")
    announce(home_assistant, "six", 7)
    update(home_assistant, "six", 7)
    assert home_assistant.state(entity_id) is None

    home_assistant.reload("nodered")
    announce(home_assistant, "six", 8)
    wait_until_equal(lambda: home_assistant.state(entity_id), "8")
