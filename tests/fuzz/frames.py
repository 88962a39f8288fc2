"""Targets for what a BMS sends: decoding, and all the way to messages."""

import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from recbms_zmq.clock import Instant
from recbms_zmq.config.options import ReportOptions
from recbms_zmq.errors import FrameError
from recbms_zmq.reporting.envelopes import Envelopes
from recbms_zmq.reporting.reporter import Reporter
from recbms_zmq.sensors.energy import FROM_ZERO
from recbms_zmq.sensors.normalize import Normalizer
from recbms_zmq.service.pipeline import Pipeline
from recbms_zmq.wire.decode import Decoded, decode
from recbms_zmq.wire.frames import Settings, Status
from recbms_zmq.wire.lenient import salvage
from recbms_zmq.wire.redaction import redact

from .contract import Contract

ALL = ReportOptions(emit="both", report="all")
OFTEN = ReportOptions(emit="both", refresh=2.0, min_interval=3.0, stale_after=4.0)
ENERGY = ("energy_charged", "energy_discharged", "charge_in", "charge_out")
STEP = 3.0
"""Seconds from one message to the next."""


def decoding(data: bytes) -> None:
    """Bytes and text, the strict decoder and the salvage, a frame and its redaction agree."""
    outcome = decoded(data)
    try:
        text = data.decode()
    except UnicodeError:
        text = data.decode("utf-8", "surrogateescape")
        decoded(text)
    else:
        assert decoded(text) == outcome
    redacted = redact(data)
    assert len(redacted) == len(data)
    assert redact(redacted) == redacted
    if isinstance(outcome, Decoded) and not outcome.dropped:
        try:
            raw = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeError):
            return  # wrong only in what is skipped
        lost: list[str] = []
        assert salvage(type(outcome.frame), raw, lost) == outcome.frame
        assert lost == []


def messages(data: bytes) -> None:
    """Every line is a message of a BMS, and so is the whole; nothing but the contract comes out."""
    lines = data.splitlines()
    options = (ALL, OFTEN)[len(data) % 2]  # both would take twice as long
    report([data], options)
    if len(lines) > 1:
        report(lines, options)


def decoded(data: bytes | str) -> Decoded | tuple[type, str]:
    """Decode; return the frame, or what was wrong with it."""
    try:
        found = decode(data)
    except FrameError as exc:
        refusal = type(exc), str(exc)
    else:
        assert all(path.isascii() and len(path) < 200 for path in found.dropped)
        return found
    assert len(refusal[1]) < 200
    assert refusal[1].isprintable()
    return refusal


def bms(contract: Contract, options: ReportOptions) -> Pipeline:
    """Make what takes a BMS's messages all the way."""
    reporter = Reporter(Envelopes("main", "REC BMS", "5f3a9c01"), options)
    device = Pipeline("main", Normalizer(), reporter, contract.publish)
    device.meter.resume(FROM_ZERO)
    return device


def report(wire: Sequence[bytes], options: ReportOptions, *, secret: bytes = b"") -> Contract:
    """Take messages of a BMS, a few seconds apart, all the way; return what is published."""
    contract = Contract(secret)
    device = bms(contract, options)
    device.start(Instant(0, 0))
    truth = Normalizer()
    now = 0.0
    for data in wire:
        now += STEP
        is_good = device.received(data, Instant(now, now))
        _check_what_stands(truth, data, contract, is_good=is_good, everything=options is ALL)
        device.advance(Instant(now + 2, now + 2))
    device.stop(Instant(now + 100, now + 100))
    return contract


def _check_what_stands(
    truth: Normalizer, data: bytes, contract: Contract, *, is_good: bool, everything: bool
) -> None:
    """Check that the last messages hold the frame's values, and nothing more."""
    try:
        frame = decode(data).frame
        if isinstance(frame, Settings):
            group, readings = "settings", truth.settings(frame)
        else:
            group, readings = "", truth.status(frame)
    except FrameError:
        assert not is_good
        return
    assert is_good
    if not everything or (group and "recbms/main/snapshot" not in contract.standing):
        return  # held back, or offline
    expected = {sensor.key: value for sensor, value in readings.items()}
    sent = {
        message["key"]: message["payload"]
        for message in contract.standing.values()
        if message["kind"] == "reading" and message["key"].startswith("settings/") == bool(group)
    }
    # What is of the service itself is not in the frame.
    own = ("link/", *ENERGY, "last_update", "last_alarm_time")
    sent, expected = _without(sent, own), _without(expected, own)
    assert sent == expected
    if isinstance(frame, Status):
        assert expected.items() <= contract.standing["recbms/main/snapshot"]["payload"].items()


def _without(readings: dict[str, Any], prefixes: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in readings.items() if not key.startswith(prefixes)}


def quiet() -> None:
    """Keep the log to itself: what is logged is looked at elsewhere."""
    logging.getLogger("recbms_zmq").setLevel(logging.CRITICAL)
