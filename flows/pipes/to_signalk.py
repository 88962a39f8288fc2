#!/usr/bin/env python3
"""Turn what recbms-zmq writes to stdout into Signal K deltas, for a boat's server.

    recbms-zmq run --exit-on-stdin-close ws://192.168.8.2/ws | python3 to_signalk.py
    recbms-zmq listen | python3 to_signalk.py --udp 127.0.0.1:4123

Reads messages of recbms-zmq from stdin, one JSON object per line. Writes deltas to stdout, one per
line, as an Execute connection of the server reads them; or sends them to a UDP connection.

Everything is under `electrical.batteries.<id>`, in the units of the Signal K specification: K, J,
C, s, and ratios. The current is positive while the battery is charged. The id is the name of the
BMS without `-` and `_`. A value that is unknown is null, and so are all measured values while the
BMS is offline, or when nothing has come for --expire-after. Errors of the BMS are notifications,
one path for each error number: the server keeps a notification silent that was acknowledged and
comes again soon on the same path.

Exit codes: 0 at the end of the input or on SIGTERM, 141 if the reader of stdout has gone.
It needs Python 3.11 or newer, and nothing of recbms-zmq.
"""

import argparse
import json
import os
import re
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

MAX_LINE: Final = 1900
"""Bytes of a delta on stdout: the server drops a line of more than 2,048 without its end."""
MAX_DATAGRAM: Final = 8000
"""Bytes of a delta by UDP: the server takes up to 9,000."""
MAX_INPUT: Final = 1 << 20
REPEAT: Final = 30.0
"""Seconds after which UDP sends everything again: a server that has restarted has forgotten it."""
TICK: Final = 1.0

Message = dict[str, Any]


def kelvin(celsius: float) -> float:
    """Return K."""
    return round(celsius + 273.15, 2)


def ratio(percent: float) -> float:
    """Return a ratio, 0 to 1."""
    return round(percent / 100, 4)


def seconds(hours: float) -> int:
    """Return s of h, and C of Ah."""
    return round(hours * 3600)


def ohms(milliohms: float) -> float:
    """Return Ω."""
    return round(milliohms / 1000, 6)


class Row(NamedTuple):
    """Where a reading goes.

    Attributes:
        path: behind the battery; {0} is the address of the unit, {1} the number of cell or sensor.
        convert: to the unit of Signal K, None to leave the value as it is.
        unit: for the server, of a path that the specification does not have.

    """

    path: str
    convert: Callable[[Any], Any] | None = None
    unit: str | None = None


ROWS: Final = {
    "voltage": Row("voltage"),
    "current": Row("current"),
    "power": Row("power", unit="W"),
    "temperature_max": Row("temperature", kelvin),
    "soc": Row("capacity.stateOfCharge", ratio),
    "soh": Row("capacity.stateOfHealth", ratio),
    "time_to_empty": Row("capacity.timeRemaining", seconds),
    "time_to_full": Row("capacity.timeToFull", seconds, "s"),
    "settings/charge_taken_out": Row("capacity.dischargeSinceFull", seconds),
    "charge_state": Row("chargeState"),
    "cell_voltage_min": Row("cellVoltageMinimum", unit="V"),
    "cell_voltage_max": Row("cellVoltageMaximum", unit="V"),
    "cell_voltage_delta": Row("cellVoltageDifference", unit="V"),
    "cell_voltage_average": Row("cellVoltageAverage", unit="V"),
    "temperature_min": Row("temperatureMinimum", kelvin, "K"),
    "balancing": Row("balancing"),
    "cycles": Row("cycles"),
    "cell_min": Row("cellLowest"),
    "cell_max": Row("cellHighest"),
    "bms_temperature/*": Row("unit{0}.temperature", kelvin, "K"),
    "temperature/*/*": Row("unit{0}.sensor{1}.temperature", kelvin, "K"),
    "cell_voltage/*/*": Row("unit{0}.cell{1}.voltage", unit="V"),
    "cell_resistance/*/*": Row("unit{0}.cell{1}.resistance", ohms, "ohm"),
    "cell_balancing/*/*": Row("unit{0}.cell{1}.balancing"),
}
"""Sensors without a row are computed from these ones, mean the same in another unit, such as
`charge_power` and `energy_remaining` (`capacity.remaining`), or are of no use on a boat's display,
such as `last_alarm` and `link/frames`. Those of the error become notifications."""

NOMINAL_CELL_VOLTAGE: Final = {"LiFePO4": 3.2, "Li-Po": 3.7, "LiMn2O4": 3.7}
"""V, by the first word of the chemistry. Signal K counts capacity in joules."""

WARNINGS: Final = (3, 7)
"""Errors that are a `warn`, all others an `alarm`: 3 (cell voltages differ) switches nothing off,
7 (too cold to charge) ends when the battery is warmer."""


class Battery:
    """One BMS: what is known of it, and what of that the server has not got yet.

    Args:
        name: the id in the path, `[A-Za-z0-9]+`.

    Attributes:
        source: what the deltas name as their source.
        ts: time of the last message, ISO 8601.
        is_live: whether there are measured values.

    """

    def __init__(self, name: str) -> None:
        self.source: Final = f"recbms.{name}"
        self.ts = ""
        self.is_live = False
        self._path: Final = f"electrical.batteries.{name}."
        self._values: dict[str, Any] = {}
        self._changed: dict[str, None] = {}  # paths, in the order in which they changed
        self._units: dict[str, str] = {}
        self._new_units: dict[str, str] = {}
        self._readings: dict[str, Any] = {}
        self._info: Message = {}
        self._advice: dict[int, str] = {}
        self._error = 0

    def update(self, message: Message) -> None:
        """Update the values from a message of recbms-zmq.

        Raises:
            KeyError, TypeError, ValueError: it is not one.

        """
        self.ts = message["ts"]
        kind, payload = message["kind"], message["payload"]
        if kind == "reading":
            self.is_live = True
            self._readings[message["key"]] = payload
            self._update_reading(message["key"], payload)
        elif kind == "availability" and payload == "offline":
            # The first message of every run is `offline`; it stays so only if it is repeated.
            if message["seq"] > 1:
                self.withdraw(message["reason"])
        elif kind == "availability":
            self._notify("offline", "normal", "The BMS sends values")
        elif kind == "device":
            self._info = payload
            self._set("name", message["device_name"])
            self._set("manufacturer.name", "REC")
            for path, key in (("manufacturer.model", "model"), ("chemistry", "chemistry")):
                if payload.get(key) is not None:
                    self._set(path, payload[key])
        elif kind == "event" and payload.get("advice"):
            self._advice[payload["number"]] = payload["advice"]

    def withdraw(self, reason: str) -> None:
        """Make the measured values null: `reason` is a sentence without its full stop."""
        self.is_live = False
        self._readings = {}
        for path, value in self._values.items():
            if value is not None and not isinstance(value, str | dict):
                self._values[path] = None
                self._changed[path] = None
        for name in ("chargeState", "cellLowest", "cellHighest"):
            if self._values.get(self._path + name) is not None:
                self._set(name, None)
        self._notify("offline", "warn", f"No values from the BMS: {reason}")

    def repeat(self) -> None:
        """Return all values and units from the next `changes` again."""
        self._new_units = dict(self._units)
        self._changed = dict.fromkeys(self._values)

    def changes(self) -> Iterator[tuple[str, Message]]:
        """Return what is new since the last call, as items of `meta` and of `values`."""
        self._update_capacity()
        self._update_error()
        for path, unit in self._new_units.items():
            yield "meta", {"path": path, "value": {"units": unit}}
        for path in self._changed:
            yield "values", {"path": path, "value": self._values[path]}
        self._new_units, self._changed = {}, {}

    def _update_reading(self, key: str, value: Any) -> None:
        row = ROWS.get(re.sub(r"/\d+", "/*", key))
        if row is None:
            return
        path = row.path.format(*re.findall(r"/(\d+)", key))
        if value is not None and row.convert is not None:
            value = row.convert(value)
        self._set(path, value)
        if row.unit is not None and self._path + path not in self._units:
            self._units[self._path + path] = self._new_units[self._path + path] = row.unit

    def _update_capacity(self) -> None:
        """Set the capacities in J: charge times the nominal voltage of the pack."""
        chemistry = str(self._info.get("chemistry") or "")
        cell_voltage = NOMINAL_CELL_VOLTAGE.get(chemistry.partition(" ")[0])
        cells: int | None = self._readings.get("cells")

        def joules(key: str) -> int | None:
            charge: float | None = self._readings.get(key)
            if cell_voltage is None or cells is None or charge is None:
                return None
            return round(charge * 3600 * cells * cell_voltage)

        nominal, soh = joules("settings/capacity"), self._readings.get("soh")
        self._set_if_new("capacity.nominal", nominal)
        self._set_if_new("capacity.remaining", joules("capacity_remaining"))
        actual = None if nominal is None or soh is None else round(nominal * soh / 100)
        self._set_if_new("capacity.actual", actual)

    def _update_error(self) -> None:
        """Raise and clear notifications by the readings of the error, which are refreshed."""
        number = self._readings.get("error_number")
        if number is None:  # while it is unknown, what was raised stays
            return
        if self._error and self._error != number:
            self._notify(f"error{self._error}", "normal", f"Error {self._error} cleared")
        self._error = number
        if not number:
            return
        places = (("unit", "error_unit"), ("cell or sensor", "error_cell"))
        where = ", ".join(
            f"{name} {self._readings[key]}"
            for name, key in places
            if self._readings.get(key) is not None
        )
        text = self._readings.get("error_text") or f"Error {number}"
        sentences = (f"{text} ({where})" if where else text, self._advice.get(number))
        state = "warn" if number in WARNINGS else "alarm"
        self._notify(f"error{number}", state, ". ".join(filter(None, sentences)))

    def _notify(self, name: str, state: str, message: str) -> None:
        path = f"notifications.{self._path}{name}"
        last = self._values.get(path)
        if state == "normal" and (last is None or last["state"] == "normal"):
            return
        methods = {"normal": [], "warn": ["visual"], "alarm": ["visual", "sound"]}
        value = {"state": state, "method": methods[state], "message": message}
        if value != last:
            self._values[path] = value
            self._changed[path] = None

    def _set(self, name: str, value: Any) -> None:
        path = self._path + name
        if value is not None or self._values.get(path) is not None:
            self._values[path] = value
            self._changed[path] = None

    def _set_if_new(self, name: str, value: Any) -> None:
        if self._values.get(self._path + name) != value:
            self._set(name, value)


def deltas(battery: Battery, most: int) -> Iterator[bytes]:
    """Return the changes of a battery as deltas of at most `most` bytes of JSON each."""
    update = {"$source": battery.source, "timestamp": battery.ts}
    head = len(_encode(update, "values", ())) + 2
    kind, items, size = "", list[Message](), head
    for each, item in battery.changes():
        length = len(json.dumps(item)) + 2
        if items and (each != kind or size + length > most):
            yield _encode(update, kind, items)
            items, size = [], head
        kind = each
        items.append(item)
        size += length
    if items:
        yield _encode(update, kind, items)


def _encode(update: Message, kind: str, items: Iterable[Message]) -> bytes:
    delta = {"context": "vessels.self", "updates": [{**update, kind: list(items)}]}
    return json.dumps(delta).encode()


class Fleet:
    """The batteries of all messages.

    Args:
        send: sends one delta, JSON without a newline.
        most: bytes of a delta.
        expire_after: seconds without any message of a BMS after which its values become null.

    """

    def __init__(self, send: Callable[[bytes], None], most: int, expire_after: float) -> None:
        self._send = send
        self._most = most
        self._expire_after = expire_after
        self._batteries: dict[str, Battery] = {}
        self._names: set[str] = set()
        self._seen: dict[str, float] = {}

    def update(self, line: bytes) -> None:
        """Update a battery from a line; log a line that is no message of recbms-zmq."""
        try:
            message = json.loads(line)
            device = message["topic"].removesuffix(f"/{message['key']}")
            self._battery(device, message["device"]).update(message)
            self._seen[device] = time.monotonic()
        except (ValueError, KeyError, TypeError, AttributeError):
            log(f"dropped a line that is no message of recbms-zmq: {line[:80]!r}")

    def flush(self) -> None:
        """Send what has changed, and withdraw what is too old."""
        now = time.monotonic()
        for device, battery in self._batteries.items():
            if self._expire_after and now > self._seen.get(device, now) + self._expire_after:
                del self._seen[device]
                self._withdraw(battery, f"no message for {self._expire_after:g} s")
            for delta in deltas(battery, self._most):
                self._send(delta)

    def repeat(self) -> None:
        """Send everything again with the next `flush`."""
        for battery in self._batteries.values():
            battery.repeat()

    def end(self) -> None:
        """Send that nothing is measured any more."""
        for battery in self._batteries.values():
            if battery.is_live:
                self._withdraw(battery, "recbms-zmq has ended")
        self.flush()

    def _withdraw(self, battery: Battery, reason: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        battery.ts = now.replace("+00:00", "Z")
        battery.withdraw(reason)

    def _battery(self, device: str, name: str) -> Battery:
        battery = self._batteries.get(device)
        if battery is None:
            wanted = base = re.sub(r"[^A-Za-z0-9]", "", name) or "battery"
            number = 1
            while wanted in self._names:  # a-b and a_b
                number += 1
                wanted = f"{base}n{number}"
            self._names.add(wanted)
            battery = self._batteries[device] = Battery(wanted)
        return battery


def log(text: str) -> None:
    """Write one line to stderr, which the server shows as an error of the connection."""
    print(f"to_signalk: {text}", file=sys.stderr, flush=True)


def chunks() -> Iterator[list[bytes]]:
    """Yield the lines of stdin as they come, and an empty list every second without one."""
    buffer = b""
    while True:
        if not select.select([0], [], [], TICK)[0]:
            yield []
            continue
        data = os.read(0, 65536)
        if not data:
            return
        *lines, buffer = (buffer + data).split(b"\n")
        yield lines
        if len(buffer) > MAX_INPUT:
            log("dropped a line of more than 1 MiB")
            buffer = b""


def to_stdout(delta: bytes) -> None:
    """Write a line whole: the server puts lines together only within its limit."""
    data = memoryview(delta + b"\n")
    while data:
        data = data[os.write(1, data) :]


def to_udp(address: str) -> Callable[[bytes], None]:
    """Return a function that sends a datagram to HOST:PORT.

    Raises:
        ValueError: the address is not one, or its name is unknown.

    """
    host, _, port = address.rpartition(":")
    if not host or not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise ValueError(f"expected HOST:PORT, got {address!r}")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)
    except OSError as exc:
        raise ValueError(f"expected HOST:PORT, got {address!r}: {exc.strerror}") from None
    family, kind, _, _, target = found[0]
    udp = socket.socket(family, kind)

    def send(delta: bytes) -> None:
        try:
            udp.sendto(delta, target)
        except OSError as exc:  # the network may come back
            log(f"cannot send to {address}: {exc.strerror}")

    return send


def main() -> int:
    """Convert stdin until it ends; return the exit code."""
    parser = argparse.ArgumentParser(
        description="Turn the messages of recbms-zmq, read from stdin, into Signal K deltas."
    )
    parser.add_argument(
        "--udp", metavar="HOST:PORT", help="send to a UDP connection, not to stdout"
    )
    parser.add_argument(
        "--expire-after",
        metavar="SECONDS",
        type=float,
        default=180.0,
        help="without any message of a BMS for this time its values become null; at least twice "
        "the --refresh of recbms-zmq; 0: never (default: 180)",
    )
    args = parser.parse_args()
    send: Callable[[bytes], None] = to_stdout
    most = MAX_LINE
    if args.udp is not None:
        try:
            send, most = to_udp(args.udp), MAX_DATAGRAM
        except ValueError as exc:
            parser.error(f"--udp: {exc}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    fleet = Fleet(send, most, args.expire_after)
    repeated_at = time.monotonic()
    try:
        try:
            for lines in chunks():
                for line in filter(None, lines):
                    fleet.update(line)
                if args.udp is not None and time.monotonic() > repeated_at + REPEAT:
                    repeated_at = time.monotonic()
                    fleet.repeat()
                fleet.flush()
        except KeyboardInterrupt:
            pass
        finally:
            fleet.end()
    except BrokenPipeError:
        return 141
    return 0


if __name__ == "__main__":
    sys.exit(main())
