"""Numbers with their units, times, alarms and advice, as plain text.

Text from outside goes through `printable` before it reaches a terminal.
"""

from datetime import datetime

from recbms_zmq.monitor.pack_state import ActiveAlarm, Limits, PackState, PastEvent, Temperature
from recbms_zmq.text import amount, printable
from recbms_zmq.wire.alarms import alarm_guidance, alarm_location


def power(value: float | None) -> str:
    """Return a power with its sign: `+98.8 W`, `-1450 W`, `+12.3 kW`."""
    if value is not None and abs(value) >= 9999.5:
        return amount(value / 1000, "kW", 1, signed=True)
    return amount(value, "W", 1 if value is None or abs(value) < 100 else 0, signed=True)


def duration(seconds: float) -> str:
    """Return a duration in its largest unit: `3 s`, `2 min`, `5 h`, `12 d`."""
    for length, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"


def time_left(pack: PackState) -> str:
    """Return when the pack is full or empty: `full in 31 h 00 min`; "" if the BMS gives no time."""
    minutes = pack.number("time_remaining_minutes")
    for end in ("full", "empty"):
        if minutes is not None and pack.number(f"time_to_{end}") is not None:
            return f"{end} in {int(minutes) // 60} h {int(minutes) % 60:02} min"
    return printable(pack.text("time_remaining_text"))


def about(pack: PackState) -> list[str]:
    """Return what rarely changes: model, chemistry, capacity, health."""
    parts = []
    if pack.info is not None:
        parts += [pack.info.model or "", pack.chemistry]
        if pack.info.capacity is not None:
            parts.append(amount(pack.info.capacity, "Ah"))
        if len(pack.info.units) > 1:
            parts.append(f"{len(pack.info.units)} units")
    cells = pack.number("cells")
    if cells is not None:
        parts.append(f"{cells:.0f} cells")
    health = pack.number("soh")
    if health is not None:
        parts.append(f"health {amount(health, '%', 1)}")
    cycles = pack.number("cycles")
    if cycles is not None:
        parts.append(f"{cycles:.0f} cycles")
    return [printable(part) for part in parts if part]


def alarm(active: ActiveAlarm) -> list[str]:
    """Return an alarm as sentences: its text, its meaning with advice, the BMS's own message."""
    title = "Alarm" if active.number is None else f"Alarm {active.number}"
    lines = [f"{title}: {active.text}{alarm_location(active.number, active.unit, active.cell)}"]
    lines.append(alarm_guidance(active.number))
    if active.message:
        lines.append(f"Message of the BMS: {active.message}")
    return [printable(line) for line in lines]


def event(past: PastEvent, now: float) -> str:
    """Return a raised or cleared alarm, and how long ago that was."""
    what = "alarm raised" if past.raised else "alarm cleared"
    where = alarm_location(past.number, past.unit, past.cell)
    times = f", {past.times} times" if past.times > 1 else ""
    return printable(f"{duration(now - past.at)} ago, {what}: {past.text}{where}{times}")


def last_alarm(pack: PackState) -> str:
    """Return the alarm that was raised last, with its local time; "" if none is known."""
    text, ts = pack.text("last_alarm"), pack.text("last_alarm_time")
    try:
        raised_at = datetime.fromisoformat(ts).astimezone()
    except (ValueError, OverflowError):
        return ""
    return printable(f"{raised_at:%Y-%m-%d %H:%M}, last alarm: {text}") if text else ""


def temperature(reading: Temperature) -> str:
    """Return a temperature with its unit and sensor."""
    where = f"{reading.unit}/{reading.number}" if reading.number else f"BMS {reading.unit}"
    return f"{where} {amount(reading.celsius, '°C', 1)}"


def limits(between: Limits) -> str:
    """Return the range that the bars of the cells show."""
    kind = "limits" if between.known else "usual range"
    return f"{kind} {between.low:.2f} to {between.high:.2f} V"


def spread(pack: PackState) -> str:
    """Return lowest and highest cell voltage and their difference; "" if unknown."""
    low, high = pack.number("cell_voltage_min"), pack.number("cell_voltage_max")
    if low is None or high is None:
        return ""
    return f"{low:.3f} to {high:.3f} V, difference {(high - low) * 1000:.0f} mV"
