"""REC's codes of chemistries and models in words, and the usual cell voltages of a chemistry.

Sources: REC's manuals for the codes; the cells' data sheets for the voltages.
"""

from typing import Final

from recbms_zmq.wire.frames import Settings

CHEMISTRIES: Final[dict[int, str]] = {
    1: "Li-Po Kokam high power",
    2: "Li-Po Kokam high capacity",
    3: "LiFePO4 Winston",
    4: "LiFePO4 A123",
    5: "LiMn2O4",
}
"""Chemistry by REC's code, the setting `chem`."""

MODELS: Final[dict[str, str]] = {"1A": "ABMS", "1Q": "Q", "9M": "Master-Slave"}
"""Model by series: the part of the serial number before its hyphen, which is no secret."""

USUAL_CELL_LIMITS: Final = (
    ("LiFePO4", (2.5, 3.65)),
    ("Li-Po", (2.7, 4.2)),
    ("LiMn2O4", (2.7, 4.2)),
    ("", (2.5, 4.2)),
)
"""Lowest and highest cell voltage, V, by the beginning of a chemistry's name. For the scale of a
display while the limits of the BMS are unknown. The last row matches every name."""

NOMINAL_CELL_VOLTAGES: Final = {"LiFePO4": 3.2, "Li-Po": 3.7, "LiMn2O4": 3.7}
"""V, by the first word of a chemistry's name."""


def chemistry(settings: Settings) -> str | None:
    """Return the chemistry in words, `code 9` for a code that is not in REC's manuals."""
    code = settings.chemistry_code
    return None if code is None else CHEMISTRIES.get(code, f"code {code}")


def nominal_cell_voltage(settings: Settings) -> float | None:
    """Return the nominal voltage of a cell in V, None if the chemistry is unknown."""
    return NOMINAL_CELL_VOLTAGES.get((chemistry(settings) or "").partition(" ")[0])


def model(settings: Settings) -> str | None:
    """Return the model, None for a series that is not in REC's manuals."""
    return None if settings.serial is None else MODELS.get(settings.serial.partition("-")[0])


def usual_cell_limits(chemistry: str) -> tuple[float, float]:
    """Return lowest and highest usual cell voltage in V; "" for an unknown chemistry."""
    return next(limits for name, limits in USUAL_CELL_LIMITS if chemistry.startswith(name))
