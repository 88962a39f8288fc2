"""Names of BMS that would share an entity of Home Assistant are warned of, and no others."""

import itertools

from recbms_zmq.config.entity_ids import shared_entities
from recbms_zmq.config.load import load
from recbms_zmq.sensors.table import SENSORS

KEYS = {
    sensor.key.format(unit=unit, number=number).replace("/", "_")
    for sensor in SENSORS
    for unit in (1, 2, 16)
    for number in (1, 2, 16)
}


def unique_ids(name: str) -> set[str]:
    """Return the ids of all entities of a BMS, as the flows and `to_mqtt.py` make them."""
    return {f"recbms_{name}_{key}" for key in KEYS}


def test_two_names_with_an_id_in_common_are_warned_of_and_no_others() -> None:
    # No other name can share one: what is behind `house_` is the beginning of a key of the house.
    beginnings = {
        "_".join(words)
        for key in KEYS
        for words in itertools.accumulate([word] for word in key.split("_"))
    }
    shared = {name for name in beginnings if unique_ids("house") & unique_ids(f"house_{name}")}
    warned = {name for name in beginnings if shared_entities(["a", f"house_{name}", "house"])}
    assert warned == shared
    assert {"charge", "discharge", "settings", "settings_charge_end"} < shared < beginnings


def test_the_warning_names_both_bms_and_both_sensors() -> None:
    names = ["x_charge", "y", "x", "x_settings_charge_end", "x_2", "x-charge"]
    sources = [f"{name}=sim:" for name in names]
    assert load({}, sources, {}).warnings == [
        f"x and {other} do not go together in Home Assistant, which would take {key} of x and "
        f"{other_key} of {other} for one entity; rename one of the two"
        for other, key, other_key in (
            ("x_charge", "charge_power", "power"),
            ("x_settings_charge_end", "settings/charge_end_voltage", "voltage"),
        )
    ]
    assert load({"bare": "true"}, sources, {}).warnings == []
