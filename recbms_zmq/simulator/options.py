"""What is simulated, from the command line (`--units 2`) or from a URL (`sim:?units=2`).

Every value is checked here, and a wrong one is a sentence that names the option, what came, and
what is expected.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

from msgspec import Struct

from recbms_zmq.errors import UsageError
from recbms_zmq.frames import MAX_CELLS, MAX_UNITS
from recbms_zmq.simulator.faults import Fault, FaultSyntaxError, parse_faults
from recbms_zmq.simulator.wire import FIRMWARE, Firmware
from recbms_zmq.values import quoted

SCHEME: Final = "sim:"


class SimulatorOptions(Struct, frozen=True, kw_only=True):
    """A simulated BMS in numbers.

    Attributes:
        units: BMS units in series, 1 to 16.
        cells: cells of each unit, 1 to 32.
        rate: status frames per real second.
        speed: simulated seconds per real second.
        seed: makes pack, weather and household.
        firmware: variant of the frames.
        faults: faults to order.

    """

    units: int = 1
    cells: int = 4
    rate: float = 1.0
    speed: float = 1.0
    seed: int = 0
    firmware: Firmware = "current"
    faults: tuple[Fault, ...] = ()


class Option(NamedTuple):
    """One option: how it is called in `--help`, how its text is read, and what is expected.

    `read` raises ValueError for a text that does not fit.
    """

    metavar: str
    help: str
    read: Callable[[str], Any]
    expected: str


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise ValueError(text)
        return value

    return read


def _number(least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text)
        if not least <= value <= most:  # also refuses NaN
            raise ValueError(text)
        return value

    return read


def _firmware(text: str) -> Firmware:
    return FIRMWARE[FIRMWARE.index(text)]


OPTIONS: Final[dict[str, Option]] = {
    "units": Option(
        "N",
        "BMS units in the array (default 1)",
        _whole(1, MAX_UNITS),
        f"a whole number from 1 to {MAX_UNITS}",
    ),
    "cells": Option(
        "N",
        "cells of each unit (default 4)",
        _whole(1, MAX_CELLS),
        f"a whole number from 1 to {MAX_CELLS}",
    ),
    "rate": Option(
        "HZ",
        "status frames per second (default 1)",
        _number(0.01, 1000),
        "a number from 0.01 to 1000",
    ),
    "speed": Option(
        "X",
        "simulated seconds per second (default 1; 600: a day in 2.4 minutes)",
        _number(0.01, 100_000),
        "a number from 0.01 to 100000",
    ),
    "seed": Option(
        "N",
        "another number, another pack and weather (default 0)",
        _whole(0, 2**32 - 1),
        f"a whole number from 0 to {2**32 - 1}",
    ),
    "firmware": Option(
        "NAME",
        "variant of the frames: current (as the real ones, default), arrays (lists for objects), "
        "old (without bal and address), new (with mcu_time and re1l)",
        _firmware,
        "one of " + ", ".join(FIRMWARE),
    ),
    "faults": Option(
        "FAULTS",
        "faults to order, like 'drop at 10s, stall at 20s for 5s, garbage 2%%'; see below",
        parse_faults,
        "faults",
    ),
}


def read_options(texts: Mapping[str, str], name: str = "--{}") -> SimulatorOptions:
    """Read options from their texts.

    Args:
        texts: by the names of `OPTIONS`; what is missing has its default.
        name: how errors call an option, `{}` being its name.

    Raises:
        UsageError: a text that does not fit.

    """
    values: dict[str, Any] = {}
    for key, text in texts.items():
        option = OPTIONS[key]
        try:
            values[key] = option.read(text)
        except FaultSyntaxError as exc:
            raise UsageError(f"{name.format(key)}: {exc}") from None
        except ValueError:
            message = f"{name.format(key)}: expected {option.expected}, got {quoted(text)}"
            raise UsageError(message) from None
    return SimulatorOptions(**values)


def parse_simulator_url(url: str) -> SimulatorOptions:
    """Read `sim:` or a URL like `sim:?units=2&cells=16&speed=600&faults=drop+every+1m`.

    Raises:
        UsageError: not such a URL, an unknown or repeated option, or a value that does not fit.

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
        if key not in OPTIONS or "=" not in part:
            known = ", ".join(OPTIONS)
            raise UsageError(
                f"{SCHEME} expected OPTION=VALUE with one of {known}, got {quoted(part)}"
            )
        if key in texts:
            raise UsageError(f"{SCHEME} expected each option once, got {key} twice")
        texts[key] = text
    return read_options(texts, SCHEME + "?{}=")
