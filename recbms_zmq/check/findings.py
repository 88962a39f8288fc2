"""The report of `recbms-zmq check` on a BMS, as lines for people. Pure.

Texts of the BMS are foreign: they are made printable, and the serial number is removed.
"""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

import msgspec

from recbms_zmq.check.firmware import KeyDifferences
from recbms_zmq.check.next_steps import (
    IS_IT_ON,
    NO_DATA,
    NO_FRAME,
    SILENT,
    WEB_PAGE,
    next_step,
)
from recbms_zmq.check.probe import Probe
from recbms_zmq.check.rules import Advice, review
from recbms_zmq.errors import NoBatteryData
from recbms_zmq.reporting.summary import time_left
from recbms_zmq.text import printable
from recbms_zmq.wire.alarms import alarm_guidance, alarm_location
from recbms_zmq.wire.redaction import redact_text

WIDTH: Final = 80
_INDENT: Final = 14


def full_report(
    probe: Probe, target: str, addresses: list[str], seconds: float, command: str = ""
) -> list[str]:
    """Return the report: the facts line by line, and the verdict as the last line.

    Args:
        probe: after its run.
        target: the address of the BMS, masked.
        addresses: what its name resolves to, empty if it has none.
        seconds: the time that a status frame had to arrive.
        command: the command to read this BMS, if the user did not know its address.

    """
    parts = list(_parts(probe, addresses))
    if command:
        parts.append(("to read it", command))
    return [target, *_wrapped(parts), verdict(probe, seconds)]


def nothing_found(target: str, failures: Mapping[str, str], step: str) -> list[str]:
    """Return the report on a target where no address was a BMS; the verdict is the last line.

    Args:
        target: as the user gave it, masked.
        failures: why, by masked address.
        step: what to do.

    """
    parts = [("failure", f"{url}: {why}") for url, why in failures.items()]
    return [target, *_wrapped([*parts, ("what to do", step)]), nothing_found_verdict(failures)]


def nothing_found_verdict(failures: Mapping[str, str]) -> str:
    """Return the verdict on a target where no address was a BMS, one line."""
    return _printable("no BMS found: " + "; ".join(f"{u}: {why}" for u, why in failures.items()))


def as_json(probe: Probe, seconds: float) -> dict[str, Any]:
    """Return the facts of the report for programs, as values that JSON has."""
    readings = _readings(probe)
    step = None if probe.arrivals else what_to_do(probe)
    count = len(probe.arrivals)
    interval = (probe.arrivals[-1] - probe.arrivals[0]) / (count - 1) if count > 1 else None
    keys = [keys for keys in (probe.status_keys, probe.settings_keys) if keys is not None]
    facts = {
        "alive": bool(count),
        "verdict": verdict(probe, seconds),
        "connected_after": probe.connected_after,
        "failures": probe.failures,
        "next_step": step,
        "status_frames": count,
        "frame_interval": interval,
        "websocket": probe.is_typed if count else None,
        "unknown_keys": [key for each in keys for key in each.unknown],
        "missing_keys": [key for each in keys for key in each.missing],
        "dropped_messages": probe.bad,
        "unreadable_fields": sorted(probe.dropped),
        "device": msgspec.to_builtins(probe.normalizer.description) if count else None,
        "alarm": _alarm(readings) if readings.get("problem") else None,
        "readings": readings,
        "remarks": list(probe.normalizer.remarks_now),
        "settings": [advice._asdict() for advice in _advice(probe)],
    }
    return cast("dict[str, Any]", _redacted(facts))


def short_facts(probe: Probe) -> dict[str, Any]:
    """Return what a list of several BMS has of each, as values that JSON has."""
    device = msgspec.to_builtins(probe.normalizer.description)
    facts = _redacted({"device": device, "soc": _readings(probe).get("soc")})
    return cast("dict[str, Any]", facts)


def summary(probe: Probe) -> str:
    """Return the same as a text of one line."""
    soc = _readings(probe).get("soc")
    return _printable("; ".join([*_pack(probe), *([] if soc is None else [f"{soc:g} %"])]))


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return _printable(value)
    if isinstance(value, dict):
        return {_printable(key): _redacted(item) for key, item in value.items()}
    return [_redacted(item) for item in value] if isinstance(value, list | tuple) else value


def _wrapped(parts: Iterable[tuple[str, str]]) -> Iterator[str]:
    for label, text in parts:
        yield from textwrap.wrap(
            _printable(text),
            WIDTH,
            initial_indent=f"  {label:<{_INDENT - 2}}",
            subsequent_indent=" " * _INDENT,
            # An address or a command stays whole, so that it can be copied.
            break_long_words=False,
            break_on_hyphens=False,
        )


def verdict(probe: Probe, seconds: float) -> str:
    """Return the verdict, one line."""
    if not probe.arrivals:
        within = "" if probe.has_ended else f" within {seconds:g} s"
        return _printable(f"no status frame{within}: {_what_came_instead(probe)}")
    readings = _readings(probe)
    parts = [f"alive: {', '.join(_state(readings))}"]
    if readings.get("problem"):
        parts.append(f"alarm: {_alarm(readings)}")
    dangers = [a for a in _advice(probe) if a.level == "danger"]
    if dangers:
        parts.append("settings look dangerous")
    return _printable("; ".join(parts))


def _parts(probe: Probe, addresses: list[str]) -> Iterator[tuple[str, str]]:
    if addresses:
        yield "name", f"is {', '.join(addresses)}"
    if probe.connected_after is not None:
        look_up = ", with the look-up of its name" if addresses else ""
        yield "connection", f"open after {probe.connected_after:.2f} s{look_up}"
    for failure in probe.failures:
        yield "failure", failure
    if not probe.arrivals:
        yield "what to do", what_to_do(probe)
        return
    readings = _readings(probe)
    yield "frames", ", ".join(_frames(probe))
    yield "firmware", "; ".join(_firmware(probe))
    yield "pack", "; ".join(_pack(probe))
    yield "state", ", ".join(_state(readings))
    if cells := ", ".join(_cells(readings)):
        yield "cells", cells
    yield "alarm", _alarm(readings) if readings.get("problem") else "none"
    for remark in probe.normalizer.remarks_now:
        yield "remark", remark
    yield from _settings(probe)


def _frames(probe: Probe) -> Iterator[str]:
    count = len(probe.arrivals)
    yield f"{count} status" if probe.is_typed else "a status without a type (older firmware)"
    if count > 1:
        yield f"one every {(probe.arrivals[-1] - probe.arrivals[0]) / (count - 1):.2f} s"
    if probe.is_typed:
        yield "settings received" if probe.settings is not None else "no settings during this check"
    for kind, number in probe.bad.items():
        yield f"{number} dropped: {kind}"
    if probe.dropped:
        yield f"fields that could not be read: {', '.join(sorted(probe.dropped)[:10])}"


def _firmware(probe: Probe) -> Iterator[str]:
    yield "websocket" if probe.is_typed else "before SW164_2, polled over HTTP"
    for name, keys in (("status", probe.status_keys), ("settings", probe.settings_keys)):
        if keys is not None:
            yield f"{name} {_keys(keys)}"


def _keys(keys: KeyDifferences) -> str:
    parts = []
    if keys.missing:
        parts.append(f"without {', '.join(keys.missing)}")
    if keys.unknown:
        shown = ", ".join(keys.unknown[:20]) + (", ..." if len(keys.unknown) > 20 else "")
        parts.append(f"with unknown keys: {shown} (please report them)")
    return ", ".join(parts) or "with all known keys"


def _pack(probe: Probe) -> Iterator[str]:
    known = probe.normalizer.description
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
    # The BMS's own text where no time can be read from it.
    left = time_left(readings) or readings.get("time_remaining_text")
    for text in (readings.get("charge_state"), left):
        if text:
            yield str(text)


def _cells(readings: dict[str, Any]) -> Iterator[str]:
    for word, key, cell in (
        ("lowest", "cell_voltage_min", "cell_min"),
        ("highest", "cell_voltage_max", "cell_max"),
    ):
        if readings.get(key) is not None:
            name = f" (cell {readings[cell]})" if readings.get(cell) else ""
            yield f"{word} {readings[key]:.3f} V{name}"
    if readings.get("cell_voltage_delta") is not None:
        yield f"difference {readings['cell_voltage_delta']:.3f} V"
    if readings.get("temperature_max") is not None:
        yield f"warmest {readings['temperature_max']:g} °C"


def _alarm(readings: dict[str, Any]) -> str:
    text = str(readings.get("error_text") or readings.get("error_message") or "an unknown one")
    number = readings.get("error_number")
    where = alarm_location(number, readings.get("error_unit"), readings.get("error_cell"))
    return f"{text}{where}. {alarm_guidance(number)}"


def _settings(probe: Probe) -> Iterator[tuple[str, str]]:
    if probe.settings is None:
        return
    advice = _advice(probe)
    if not advice:
        yield "settings", "nothing dangerous or inconsistent"
    for remark in advice:
        yield "settings", f"{remark.level}: {remark.text}"


def what_to_do(probe: Probe) -> str:
    """Return what the owner can do if no status frame came."""
    if probe.step is not None:
        return probe.step
    if probe.is_web_page:
        return WEB_PAGE
    if NoBatteryData().kind in probe.bad:
        return NO_DATA
    if probe.bad:
        return NO_FRAME
    step = next_step(probe.failures[-1]) if probe.failures else None
    if step is None and probe.connected_after is not None:
        step = SILENT
    return step or IS_IT_ON


def why_not(probe: Probe) -> str:
    """Return what came instead of a status frame, in a few words."""
    return _printable(_what_came_instead(probe))


def _what_came_instead(probe: Probe) -> str:
    if probe.bad:
        return "the answer is not a frame of a BMS (" + ", ".join(probe.bad) + ")"
    if probe.failures:
        return probe.failures[-1]
    is_answered = probe.has_ended or probe.connected_after is not None
    return "nothing received" if is_answered else "no answer"


def _advice(probe: Probe) -> list[Advice]:
    return [] if probe.settings is None else review(probe.settings)


def _readings(probe: Probe) -> dict[str, Any]:
    if probe.readings is None:
        return {}
    return {sensor.key: value for sensor, value in probe.readings.items()}


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _printable(text: str) -> str:
    return printable(redact_text(text))
