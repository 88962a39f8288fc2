"""What `recbms-zmq check` says of a visit to a BMS, as lines for people. Pure.

Texts of the BMS are foreign: they are made printable, and the serial number is taken out.
"""

import textwrap
from collections.abc import Iterator
from typing import Any, Final

from recbms_zmq.check.firmware import Variant
from recbms_zmq.check.probe import Visit
from recbms_zmq.check.rules import judge, next_step
from recbms_zmq.text import printable
from recbms_zmq.wire.alarms import ALARMS
from recbms_zmq.wire.redaction import redact_text

WIDTH: Final = 80
_INDENT: Final = 14


def full_report(visit: Visit, target: str, addresses: list[str], seconds: float) -> list[str]:
    """Return the report: what was found, line by line, and the verdict as the last line.

    Args:
        visit: after it was paid.
        target: the address of the BMS, masked.
        addresses: what its name resolves to, empty if it has none.
        seconds: how long a status frame was waited for.

    """
    lines = [target]
    for label, text in _parts(visit, addresses):
        lines += textwrap.wrap(
            _printable(text),
            WIDTH,
            initial_indent=f"  {label:<{_INDENT - 2}}",
            subsequent_indent=" " * _INDENT,
        )
    return [*lines, verdict(visit, seconds)]


def verdict(visit: Visit, seconds: float) -> str:
    """Return the verdict, one line."""
    if not visit.arrivals:
        return _printable(f"no status frame within {seconds:g} s: {_what_came_instead(visit)}")
    readings = _readings(visit)
    said = [f"alive: {', '.join(_state(readings))}"]
    if readings.get("problem"):
        said.append(f"alarm: {_alarm(readings)}")
    dangers = [a for a in _advice(visit) if a.level == "danger"]
    if dangers:
        said.append("settings look dangerous")
    return _printable("; ".join(said))


def _parts(visit: Visit, addresses: list[str]) -> Iterator[tuple[str, str]]:
    if addresses:
        yield "name", f"is {', '.join(addresses)}"
    if visit.connected_after is not None:
        yield "connection", f"there after {visit.connected_after:.2f} s"
    for trouble in visit.troubles:
        yield "trouble", trouble
    if not visit.arrivals:
        yield from _what_to_do(visit)
        return
    readings = _readings(visit)
    yield "frames", ", ".join(_frames(visit))
    yield "firmware", "; ".join(_firmware(visit))
    yield "pack", "; ".join(_pack(visit))
    yield "state", ", ".join(_state(readings))
    if cells := ", ".join(_cells(readings)):
        yield "cells", cells
    yield "alarm", _alarm(readings) if readings.get("problem") else "none"
    yield from _settings(visit)


def _frames(visit: Visit) -> Iterator[str]:
    count = len(visit.arrivals)
    yield f"{count} status" if visit.is_typed else "a status without a type (older firmware)"
    if count > 1:
        yield f"one every {(visit.arrivals[-1] - visit.arrivals[0]) / (count - 1):.2f} s"
    if visit.is_typed:
        yield "settings came" if visit.settings is not None else "no settings while we looked"
    for kind, number in visit.bad.items():
        yield f"{number} dropped: {kind}"
    if visit.dropped:
        yield f"fields that could not be read: {', '.join(sorted(visit.dropped)[:10])}"


def _firmware(visit: Visit) -> Iterator[str]:
    yield "websocket" if visit.is_typed else "before SW164_2, polled over HTTP"
    for name, keys in (("status", visit.status_keys), ("settings", visit.settings_keys)):
        if keys is not None:
            yield f"{name} {_keys(keys)}"


def _keys(keys: Variant) -> str:
    said = []
    if keys.missing:
        said.append(f"without {', '.join(keys.missing)}")
    if keys.unknown:
        shown = ", ".join(keys.unknown[:20]) + (", ..." if len(keys.unknown) > 20 else "")
        said.append(f"with unknown keys: {shown} (please report them)")
    return ", ".join(said) or "with all known keys"


def _pack(visit: Visit) -> Iterator[str]:
    known = visit.normalizer.description
    about = [known.model, known.chemistry]
    if known.capacity is not None:
        about.append(f"{known.capacity:g} Ah")
    if any(about):
        yield ", ".join(word for word in about if word)
    for unit in known.units:
        cells, sensors = _count(unit.cells, "cell"), _count(unit.sensors, "temperature sensor")
        yield f"unit {unit.address}: {cells}, {sensors}"


def _state(readings: dict[str, Any]) -> Iterator[str]:
    for key, form in (("soc", "{:g} %"), ("voltage", "{:.2f} V"), ("current", "{:+.2f} A")):
        if readings.get(key) is not None:
            yield form.format(readings[key])
    for key in ("charge_state", "time_remaining_text"):
        if readings.get(key):
            yield str(readings[key])


def _cells(readings: dict[str, Any]) -> Iterator[str]:
    for word, key, cell in (
        ("lowest", "cell_voltage_min", "cell_min"),
        ("highest", "cell_voltage_max", "cell_max"),
    ):
        if readings.get(key) is not None:
            place = f" (cell {readings[cell]})" if readings.get(cell) else ""
            yield f"{word} {readings[key]:.3f} V{place}"
    if readings.get("cell_voltage_delta") is not None:
        yield f"difference {readings['cell_voltage_delta']:.3f} V"
    if readings.get("temperature_max") is not None:
        yield f"warmest {readings['temperature_max']:g} °C"


def _alarm(readings: dict[str, Any]) -> str:
    said = str(readings.get("error_text") or readings.get("error_message") or "an unknown one")
    if readings.get("error_unit") is not None:
        said += f" (unit {readings['error_unit']}, cell or sensor {readings.get('error_cell')})"
    known = ALARMS.get(readings.get("error_number") or 0)
    return f"{said}. {known.advice}" if known and known.advice else said


def _settings(visit: Visit) -> Iterator[tuple[str, str]]:
    if visit.settings is None:
        return
    advice = _advice(visit)
    if not advice:
        yield "settings", "nothing dangerous or inconsistent"
    for remark in advice:
        yield "settings", f"{remark.level}: {remark.text}"


def _what_to_do(visit: Visit) -> Iterator[tuple[str, str]]:
    step = next_step(visit.troubles[-1]) if visit.troubles else None
    if visit.bad:
        step = (
            "Something came, but no frame of a BMS: is this the address of the module's "
            "websocket, ws://HOST/ws?"
        )
    elif step is None and visit.connected_after is not None:
        step = (
            "The module is there, but says nothing: look whether the BMS behind it is on, and "
            "the cable between them (RS-485) is right."
        )
    elif step is None:
        step = "Is the module on, and this machine in its network?"
    yield "what to do", step


def _what_came_instead(visit: Visit) -> str:
    if visit.bad:
        return "what came was no frame of a BMS (" + ", ".join(visit.bad) + ")"
    if visit.troubles:
        return visit.troubles[-1]
    return "nothing came" if visit.connected_after is not None else "no answer"


def _advice(visit: Visit) -> list[Any]:
    return [] if visit.settings is None else judge(visit.settings)


def _readings(visit: Visit) -> dict[str, Any]:
    if visit.readings is None:
        return {}
    return {sensor.key: value for sensor, value in visit.readings.items()}


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _printable(text: str) -> str:
    return printable(redact_text(text))
