"""The JSON messages of REC's Wi-Fi module as typed structs.

This is the only module that uses REC's abbreviations, many of them Slovenian: the wire name of a
field is its `name=`, the field itself has the translation, and the comment its unit. Every key is
optional, because keys come and go with the firmware, and unknown keys are ignored. `None` means
"not in this frame". Values are not checked for plausibility here.

Sign: current is positive while the pack is charged. Numbers are single-precision floats printed
with 7 significant digits, so whole ones arrive as integers (`22`).

Sources: two real frames of a 4-cell ABMS, REC's Active BMS 4S, ABMS for Victron, Master-Slave and
Wi-Fi module manuals, and the tiagonmas/recbms integration for Home Assistant.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field

MAX_UNITS: Final = 16
"""Units in one array: REC's Master-Slave BMS has one master and up to 15 slaves."""
MAX_CELLS: Final = 32
"""Cells of one unit; REC's largest has 16."""
MAX_SENSORS: Final = 16
"""Temperature sensors of one unit; REC's largest has 8."""

# Keys of "0", "1", … become ints; a key outside the bounds makes its field invalid.
UnitIndex = Annotated[int, Meta(ge=0, lt=MAX_UNITS)]
CellIndex = Annotated[int, Meta(ge=0, lt=MAX_CELLS)]
SensorIndex = Annotated[int, Meta(ge=0, lt=MAX_SENSORS)]
# REC's integers are at most 32 bits wide; anything larger is no number of a BMS.
Int = Annotated[int, Meta(ge=-(2**31), lt=2**32)]
Address = Annotated[int, Meta(ge=0, le=255)]
# Real frames have `true` for balancing and 0 or 1 for errors. As an `int` a flag would take 2.
Flag = bool | Literal[0, 1]

# Real frames have objects with string keys; a forum post draws arrays. Both are read.
Temperatures = (
    dict[SensorIndex, float | None] | Annotated[list[float | None], Meta(max_length=MAX_SENSORS)]
)
CellValues = (
    dict[CellIndex, float | None] | Annotated[list[float | None], Meta(max_length=MAX_CELLS)]
)
CellFlags = dict[CellIndex, Flag | None] | Annotated[list[Flag | None], Meta(max_length=MAX_CELLS)]


# `gc=False`: a frame holds no cycle, and makes some 20 objects that the collector need not look at.
class Wire(Struct, omit_defaults=True, gc=False):
    """Base of everything that is on the wire: a missing key is `None`, and `None` is not sent."""


class ErrorState(Wire):
    """`master.erro`: the active error. The address may be non-zero while no error is present."""

    present: Flag | None = None
    unit_address: Int | None = field(default=None, name="addr")
    number: Int | None = field(default=None, name="st")  # številka
    location: Int | None = field(default=None, name="con_st")  # cell or sensor number, from 1


class Master(Wire):
    """`bms_array.master`: the whole pack."""

    time_remaining: str | None = None  # "Full in:<br> 31h 00 min": display text with HTML
    unit_count: Int | None = field(default=None, name="st_naprav")  # število naprav
    clock_time: str | None = field(default=None, name="time")  # the BMS's own clock, hh:mm:ss
    clock_date: str | None = field(default=None, name="date")  # dd.mm.yyyy
    cell_voltage_min: float | None = field(default=None, name="mincell")  # V
    cell_voltage_max: float | None = field(default=None, name="maxcell")  # V
    current: float | None = field(default=None, name="ibat")  # A, + charging
    temperature_max: float | None = field(default=None, name="tmax")  # °C
    voltage: float | None = field(default=None, name="vbat")  # V, the sum of the cells
    state_of_charge: float | None = field(default=None, name="soc")  # ratio, 0 to 1
    state_of_health: float | None = field(default=None, name="soh")  # ratio, 0 to 1
    error_state: ErrorState | None = field(default=None, name="erro")
    error_message: str | None = field(default=None, name="error")  # "" when none; may hold HTML


class Slave(Wire):
    """`bms_array.slave."N"`: one BMS unit. Its identity is the address, not N."""

    address: Address | None = None  # on RS-485
    temperature_count: Int | None = field(default=None, name="st_temp")  # slots beyond hold garbage
    bms_temperature: float | None = field(default=None, name="temp_bms")  # °C, of the board
    cell_count: Int | None = field(default=None, name="st_celic")  # število celic
    temperatures: Temperatures | None = field(default=None, name="temp")  # °C
    cell_resistances: CellValues | None = field(default=None, name="res")  # Ω
    cell_voltages: CellValues | None = field(default=None, name="nap")  # V, napetost
    cell_balancing: CellFlags | None = field(default=None, name="bal")


Slaves = dict[UnitIndex, Slave | None] | Annotated[list[Slave | None], Meta(max_length=MAX_UNITS)]


class BmsArray(Wire):
    """`bms_array`: the pack and its units."""

    master: Master | None = None
    slaves: Slaves | None = field(default=None, name="slave")


class Status(Wire, tag_field="type", tag="status"):
    """The frame that comes about once a second."""

    bms_array: BmsArray | None = None


class CellLocation(Wire):
    """Where a cell or temperature sensor is: address of its unit, its number from 1."""

    unit_address: Int | None = field(default=None, name="bms")
    number: Int | None = field(default=None, name="cell")


class SettingsError(Wire):
    """`err` of the settings: an error is present, and its number."""

    present: Flag | None = field(default=None, name="p")
    number: Int | None = field(default=None, name="num")


class BaudRates(Wire):
    """`baud`: speeds in bit/s."""

    lcd: Int | None = None
    bms: Int | None = field(default=None, name="com")


class Settings(Wire, tag_field="type", tag="settings"):
    """The frame with the BMS's settings; comes now and then. Names are RS-485 instructions."""

    cell_voltage_limit_low: float | None = field(default=None, name="cmin")  # V, switch-off
    cell_voltage_limit_high: float | None = field(default=None, name="cmax")  # V, switch-off
    temperature_limit_high: float | None = field(default=None, name="tmax")  # °C, switch-off
    balancing_end_voltage: float | None = field(default=None, name="bvol")  # V
    balancing_start_voltage: float | None = field(default=None, name="bmin")  # V
    bms_temperature_limit: float | None = field(default=None, name="tbal")  # °C, switch-off
    temperature_limit_low: float | None = field(default=None, name="tmin")  # °C, no charging below
    capacity: float | None = field(default=None, name="capa")  # Ah
    charge_end_voltage: float | None = field(default=None, name="char")  # V per cell
    current_offset: float | None = field(default=None, name="ioff")  # A
    charge_end_hysteresis: float | None = field(default=None, name="chis")  # V per cell
    cell_voltage_difference_limit: float | None = field(default=None, name="razl")  # V, razlika
    cell_voltage_limit_high_hysteresis: float | None = field(default=None, name="maxh")  # V
    cell_voltage_limit_low_hysteresis: float | None = field(default=None, name="minh")  # V
    bms_temperature_hysteresis: float | None = field(default=None, name="bmth")  # K, a difference
    current_step: float | None = field(default=None, name="ioja")  # A per step of the ADC
    soc_hysteresis: float | None = field(default=None, name="soch")  # ratio, end of charge
    # Task level and hysteresis are in the unit of the task's mode, `value` is what it watches now.
    optocoupler_2_level: float | None = field(default=None, name="op2l")
    optocoupler_2_hysteresis: float | None = field(default=None, name="op2h")
    relay_1_level: float | None = field(default=None, name="re1l")
    relay_1_hysteresis: float | None = field(default=None, name="re1h")
    charge_coefficient: float | None = field(default=None, name="chac")  # 1/h, C rate
    discharge_coefficient: float | None = field(default=None, name="dchc")  # 1/h, C rate
    inverter_charge_current_max: float | None = field(default=None, name="maxc")  # A per inverter
    inverter_discharge_current_max: float | None = field(
        default=None, name="maxd"
    )  # A per inverter
    discharge_protection_voltage: float | None = field(default=None, name="clow")  # V per cell
    soc_manual_reset: float | None = field(default=None, name="socs")  # ratio; reads back the SOC
    cycles: Int | None = field(default=None, name="cycl")  # counted if SOC fell to 35 % or less
    can_speed_code: Int | None = field(default=None, name="cans")
    chemistry_code: Int | None = field(default=None, name="chem")  # 1 to 5
    inverter_count: Int | None = field(default=None, name="strn")
    relay_1_task: Int | None = field(default=None, name="re1t")  # 32-bit task word, not a time
    optocoupler_2_task: Int | None = field(default=None, name="op2t")
    relay_1_value: float | None = field(default=None, name="re1v")
    optocoupler_2_value: float | None = field(default=None, name="op2v")
    float_voltage_coefficient: float | None = field(default=None, name="cfvc")  # 0 to 1
    rs485_speed_code: Int | None = field(default=None, name="rsbr")
    error: SettingsError | None = field(default=None, name="err")
    cell_lowest: CellLocation | None = field(default=None, name="nnc")  # najnižja
    cell_highest: CellLocation | None = field(default=None, name="vnc")  # najvišja
    temperature_highest: CellLocation | None = field(default=None, name="toor")
    baud_rates: BaudRates | None = field(default=None, name="baud")
    clock_time: str | None = field(default=None, name="mcu_time")
    clock_date: str | None = field(default=None, name="mcu_date")
    serial: str | None = field(default=None, name="bms_name")  # SECRET: it unlocks the module
    module_address: Int | None = field(default=None, name="addr")  # probably the Wi-Fi module's
    temperature_unit_code: Int | None = field(default=None, name="tunit")  # of the web page only
    charge_taken_out: float | None = field(default=None, name="Ah")  # Ah since full
    current_at_reading: float | None = field(default=None, name="cur")  # A
    log_file_every_midnight: Flag | None = field(default=None, name="new_log_every_midnight")
    remote_switch: Flag | None = field(default=None, name="out")  # the module's remote DC switch


Frame = Status | Settings
