"""REC's error numbers: what they mean, what they switch off, and what the owner does.

`charging` and `discharging` are what the BMS does by the manual, `None` where the manual does not
mention it. They are no measurement: no frame has a flag for whether charging is enabled.

Sources: 1 to 10 from REC's Active BMS 4S manual; 11 to 16 from the error tables of other readers
(their texts agree; what is switched off is not documented). 17 to 19 exist in newer firmware and
are not documented.
"""

from typing import Final, Literal, NamedTuple


class AlarmType(NamedTuple):
    """One row of the table.

    Attributes:
        number: REC's, from 1.
        text: what it means.
        charging, discharging: False while the BMS switches it off; None if that is not documented.
        advice: what the owner does; empty if that is not documented.
        concerns: whether the location in a unit is the number of a cell or of a sensor.

    """

    number: int
    text: str
    charging: bool | None = None
    discharging: bool | None = None
    advice: str = ""
    concerns: Literal["cell", "sensor"] = "cell"

    @property
    def meaning(self) -> str:
        """What is switched off and what the owner does, as sentences; empty if not documented."""
        off = [
            word
            for word, on in (("charging", self.charging), ("discharging", self.discharging))
            if on is False
        ]
        verb = "are" if len(off) > 1 else "is"
        # Named as the manual's, because no frame has it.
        means = f"REC's manual: {' and '.join(off)} {verb} switched off now. " if off else ""
        return f"{means}{self.advice}".strip()


ALARMS: Final[dict[int, AlarmType]] = {
    alarm.number: alarm
    for alarm in (
        AlarmType(
            1, "Cell voltage too high", False, True, "Wait: the BMS balances the cells down."
        ),
        AlarmType(2, "Cell voltage too low", True, False, "Plug in the charger."),
        AlarmType(
            3,
            "Cell voltages differ too much",
            True,
            True,
            "Wait for balancing; if hours do not help, ask for service.",
        ),
        AlarmType(
            4,
            "Cell temperature too high",
            False,
            False,
            "Wait until the pack has cooled.",
            "sensor",
        ),
        AlarmType(5, "BMS temperature too high", False, False, "Wait until the BMS has cooled."),
        AlarmType(6, "Number of cells or address not set properly"),
        AlarmType(
            7,
            "Temperature too low for charging",
            False,
            True,
            "Wait until the battery is warmer.",
            "sensor",
        ),
        AlarmType(
            8,
            "Temperature sensor error",
            False,
            False,
            "Switch off and plug the sensor in again; if that does not help, ask for service.",
            "sensor",
        ),
        AlarmType(9, "Communication error between the units"),
        AlarmType(
            10,
            "Cell short circuit or cell voltage measurement error",
            False,
            False,
            "Switch off, check the cell wires and fuses.",
        ),
        AlarmType(11, "Main relay short circuit"),
        AlarmType(12, "Current measurement disabled or out of range"),
        AlarmType(13, "Wrong chemistry selected"),
        AlarmType(14, "EEPROM data corruption"),
        AlarmType(15, "CAN speed error or balancing transistor error, by model"),
        AlarmType(16, "Internal error"),
    )
}

LOOK_IT_UP: Final = "Look it up in REC's manual."
"""The advice for an error that has none in the table."""

NO_ALARM: Final = "No error"
"""The text while there is no error."""


def alarm_text(number: int | None) -> str:
    """Return the text of an error number; `Error 17` for one that is not documented."""
    if number is None:
        return "Error"
    alarm = ALARMS.get(number)
    return alarm.text if alarm else f"Error {number}"


def alarm_advice(number: int | None) -> str:
    """Return what the owner does at an error number; empty where the manual has no advice."""
    alarm = None if number is None else ALARMS.get(number)
    return alarm.advice if alarm else ""


def alarm_guidance(number: int | None, advice: str = "") -> str:
    """Return what an active alarm means and what the owner does, as sentences for people.

    The log, `listen`, `monitor`, `alarms` and `check` all print this text.

    Args:
        number: REC's error number.
        advice: of the service that sent the alarm, for a number that is not in this table.

    """
    alarm = None if number is None else ALARMS.get(number)
    return (alarm and alarm.meaning) or advice or LOOK_IT_UP


def alarm_location(number: int | None, unit: int | None, cell: int | None) -> str:
    """Return where an alarm is, after a space: ` (unit 2, cell 1)`; "" if unknown."""
    known = None if number is None else ALARMS.get(number)
    kind = known.concerns if known else "cell"
    parts = [f"unit {unit}"] * bool(unit) + [f"{kind} {cell}"] * bool(cell)
    return f" ({', '.join(parts)})" if parts else ""
