"""The options of the simulator, from the command line (`--units 2`) or a URL (`sim:?units=2`).

Every value is checked here. The error names the option, the value and what is expected.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from msgspec import Struct

from recbms_zmq.config import readers
from recbms_zmq.config.option import Option, read_argument
from recbms_zmq.errors import UsageError
from recbms_zmq.simulator.faults import Fault, FaultSyntaxError, parse_faults
from recbms_zmq.simulator.frames import FIRMWARE, Firmware
from recbms_zmq.text import quoted
from recbms_zmq.wire.frames import MAX_CELLS, MAX_UNITS

SCHEME: Final = "sim:"


class SimulatorOptions(Struct, frozen=True, kw_only=True):
    """The options of one simulated BMS.

    Attributes:
        units: BMS units in series, 1 to 16.
        cells: cells of each unit, 1 to 32.
        rate: status frames per real second.
        speed: simulated seconds per real second.
        seed: of pack, weather and household.
        firmware: variant of the frames.
        faults: in the order of `--faults`.

    """

    units: int = 1
    cells: int = 4
    rate: float = 1.0
    speed: float = 1.0
    seed: int = 0
    firmware: Firmware = "current"
    faults: tuple[Fault, ...] = ()


_DEFAULT: Final = SimulatorOptions()
OPTIONS: Final = (
    Option(
        "units",
        readers.count("units", least=1, most=MAX_UNITS),
        _DEFAULT.units,
        "BMS units in the array",
        "N",
    ),
    Option(
        "cells",
        readers.count("cells", least=1, most=MAX_CELLS),
        _DEFAULT.cells,
        "cells of each unit",
        "N",
    ),
    Option(
        "rate",
        readers.number("frames per second", least=0.01, most=1000),
        _DEFAULT.rate,
        "status frames per second",
        "HZ",
    ),
    Option(
        "speed",
        readers.number("seconds per second", least=0.01, most=100_000),
        _DEFAULT.speed,
        "simulated seconds per second; with 600 a day takes 2.4 minutes",
        "X",
    ),
    Option(
        "seed",
        readers.count("a seed", most=2**32 - 1),
        _DEFAULT.seed,
        "of pack, weather and household; another seed gives another pack",
        "N",
    ),
    Option(
        "firmware",
        readers.choice(*FIRMWARE),
        _DEFAULT.firmware,
        "variant of the frames: current (like the real ones), arrays (lists instead of objects), "
        "old (without bal and address), new (with mcu_time and re1l)",
        "NAME",
    ),
    Option(
        "faults",
        parse_faults,
        None,
        "faults, like 'drop at 10s, stall at 20s for 5s, garbage 2%%'; see below",
        "FAULTS",
    ),
)
_BY_NAME: Final = {option.name: option for option in OPTIONS}


def read_options(texts: Mapping[str, str], name: str = "--{}") -> SimulatorOptions:
    """Read options from their texts.

    Args:
        texts: values by the names of `OPTIONS`; missing ones have their default.
        name: how errors name an option; `{}` is its name.

    Raises:
        UsageError: a value is not valid.

    """
    found: dict[str, Any] = {}
    for key, text in texts.items():
        try:
            found[key] = read_argument(name.format(key), _BY_NAME[key].read, text)
        except FaultSyntaxError as exc:
            raise UsageError(f"{name.format(key)}: {exc}") from None
    return SimulatorOptions(**found)


def parse_simulator_url(url: str) -> SimulatorOptions:
    """Read `sim:` or a URL like `sim:?units=2&cells=16&speed=600&faults=drop+every+1m`.

    Raises:
        UsageError: not such a URL, an unknown or repeated option, or a value that is not valid.

    """
    path, question, query = url.removeprefix(SCHEME).partition("?")
    if not url.startswith(SCHEME) or path or "#" in query or (question and not query):
        raise UsageError(
            f"expected a simulated BMS like sim: or sim:?units=2&cells=16, got {quoted(url)}"
        )
    texts: dict[str, str] = {}
    for part in query.split("&") if query else ():
        pairs = parse_qsl(part, keep_blank_values=True, separator="&")
        key, text = pairs[0] if pairs else ("", "")
        if key not in _BY_NAME or "=" not in part:
            known = ", ".join(_BY_NAME)
            raise UsageError(
                f"{SCHEME} expected OPTION=VALUE with one of {known}, got {quoted(part)}"
            )
        if key in texts:
            raise UsageError(f"{SCHEME} expected each option once, got {key} twice")
        texts[key] = text
    return read_options(texts, SCHEME + "?{}=")
