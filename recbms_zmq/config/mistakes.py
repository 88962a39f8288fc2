"""Usual mistakes in addresses, and what to type instead, for the end of what a reader expects.

Patterns match no `@`: a password is not shown.
"""

import re
from typing import Final

_MQTT: Final = (
    r"mqtts?:|MQTTS?:",
    " (for MQTT: recbms-zmq files to_mqtt.py, or flow --target mqtt)",
)
_ENDPOINT_HINTS: Final = (
    _MQTT,
    (r"(?i:wss?|https?)://", " (that is an address of a BMS: recbms-zmq run reads it)"),
    (r"\d{1,5}$", " (perhaps tcp://127.0.0.1:{}?)"),
    (r"([\w.-]{1,100}|\*):\d{1,5}$", " (perhaps tcp://{}?)"),
    (r"(localhost|[\w-]{1,63}(\.[\w-]{1,63}){1,9})$", " (perhaps tcp://{}:5556?)"),
    (r"tcp://[^\s:/@]{1,100}$", " (a port is missing: {}:5556)"),
    (r"recbms/", " (a topic follows --topic)"),
    (r"[./~][\w./~-]{0,100}$", " (perhaps ipc://{}?)"),
)
"""Usual mistakes in an endpoint, and what to type instead."""
_NO_HOST: Final = (
    (r"(sim|demo|simulate)(?![\w.-])", " (perhaps sim:, or sim:?units=2&cells=16?)"),
    (r"[\w./~-]{1,100}\.toml$", " (perhaps recbms-zmq run --config {}?)"),
    (r"[\w./~-]{1,100}\.(ya?ml|ini|conf)$", " (a configuration is a TOML file: --config FILE)"),
    (r"[\w./~-]{1,100}\.(jsonl?|ndjson|log|txt)$", " (perhaps replay:{}?)"),
)
_SOURCE_HINTS: Final = (
    _MQTT,
    ("[\"'<`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb]", " (without the quotes)"),
    (r"file:", " (perhaps replay:FILE?)"),
    *_NO_HOST,
    (r"[\w.-]{1,100}(:\d{1,5})?/(ws|cell)/?$", " (a scheme is missing: ws:// or http://)"),
    (r"[\w.-]{1,100}:5556$", " (perhaps a service publishes there: recbms-zmq listen tcp://{})"),
    (r"\w[\w.-]{0,99}(:\d{1,5})?$", " (perhaps ws://{}/ws?)"),
    (r"tcp:|ipc:", " (that is where a service publishes: recbms-zmq listen reads it)"),
    (r"(wss?|https?):/?(?!/)", " (two slashes follow the colon)"),
    (r"(wss?|https?)//", " (a colon is missing before the slashes)"),
    (r"(wss?|https?)://([:/?#]|$)", " (the host is missing)"),
    (r"(wss?|https?)://[\w.-]+:\d*(/|$)", " (a port is a number from 1 to 65535)"),
)
"""Usual mistakes in the address of a BMS, and what to type instead."""


def instead_of_endpoint(given: str) -> str:
    """Return the hint for what is no ZeroMQ endpoint; "" for no usual mistake."""
    return _hint(_ENDPOINT_HINTS, given)


def instead_of_source(given: str) -> str:
    """Return the hint for what is no address of a BMS; "" for no usual mistake."""
    return _hint(_SOURCE_HINTS, given)


def is_no_host(word: str) -> bool:
    """Return whether a word without a scheme is the name of a file, or a word for the simulator."""
    return bool(_hint(_NO_HOST, word))


def _hint(mistakes: tuple[tuple[str, str], ...], given: str) -> str:
    found = (hint for pattern, hint in mistakes if re.match(pattern, given, re.ASCII))
    return next(found, "").format(given)
