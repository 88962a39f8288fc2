#!/usr/bin/env python3
"""Publish what recbms-zmq writes to stdout on an MQTT broker, and announce it to Home Assistant.

    recbms-zmq run ws://192.168.8.2/ws | python to_mqtt.py --host 192.168.8.5 --user recbms

Reads messages of recbms-zmq from stdin, one JSON object per line, and publishes each on its own
topic with QoS 1. All but events are retained. Home Assistant gets one discovery message per BMS.

Availability has two topics, and a value is live only while both are `online`:

- `recbms/main/availability` (its `payload`): whether the BMS sends status frames. It becomes
  `offline` when recbms-zmq ends, however it ends;
- `CLIENT_ID/status`: whether this program is connected. It is also its Last Will.

At most 100 messages are on their way to the broker; the others wait in the pipe, and `recbms-zmq
run` then keeps the newest line of each topic. The program ends when its input has ended and the
broker has confirmed all of it, or 3 seconds after SIGTERM or Ctrl-C. Exit codes: 0, or 1 if the
broker did not confirm everything in that time.

It needs paho-mqtt (`pip install paho-mqtt`), and nothing else of recbms-zmq.
"""

import argparse
import json
import os
import re
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

try:
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion
except ImportError:
    sys.exit(f"{sys.argv[0]}: needs a package: {sys.executable} -m pip install paho-mqtt")

ROOM: Final = 100
"""Messages that may be on their way to the broker."""
GRACE: Final = 3.0
"""Seconds to publish the last messages after the end of the input or a signal."""
TICK: Final = 0.5
MAX_LINE: Final = 1 << 20
QUIET: Final = 1.0
"""Announce a BMS when no sensor was new for this long: its sensors come in bursts, and Home
Assistant loses part of a discovery message that follows another one at once."""

Message = dict[str, Any]


def log(text: str) -> None:
    """Write one line to stderr."""
    print(f"to_mqtt: {text}", file=sys.stderr, flush=True)


class GaveUp(Exception):
    """The broker did not confirm in time, at the end of the program."""


class Deadline:
    """When the program has to end: not known until it is asked to end."""

    def __init__(self) -> None:
        self._at: float | None = None

    def set(self, *_: object) -> None:
        """End within the grace period; also a signal handler."""
        if self._at is None:
            self._at = time.monotonic() + GRACE

    @property
    def is_over(self) -> bool:
        """Whether the program has to end now."""
        return self._at is not None and time.monotonic() >= self._at


class Broker:
    """A connection to the broker that reconnects, with a bounded number of messages in flight.

    Attributes:
        status_topic: `online` while connected, else `offline`.
        has_connected: set by paho's thread after every connection.

    """

    def __init__(self, args: argparse.Namespace, deadline: Deadline) -> None:
        self.status_topic: Final = f"{args.client_id}/status"
        self.has_connected: Final = threading.Event()
        self._address = f"{args.host}:{args.port}"
        self._deadline = deadline
        self._room = threading.Semaphore(ROOM)
        self._last_log = ""
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=args.client_id)
        client.on_publish = lambda *_: self._room.release()
        client.on_connect = self._connected
        client.on_connect_fail = self._failed
        client.on_disconnect = self._disconnected
        client.will_set(self.status_topic, "offline", qos=1, retain=True)
        client.reconnect_delay_set(1, 60)
        if args.user:
            client.username_pw_set(args.user, args.password)
        if args.tls:
            client.tls_set(ca_certs=args.ca_file)
        # Asynchronous, so that a broker that is away at the start is retried too.
        client.connect_async(args.host, args.port)
        client.loop_start()
        self._client = client

    def publish(self, topic: str, payload: str | bytes, *, retain: bool) -> None:
        """Queue a message; block while the queue is full.

        Raises:
            GaveUp: the queue was still full when the program had to end.

        """
        while not self._room.acquire(timeout=TICK):
            if self._deadline.is_over:
                raise GaveUp
        self._client.publish(topic, payload, qos=1, retain=retain)

    def close(self) -> None:
        """Wait until everything is confirmed, and disconnect without the Last Will.

        Raises:
            GaveUp: not everything was confirmed when the program had to end.

        """
        for _ in range(ROOM):
            while not self._room.acquire(timeout=TICK):
                if self._deadline.is_over:
                    raise GaveUp
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, _client: object, _data: object, _flags: object, code: Any, _: Any) -> None:
        if code.is_failure:
            self._log(f"{self._address} refuses the connection: {code}; retrying")
        else:
            self._log(f"connected to {self._address}")
            self.has_connected.set()

    def _failed(self, *_: object) -> None:
        # paho calls this while it handles the exception, and does not pass it on.
        self._log(f"cannot connect to {self._address}: {sys.exc_info()[1]}; retrying")

    def _disconnected(self, _client: object, _data: object, _: object, code: Any, __: Any) -> None:
        if code.is_failure and "refuses" not in self._last_log:
            self._log(f"connection to {self._address} lost: {code}; reconnecting")

    def _log(self, text: str) -> None:
        if text != self._last_log:
            self._last_log = text
            log(text)


class Discovery:
    """Home Assistant's MQTT discovery: one message per BMS with all its sensors.

    Attributes:
        changed: the devices whose message is due.

    """

    def __init__(self, args: argparse.Namespace, status_topic: str) -> None:
        self.changed: Final[set[str]] = set()
        self._prefix = args.discovery_prefix
        self._expire_after = args.expire_after
        self._status_topic = status_topic
        self._models: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._components: dict[str, dict[str, Message]] = {}
        self._changed_at = 0.0

    def update(self, message: Mapping[str, Any]) -> None:
        """Add the sensor of a reading, or the model of a device message, to the announcement."""
        base = message["topic"].removesuffix(f"/{message['key']}")  # recbms/main
        if message["kind"] == "device":
            self._set(self._models, base, message["payload"].get("model") or "BMS", base)
        elif message["kind"] == "reading" and "ha" in message:
            components = self._components.setdefault(base, {})
            self._set(self._names, base, message["device_name"], base)
            name = message["key"].replace("/", "_")
            self._set(components, name, self._component(message, base, name), base)

    def due(self) -> list[tuple[str, str]]:
        """Return topic and payload of the messages that are due now."""
        if not self.changed or time.monotonic() < self._changed_at + QUIET:
            return []
        bases = [base for base in sorted(self.changed) if base in self._components]
        self.changed.clear()
        return [self._config(base) for base in bases]

    def repeat(self) -> None:
        """Announce every device again."""
        self.changed.update(self._components)

    def _set(self, where: dict[str, Any], name: str, value: Any, base: str) -> None:
        if where.get(name) != value:
            where[name] = value
            self.changed.add(base)
            self._changed_at = time.monotonic()

    def _component(self, message: Mapping[str, Any], base: str, name: str) -> Message:
        words = dict(message["ha"])
        is_binary = words["component"] == "binary_sensor"
        # Texts: Home Assistant refuses more than 255 characters, and shows nothing for none.
        has_text = not is_binary and "unit" not in message
        text = "(value_json.payload | string)[:255] or 'none'"
        template = text if has_text else "value_json.payload"
        component = {
            "platform": words.pop("component"),
            "unique_id": f"{_identifier(base)}_{name}",
            "name": message["name"],
            "state_topic": message["topic"],
            "value_template": f"{{{{ {template} }}}}",
            **words,
        }
        if "unit" in message:
            component["unit_of_measurement"] = message["unit"]
        if is_binary:  # the words that the template makes of true and false
            component |= {"payload_on": "True", "payload_off": "False"}
        if self._expire_after:
            component["expire_after"] = self._expire_after
        return component

    def _config(self, base: str) -> tuple[str, str]:
        identifier = _identifier(base)
        config = {
            "device": {
                "identifiers": [identifier],
                "name": self._names[base],
                "manufacturer": "REC",
                "model": self._models.get(base, "BMS"),
            },
            "origin": {"name": "recbms-zmq"},
            "availability_mode": "all",
            "availability": [
                {"topic": f"{base}/availability", "value_template": "{{ value_json.payload }}"},
                {"topic": self._status_topic},
            ],
            "components": self._components[base],
        }
        return f"{self._prefix}/device/{identifier}/config", json.dumps(config)


def _identifier(base: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", base)


def lines(deadline: Deadline) -> Iterator[bytes | None]:
    """Yield the lines of stdin, and None twice a second while there is none."""
    buffer = b""
    while not deadline.is_over:
        if not select.select([0], [], [], TICK)[0]:
            yield None
            continue
        chunk = os.read(0, 65536)
        if not chunk:
            return
        *complete, buffer = (buffer + chunk).split(b"\n")
        yield from complete
        if len(buffer) > MAX_LINE:
            log("dropped a line of more than 1 MiB")
            buffer = b""


class Bridge:
    """Hands messages on to the broker and remembers what it needs to repeat them.

    Args:
        broker: takes the messages.
        discovery: announces them to Home Assistant, None for no announcement.

    """

    def __init__(self, broker: Broker, discovery: Discovery | None) -> None:
        self._broker = broker
        self._discovery = discovery
        # Readings come again with the refresh, and these do not, or not soon enough.
        self._kept: dict[str, bytes] = {}
        self._availability: dict[str, Message] = {}
        self._was_connected = False

    def publish(self, line: bytes) -> None:
        """Publish a line on its topic; log and drop a line that is no message of recbms-zmq."""
        try:
            message = json.loads(line)
            topic, kind = message["topic"], message["kind"]
            if self._discovery is not None:
                self._discovery.update(message)
        except (ValueError, KeyError, TypeError, AttributeError):
            log(f"dropped a line that is no message of recbms-zmq: {line[:80]!r}")
            return
        if kind == "availability":
            self._availability[topic] = message
        if kind in ("availability", "device"):
            self._kept[topic] = line
        self._broker.publish(topic, line, retain=kind != "event")

    def tick(self) -> None:
        """Publish what is due beside the messages themselves."""
        if self._broker.has_connected.is_set():
            self._broker.has_connected.clear()
            self._broker.publish(self._broker.status_topic, "online", retain=True)
            if self._was_connected:  # the broker may have lost what it retained
                self._repeat()
            self._was_connected = True
        if self._discovery is not None:
            for topic, payload in self._discovery.due():
                self._broker.publish(topic, payload, retain=True)

    def _repeat(self) -> None:
        for topic, line in self._kept.items():
            self._broker.publish(topic, line, retain=True)
        if self._discovery is not None:
            self._discovery.repeat()

    def end(self) -> None:
        """Publish that nothing is live any more.

        recbms-zmq has published its own `offline` unless it was killed, or goes on without us.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        for topic, message in self._availability.items():
            if message["payload"] == "online":
                changes = {
                    "payload": "offline",
                    "reason": "to_mqtt.py has ended",
                    "ts": now.replace("+00:00", "Z"),
                    "seq": message["seq"] + 1,
                }
                self._broker.publish(topic, json.dumps({**message, **changes}), retain=True)
        self._broker.publish(self._broker.status_topic, "offline", retain=True)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the options; each can also be set in the environment, as MQTT_HOST, MQTT_USER, …."""

    def default(name: str, value: Any = None) -> Any:
        return os.environ.get(f"MQTT_{name}") or value

    def is_on(name: str) -> bool:
        return default(name, "").lower() not in ("", "0", "false", "no", "off")

    parser = argparse.ArgumentParser(
        description="Publish the messages of recbms-zmq, read from stdin, on an MQTT broker.",
        epilog="Each option can be set in the environment: MQTT_HOST, MQTT_PORT, MQTT_USER, "
        "MQTT_PASSWORD (the password itself), MQTT_PASSWORD_FILE, MQTT_TLS=1, MQTT_CA_FILE, "
        "MQTT_CLIENT_ID, MQTT_DISCOVERY_PREFIX, MQTT_NO_DISCOVERY=1, MQTT_EXPIRE_AFTER.",
    )
    add = parser.add_argument
    add("--host", default=default("HOST", "127.0.0.1"), help="the broker (default: 127.0.0.1)")
    add("--port", type=int, default=default("PORT"), help="default: 1883, with TLS 8883")
    add("--user", default=default("USER"), help="user of the broker")
    add("--password-file", metavar="FILE", type=Path, default=default("PASSWORD_FILE"))
    add("--tls", action="store_true", default=is_on("TLS"), help="connect with TLS")
    add(
        "--ca-file",
        metavar="FILE",
        default=default("CA_FILE"),
        help="trust the certificates in this PEM file instead of the system's; implies --tls",
    )
    add(
        "--client-id",
        default=default("CLIENT_ID", f"recbms-zmq-{socket.gethostname()}"),
        help="unique on the broker; also the first part of the status topic "
        "(default: recbms-zmq-HOSTNAME)",
    )
    add(
        "--discovery-prefix",
        metavar="TOPIC",
        default=default("DISCOVERY_PREFIX", "homeassistant"),
        help="Home Assistant's discovery prefix (default: homeassistant)",
    )
    add(
        "--no-discovery",
        action="store_true",
        default=is_on("NO_DISCOVERY"),
        help="announce nothing to Home Assistant",
    )
    add(
        "--expire-after",
        metavar="SECONDS",
        type=int,
        default=default("EXPIRE_AFTER", 180),
        help="Home Assistant shows a value as unavailable after this time without a new one; "
        "at least twice the --refresh of recbms-zmq; 0: never (default: 180)",
    )
    args = parser.parse_args(argv)
    args.password = os.environ.get("MQTT_PASSWORD")
    if args.password_file is not None:
        try:
            args.password = Path(args.password_file).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as exc:
            parser.error(f"cannot read --password-file: {exc}")
    if args.ca_file is not None:
        args.tls = True
        if not os.access(args.ca_file, os.R_OK):
            parser.error(f"cannot read --ca-file {args.ca_file}")
    if args.port is None:
        args.port = 8883 if args.tls else 1883
    return args


def main() -> int:
    """Publish stdin until it ends; return the exit code."""
    args = parse()
    deadline = Deadline()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, deadline.set)
    broker = Broker(args, deadline)
    bridge = Bridge(broker, None if args.no_discovery else Discovery(args, broker.status_topic))
    try:
        for line in lines(deadline):
            bridge.tick()
            if line:
                bridge.publish(line)
        deadline.set()
        bridge.tick()
        bridge.end()
        broker.close()
    except GaveUp:
        log("ended before the broker had confirmed every message")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
