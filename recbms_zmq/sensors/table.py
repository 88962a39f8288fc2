"""The sensor table: every sensor that is published of a BMS, one row per sensor.

A row has the key, the name, the unit, what Home Assistant needs, and the formula that reads the
sensor. Messages, `recbms-zmq sensors`, the tables of the documentation and the flows are made from
these rows or checked against them. To add a sensor, add a row.

The rows of the settings are in `settings_table`.
"""

from functools import partial
from operator import attrgetter
from typing import Any, Final

from recbms_zmq.sensors import formulas
from recbms_zmq.sensors.sensor import Sensor
from recbms_zmq.sensors.settings_table import SETTINGS_SENSORS


def _attribute(name: str) -> dict[str, Any]:
    """Return the members of a row of which the value is an attribute."""
    return {"value": attrgetter(name), "reads": (name,)}


_MEASURED: Final[dict[str, Any]] = {"state_class": "measurement"}
_DIAGNOSTIC: Final[dict[str, Any]] = {"entity_category": "diagnostic"}
_OFF_AT_FIRST: Final[dict[str, Any]] = {**_DIAGNOSTIC, "enabled_by_default": False}
_VOLTAGE: Final[dict[str, Any]] = {"unit": "V", "device_class": "voltage", **_MEASURED}
_POWER: Final[dict[str, Any]] = {
    "unit": "W",
    "decimals": 1,
    "device_class": "power",
    **_MEASURED,
}
_TEMPERATURE: Final[dict[str, Any]] = {
    "unit": "°C",
    "decimals": 1,
    "device_class": "temperature",
    **_MEASURED,
}
_DURATION: Final[dict[str, Any]] = {"device_class": "duration", **_MEASURED}
_TOTAL: Final[dict[str, Any]] = {"state_class": "total_increasing"}
_COUNTER: Final[dict[str, Any]] = {**_TOTAL, **_OFF_AT_FIRST}

PACK_SENSORS: Final[tuple[Sensor, ...]] = (
    Sensor(
        key="voltage",
        name="Pack voltage",
        **_attribute("voltage"),
        is_rounded=True,
        decimals=2,
        **_VOLTAGE,
        about="The sum of all cells.",
    ),
    Sensor(
        key="current",
        name="Current",
        **_attribute("current"),
        is_rounded=True,
        unit="A",
        decimals=2,
        device_class="current",
        **_MEASURED,
        about="Positive while charging, negative while discharging.",
    ),
    Sensor(
        key="power",
        name="Power",
        **_attribute("power"),
        is_rounded=True,
        **_POWER,
        about="Pack voltage times current: positive while charging.",
    ),
    Sensor(
        key="soc",
        name="State of charge",
        **_attribute("soc"),
        is_rounded=True,
        unit="%",
        decimals=1,
        device_class="battery",
        **_MEASURED,
        about="How full the pack is.",
    ),
    Sensor(
        key="soh",
        name="State of health",
        **_attribute("soh"),
        is_rounded=True,
        unit="%",
        decimals=1,
        icon="mdi:battery-heart-variant",
        **_MEASURED,
        about="How much of its original capacity the pack still has.",
    ),
    Sensor(
        key="temperature_max",
        name="Maximum temperature",
        **_attribute("temperature_max"),
        is_rounded=True,
        **_TEMPERATURE,
        about="The warmest of all temperature sensors.",
    ),
    Sensor(
        key="cell_voltage_min",
        name="Minimum cell voltage",
        **_attribute("cell_voltage_min"),
        is_rounded=True,
        decimals=3,
        **_VOLTAGE,
        about="The lowest cell of the whole pack.",
    ),
    Sensor(
        key="cell_voltage_max",
        name="Maximum cell voltage",
        **_attribute("cell_voltage_max"),
        is_rounded=True,
        decimals=3,
        **_VOLTAGE,
        about="The highest cell of the whole pack.",
    ),
    Sensor(
        key="cell_voltage_delta",
        name="Cell voltage difference",
        value=formulas.cell_voltage_delta,
        reads=("cell_voltage_min", "cell_voltage_max"),
        decimals=3,
        **_VOLTAGE,
        about="Highest minus lowest cell.",
    ),
    Sensor(
        key="cell_min",
        name="Lowest cell",
        **_attribute("cell_lowest"),
        icon="mdi:battery-arrow-down",
        **_DIAGNOSTIC,
        about="Which cell is the lowest, as unit/cell.",
    ),
    Sensor(
        key="cell_max",
        name="Highest cell",
        **_attribute("cell_highest"),
        icon="mdi:battery-arrow-up",
        **_DIAGNOSTIC,
        about="Which cell is the highest, as unit/cell.",
    ),
    Sensor(
        key="time_remaining",
        name="Time remaining",
        value=formulas.hours_remaining,
        reads=("time_remaining",),
        unit="h",
        decimals=2,
        **_DURATION,
        about="Until full while charging, until empty while discharging.",
    ),
    Sensor(
        key="time_remaining_minutes",
        name="Minutes remaining",
        value=formulas.minutes_remaining,
        reads=("time_remaining",),
        unit="min",
        decimals=0,
        is_rounded=True,
        **_DURATION,
        about="The same in minutes.",
    ),
    Sensor(
        key="time_remaining_text",
        name="Time remaining text",
        value=lambda pack: pack.time_remaining and pack.time_remaining.text,
        reads=("time_remaining",),
        icon="mdi:text-short",
        about="The same in the BMS's own words.",
    ),
    Sensor(
        key="time_to_full",
        name="Time to full",
        value=partial(formulas.hours_remaining, direction="full"),
        reads=("time_remaining",),
        unit="h",
        decimals=2,
        **_DURATION,
        about="Unknown while not charging.",
    ),
    Sensor(
        key="time_to_empty",
        name="Time to empty",
        value=partial(formulas.hours_remaining, direction="empty"),
        reads=("time_remaining",),
        unit="h",
        decimals=2,
        **_DURATION,
        about="Unknown while not discharging.",
    ),
    Sensor(
        key="charge_state",
        name="Charge state",
        **_attribute("charge_state"),
        device_class="enum",
        icon="mdi:battery-sync",
        options=("charging", "discharging", "idle"),
        about="Idle is anything within the idle current (0.1 A) of zero.",
    ),
    Sensor(
        key="charging",
        name="Charging",
        value=partial(formulas.is_in_state, state="charging"),
        reads=("charge_state",),
        component="binary_sensor",
        device_class="battery_charging",
        about="True while the pack is being charged.",
    ),
    Sensor(
        key="discharging",
        name="Discharging",
        value=partial(formulas.is_in_state, state="discharging"),
        reads=("charge_state",),
        component="binary_sensor",
        icon="mdi:battery-arrow-down-outline",
        about="True while the pack is being discharged.",
    ),
    Sensor(
        key="problem",
        name="Problem",
        value=formulas.error_present,
        reads=("alarm",),
        component="binary_sensor",
        device_class="problem",
        about="True while the BMS reports an error.",
    ),
    Sensor(
        key="error_number",
        name="Error number",
        value=formulas.error_number,
        reads=("alarm",),
        icon="mdi:alert-circle-outline",
        about="REC's number of the error, 0 for none.",
    ),
    Sensor(
        key="error_text",
        name="Error",
        value=formulas.error_text,
        reads=("alarm",),
        icon="mdi:alert-circle-outline",
        about="What that number means.",
    ),
    Sensor(
        key="error_message",
        name="Error message",
        value=formulas.error_message,
        reads=("master.error_message",),
        icon="mdi:message-alert-outline",
        about="The BMS's own text for the error, empty when there is none.",
    ),
    Sensor(
        key="error_unit",
        name="Error unit",
        value=formulas.error_unit,
        reads=("alarm",),
        icon="mdi:map-marker-alert-outline",
        **_DIAGNOSTIC,
        about="Address of the unit that has the error.",
    ),
    Sensor(
        key="error_cell",
        name="Error cell",
        value=formulas.error_cell,
        reads=("alarm",),
        icon="mdi:map-marker-alert-outline",
        **_DIAGNOSTIC,
        about="Number of the cell or temperature sensor that has the error.",
    ),
    Sensor(
        key="last_update",
        name="Last update",
        value=lambda pack: pack.arrival or None,
        reads=("arrival",),
        device_class="timestamp",
        **_DIAGNOSTIC,
        every_frame=True,
        about="When the last status came. Sent at the refresh, not with every frame.",
    ),
    Sensor(
        key="units",
        name="BMS units",
        **_attribute("master.unit_count"),
        icon="mdi:counter",
        **_DIAGNOSTIC,
        about="How many BMS units the pack has.",
    ),
    Sensor(
        key="cells",
        name="Cells",
        **_attribute("cell_count"),
        icon="mdi:counter",
        **_DIAGNOSTIC,
        about="How many cells all units have together.",
    ),
    Sensor(
        key="capacity_remaining",
        name="Remaining capacity",
        value=formulas.capacity_remaining,
        reads=("soc", "known.capacity"),
        unit="Ah",
        decimals=1,
        icon="mdi:battery-medium",
        **_MEASURED,
        about="State of charge times the capacity set in the BMS.",
    ),
    Sensor(
        key="energy_charged",
        name="Energy charged",
        **_attribute("energy.energy_charged"),
        unit="kWh",
        decimals=3,
        device_class="energy",
        **_TOTAL,
        about="Energy that went into the pack; kept across restarts with --state-dir.",
    ),
    Sensor(
        key="energy_discharged",
        name="Energy discharged",
        **_attribute("energy.energy_discharged"),
        unit="kWh",
        decimals=3,
        device_class="energy",
        **_TOTAL,
        about="Energy that came out of the pack; kept likewise.",
    ),
    Sensor(
        key="charge_in",
        name="Charge in",
        **_attribute("energy.charge_in"),
        unit="Ah",
        decimals=2,
        icon="mdi:battery-plus-outline",
        **_TOTAL,
        about="Charge that went into the pack; kept likewise.",
    ),
    Sensor(
        key="charge_out",
        name="Charge out",
        **_attribute("energy.charge_out"),
        unit="Ah",
        decimals=2,
        icon="mdi:battery-minus-outline",
        **_TOTAL,
        about="Charge that came out of the pack; kept likewise.",
    ),
    Sensor(
        key="charge_power",
        name="Charge power",
        value=formulas.charge_power,
        reads=("power",),
        is_rounded=True,
        **_POWER,
        about="The power while it is positive, else 0; for displays that want two numbers. "
        "Without a power there is none.",
    ),
    Sensor(
        key="discharge_power",
        name="Discharge power",
        value=formulas.discharge_power,
        reads=("power",),
        is_rounded=True,
        **_POWER,
        about="The power without its sign while it is negative, else 0; for the same displays. "
        "Without a power there is none.",
    ),
    Sensor(
        key="energy_remaining",
        name="Remaining energy",
        value=formulas.energy_remaining,
        reads=("soc", "cell_count", "known.capacity", "known.nominal_cell_voltage"),
        unit="kWh",
        decimals=3,
        device_class="energy_storage",
        **_MEASURED,
        about="Remaining capacity times all cells (they are in series) times the nominal cell "
        "voltage: 3.2 V for LiFePO4, 3.7 V for Li-Po and LiMn2O4. Comes with the settings of the "
        "BMS; unknown with another chemistry.",
    ),
    Sensor(
        key="temperature_min",
        name="Minimum temperature",
        **_attribute("temperature_min"),
        **_TEMPERATURE,
        about="The coldest of all temperature sensors, without those that read -127 or 85 °C "
        "because they are unplugged. Unknown while one of the sensors has no value.",
    ),
    Sensor(
        key="balancing",
        name="Balancing",
        **_attribute("is_balancing"),
        component="binary_sensor",
        icon="mdi:scale-balance",
        about="True while any cell is being balanced. Unknown while that is not known of a cell.",
    ),
    Sensor(
        key="cycles",
        name="Cycles",
        **_attribute("known.cycles"),
        icon="mdi:battery-sync-outline",
        **_TOTAL,
        about="Full cycles; one counts if the state of charge fell to 35 % or less in it. Comes "
        "with the settings of the BMS.",
    ),
    Sensor(
        key="last_alarm",
        name="Last alarm",
        value=formulas.last_alarm,
        reads=("known.last_alarm",),
        icon="mdi:alert-outline",
        about="The alarm that was raised last, with unit and cell, also after it was cleared; kept "
        "across restarts with --state-dir. Unknown before the first one.",
    ),
    Sensor(
        key="last_alarm_time",
        name="Last alarm time",
        value=formulas.last_alarm_time,
        reads=("known.last_alarm",),
        device_class="timestamp",
        about="When that alarm was raised; kept likewise.",
    ),
)
"""New rows go to the end: columns of CSV are in this order."""

CELLS_SENSORS: Final[tuple[Sensor, ...]] = (
    Sensor(
        key="cell_voltage_average",
        name="Average cell voltage",
        value=formulas.cell_voltage_average,
        group="cells",
        decimals=3,
        **_VOLTAGE,
        enabled_by_default=False,
        about="The mean of the cell voltages as they are published. Unknown while one of them is.",
    ),
)

UNIT_SENSORS: Final[tuple[Sensor, ...]] = (
    Sensor(
        key="bms_temperature/{unit}",
        name="Unit {unit} BMS temperature",
        **_attribute("bms_temperature"),
        group="unit",
        **_TEMPERATURE,
        **_DIAGNOSTIC,
        about="Of the unit's own board.",
    ),
    Sensor(
        key="temperature/{unit}/{number}",
        name="Unit {unit} temperature {number}",
        **_attribute("temperatures"),
        group="temperature",
        **_TEMPERATURE,
        about="Of the battery, one per temperature sensor.",
    ),
    Sensor(
        key="cell_voltage/{unit}/{number}",
        name="Unit {unit} cell {number} voltage",
        **_attribute("cell_voltages"),
        group="cell",
        decimals=3,
        **_VOLTAGE,
        about="One per cell.",
    ),
    Sensor(
        key="cell_resistance/{unit}/{number}",
        name="Unit {unit} cell {number} resistance",
        value=lambda unit: formulas.milliohm(unit.cell_resistances),
        reads=("cell_resistances",),
        group="cell",
        unit="mΩ",
        decimals=3,
        icon="mdi:omega",
        **_MEASURED,
        **_OFF_AT_FIRST,
        about="Internal resistance; the BMS measures it only on current steps above 20 A.",
    ),
    Sensor(
        key="cell_balancing/{unit}/{number}",
        name="Unit {unit} cell {number} balancing",
        **_attribute("cell_balancing"),
        group="cell",
        component="binary_sensor",
        icon="mdi:scale-balance",
        **_OFF_AT_FIRST,
        about="True while the cell is being balanced.",
    ),
)

LINK_SENSORS: Final[tuple[Sensor, ...]] = (
    Sensor(
        key="link/frames",
        name="Link frames",
        **_attribute("frames"),
        group="link",
        icon="mdi:counter",
        **_COUNTER,
        every_frame=True,
        about="Valid frames since the program started.",
    ),
    Sensor(
        key="link/bad_frames",
        name="Link bad frames",
        **_attribute("bad_frames"),
        group="link",
        icon="mdi:counter",
        **_COUNTER,
        every_frame=True,
        about="Frames that could not be used, or only in part.",
    ),
    Sensor(
        key="link/reconnects",
        name="Link reconnects",
        **_attribute("reconnects"),
        group="link",
        icon="mdi:counter",
        **_COUNTER,
        every_frame=True,
        about="Connections made after the first one.",
    ),
    Sensor(
        key="link/frame_interval",
        name="Link frame interval",
        **_attribute("frame_interval"),
        group="link",
        unit="s",
        decimals=2,
        **_DURATION,
        **_OFF_AT_FIRST,
        every_frame=True,
        about="Time between the last two status frames.",
    ),
)

STATUS_SENSORS: Final[tuple[Sensor, ...]] = (
    PACK_SENSORS + CELLS_SENSORS + UNIT_SENSORS + LINK_SENSORS
)
"""The sensors of a status frame; those of a settings frame are `SETTINGS_SENSORS`."""

SENSORS: Final[tuple[Sensor, ...]] = STATUS_SENSORS + SETTINGS_SENSORS
"""The whole table."""
