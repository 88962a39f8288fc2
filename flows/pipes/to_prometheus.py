#!/usr/bin/env python3
"""Serve what recbms-zmq writes to stdout as metrics, for Prometheus to scrape.

    recbms-zmq run ws://192.168.8.2/ws | python to_prometheus.py
    recbms-zmq listen | python to_prometheus.py --listen 127.0.0.1:9556

Reads messages of recbms-zmq from stdin, one JSON object per line. The metrics are at
http://127.0.0.1:9556/metrics, by Prometheus's conventions: base units (V, A, W, °C, seconds,
joules, coulombs, ratios from 0 to 1) in the name, `_total` for what only grows, and the BMS, the
unit, the cell or the sensor as labels: `recbms_cell_voltage_volts{device,unit,cell}`.
The names are made of the keys and units of the messages; texts have no metric.

`recbms_up` is 1 while the BMS is online. While it is offline, or when no message has come for
--expire-after, it is 0 and the BMS has no other values: Prometheus then knows that they are gone.
The program ends with its input, and Prometheus sees that the target is down.

It needs the words of Home Assistant in the messages (no --bare), which mark what only grows.
Exit codes: 0 at the end of the input or on SIGTERM, 1 if the address cannot be used. It needs
prometheus-client (`pip install prometheus-client`), and nothing else of recbms-zmq.
"""

import argparse
import json
import re
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, Final

try:
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector
except ImportError:
    sys.exit(f"{sys.argv[0]}: needs a package: {sys.executable} -m pip install prometheus-client")

MAX_LINE: Final = 1 << 20
UNITS: Final = {
    "%": ("ratio", 0.01),
    "1/h": ("per_second", 1 / 3600),
    "A": ("amperes", 1.0),
    "Ah": ("coulombs", 3600.0),
    "K": ("kelvin", 1.0),
    "V": ("volts", 1.0),
    "W": ("watts", 1.0),
    "bit/s": ("bytes_per_second", 1 / 8),
    "h": ("seconds", 3600.0),
    "kWh": ("joules", 3.6e6),
    "mΩ": ("ohms", 0.001),
    "s": ("seconds", 1.0),
    "°C": ("celsius", 1.0),
}
"""The base unit of each unit of the messages, as the end of the name, and the factor to it."""

SKIPPED: Final = ("time_remaining_minutes",)
"""Keys that are another one in another unit."""

Message = dict[str, Any]


class Series:
    """One topic: its metric, and the samples of its last value.

    Args:
        message: any reading of the topic.

    Attributes:
        name: of the metric, without the `_total` of a counter.
        help: what Prometheus shows of it.
        is_counter: whether it only grows.
        samples: labels and value of each; one, or one for each word of a sensor of a few words.

    """

    def __init__(self, message: Message) -> None:
        words, unit = message.get("ha", {}), message.get("unit", "")
        pattern, *numbers = re.split(r"/(?=\d)", message["key"])
        self._is_time = words.get("device_class") == "timestamp"
        self._options = list(map(str, words.get("options", [])))
        suffix, self._factor = UNITS.get(unit) or (re.sub(r"\W+", "_", unit, flags=re.ASCII), 1.0)
        self._labels = _labels(str(message["device"]), pattern, numbers)
        self.name: Final = _metric_name(pattern, "timestamp_seconds" if self._is_time else suffix)
        name = str(message["name"])
        self.help: Final = re.sub(r"\d+", "N", name) if numbers else name
        self.is_counter: Final = words.get("state_class") == "total_increasing"
        self.samples: list[tuple[dict[str, str], float]] = []

    def update(self, payload: Any) -> None:
        """Make samples, labels and value, of a payload; a text has none.

        Raises:
            ArithmeticError, TypeError, ValueError: it is no time, or too large.

        """
        if self._options:
            word = self.name.removeprefix("recbms_")
            self.samples = [
                ({**self._labels, word: option}, float(payload == option))
                for option in self._options
            ]
        elif self._is_time:
            self.samples = [(self._labels, datetime.fromisoformat(payload).timestamp())]
        elif isinstance(payload, bool | int | float):
            # Without the noise of floats: 0.382, not 0.38200000000000006.
            self.samples = [(self._labels, float(f"{payload * self._factor:.12g}"))]
        else:
            self.samples = []


def _metric_name(pattern: str, suffix: str) -> str:
    """Return the name of a key without its numbers, with its unit at the end."""
    # Names that end in `_count` are those of histograms.
    stem = re.sub(r"_count$", "s", re.sub(r"\W", "_", pattern, flags=re.ASCII))
    return "_".join(filter(None, ["recbms", stem, suffix]))


def _labels(device: str, pattern: str, numbers: list[str]) -> dict[str, str]:
    """Return the place of a value: the numbers of a key are those of the unit, and of a part."""
    part = "cell" if pattern.startswith("cell_") else "sensor"
    return {"device": device, **dict(zip(("unit", part), numbers, strict=False))}


class Metrics(Collector):
    """What is known of every BMS; `collect` is called by the web server's thread at each scrape.

    Args:
        expire_after: seconds without any message of a BMS after which it has no values; 0: never.

    """

    def __init__(self, expire_after: float) -> None:
        self._expire_after = expire_after
        self._lock = threading.Lock()
        self._series: dict[str, dict[str, Series]] = {}
        self._info: dict[str, dict[str, str]] = {}
        self._up: dict[str, bool] = {}
        self._seen: dict[str, float] = {}

    def update(self, line: bytes) -> None:
        """Update the metrics from a line; log a line that is no message of recbms-zmq."""
        try:
            message = json.loads(line)
            with self._lock:
                self._update(message)
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
            log(f"dropped a line that is no message of recbms-zmq: {line[:80]!r}")

    def _update(self, message: Message) -> None:
        device, kind, payload = str(message["device"]), message["kind"], message["payload"]
        self._seen[device] = time.monotonic()
        if kind == "availability":
            self._up[device] = payload == "online"
            if payload != "online":
                self._series.pop(device, None)
        elif kind == "reading":
            series = self._series.setdefault(device, {})
            if payload is None or message["key"] in SKIPPED:
                series.pop(message["key"], None)
            else:
                one = series.get(message["key"]) or Series(message)
                one.update(payload)
                series[message["key"]] = one
            self._up.setdefault(device, True)
        elif kind == "device":
            words = {word: str(payload.get(word) or "") for word in ("model", "chemistry")}
            name = str(message["device_name"])
            self._info[device] = {"device": device, "device_name": name, **words}

    def collect(self) -> Iterable[Metric]:
        """Return all metrics that have a value now."""
        with self._lock:
            return list(self._collect())

    def _collect(self) -> Iterator[Metric]:
        expired = time.monotonic() - self._expire_after if self._expire_after else 0.0
        up = GaugeMetricFamily("recbms_up", "Whether the BMS is online", labels=["device"])
        for device, is_up in self._up.items():
            up.add_metric([device], float(is_up and self._seen[device] >= expired))
        yield up
        info = GaugeMetricFamily(
            "recbms_device_info",
            "What the BMS is; always 1",
            labels=["device", "device_name", "model", "chemistry"],
        )
        for labels in self._info.values():
            info.add_metric(list(labels.values()), 1.0)
        yield info
        found: dict[str, Metric] = {}
        for device, topics in self._series.items():
            for series in topics.values() if self._seen[device] >= expired else ():
                for labels, value in series.samples:
                    if series.name not in found:
                        family = CounterMetricFamily if series.is_counter else GaugeMetricFamily
                        found[series.name] = family(series.name, series.help, labels=list(labels))
                    found[series.name].add_metric(list(labels.values()), value)  # type: ignore[attr-defined]
        yield from found.values()


def log(text: str) -> None:
    """Write one line to stderr."""
    print(f"to_prometheus: {text}", file=sys.stderr, flush=True)


def address(given: str) -> tuple[str, int]:
    """Read HOST:PORT."""
    host, _, port = given.rpartition(":")
    if not host or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, got {given!r}")
    return host.strip("[]"), int(port)


def main() -> int:
    """Serve until stdin ends; return the exit code."""
    parser = argparse.ArgumentParser(
        description="Serve the messages of recbms-zmq, read from stdin, as Prometheus metrics."
    )
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        type=address,
        default=("127.0.0.1", 9556),
        help="where to serve /metrics (default: 127.0.0.1:9556)",
    )
    parser.add_argument(
        "--expire-after",
        metavar="SECONDS",
        type=float,
        default=180.0,
        help="without any message of a BMS for this time it has no values; at least twice the "
        "--refresh of recbms-zmq; 0: never (default: 180)",
    )
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    metrics = Metrics(args.expire_after)
    registry = CollectorRegistry()
    registry.register(metrics)
    host, port = args.listen
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as exc:
        log(f"cannot listen on {host}:{port}: {exc.strerror}")
        return 1
    log(f"metrics at http://{host}:{server.server_port}/metrics")
    try:
        for line in iter(partial(sys.stdin.buffer.readline, MAX_LINE), b""):
            if line.strip():
                metrics.update(line)
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
