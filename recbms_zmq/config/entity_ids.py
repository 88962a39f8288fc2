"""Names of BMS that do not go together in Home Assistant.

The flows and `to_mqtt.py` make the unique id of an entity of the name of its BMS and the key of its
sensor: `x` and `charge_power` give the same as `x_charge` and `power`. Owners have entities with
these ids, so their form cannot change.
"""

from collections.abc import Collection, Iterator


def shared_entities(names: Collection[str]) -> list[str]:
    """Return a sentence for each two BMS with entities that would be one."""
    found = []
    for short, long in _prefixes(names):
        from recbms_zmq.sensors.table import SENSORS  # takes 30 ms to import

        keys = {sensor.key.replace("/", "_"): sensor.key for sensor in SENSORS}
        start = long.removeprefix(short)[1:]
        end = next((end for end in keys if f"{start}_{end}" in keys), None)
        if end is not None:
            found.append(
                f"{short} and {long} do not go together in Home Assistant, which would take "
                f"{keys[f'{start}_{end}']} of {short} and {keys[end]} of {long} for one entity; "
                "rename one of the two"
            )
    return found


def _prefixes(names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield each two names of which one is the other up to a `_`."""
    known = set(names)
    for name in names:
        for place, char in enumerate(name):
            if char == "_" and name[:place] in known:
                yield name[:place], name
