"""Whatever a BMS sends, nothing but frame errors, and no message outside the contract.

Raw bytes, any JSON, and the two real frames changed in values, types, keys, structure and bytes go
all the way from decoding to messages.
"""

import copy
import json
import logging
import re
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recbms_zmq.device import Device
from recbms_zmq.energy import FROM_ZERO
from recbms_zmq.errors import FrameError
from recbms_zmq.frames import decode
from recbms_zmq.instant import Instant
from recbms_zmq.messages import Envelopes, decode_message
from recbms_zmq.normalize import Normalizer
from recbms_zmq.report import Reporter
from recbms_zmq.salvage import salvage
from recbms_zmq.streams import Batch, ReportOptions

FRAMES = Path(__file__).parent / "frames"
SECRET = "1A-73519264"
STATUS: Any = json.loads((FRAMES / "status.json").read_bytes())
SETTINGS: Any = json.loads((FRAMES / "settings.json").read_bytes()) | {"bms_name": SECRET}
TOPIC = re.compile(
    r"recbms/main/(?:availability|event|snapshot|device|[a-z_0-9]+"
    r"|bms_temperature/\d{1,3}|(?:temperature|cell_[a-z]+)/\d{1,3}/\d{1,2}"
    r"|settings/[a-z_0-9]+|link/[a-z_]+)"
)

# --- what is sent ---

NUMBERS = (
    st.sampled_from([0, -0.0, 0.1, -0.1, 1, 2, 3, 4, 16, 17, 255, 256, -1, 2**31, 2**32, 2**63])
    | st.sampled_from([1e300, -1e300, 5e-324, 10**25, 1.7976931348623157e308])
    | st.floats(allow_nan=False, allow_infinity=False)
)
TEXTS = st.sampled_from(
    ["", "Full in:<br> 31h 00 min", "Empty in: -1h 5 min", "&#x1F50B;&lt;<br", "NaN", "1"]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
KEYS = (
    st.sampled_from(["0", "1", "3", "15", "16", "31", "32", "-1", "00", "1.0", "x", "../x", "a/b"])
    | st.sampled_from(["type", "nap", "slave", "master", "address", "st_celic", "\u00e9", ""])
    | st.text(max_size=5)
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Return every container of the tree with every key in it."""
    found: list[tuple[Any, Any]] = []
    items: Any = []
    if isinstance(tree, dict):
        items = tree.items()
    elif isinstance(tree, list):
        items = enumerate(tree)
    for key, value in items:
        found.append((tree, key))
        found += places(value)
    return found


@st.composite
def changed_frames(draw: st.DrawFn) -> bytes:
    """Change a real frame in up to six places. The serial number stays where it belongs."""
    tree = copy.deepcopy(draw(st.sampled_from([STATUS, SETTINGS])))
    for _ in range(draw(st.integers(0, 6))):
        where = [place for place in places(tree) if place[1] != "bms_name"]
        if not where:
            break
        container, key = draw(st.sampled_from(where))
        how = draw(st.sampled_from(["value", "delete", "rename", "repeat", "array", "wrap"]))
        value = container[key]
        if how == "value":
            container[key] = draw(VALUES)
        elif how == "delete":
            del container[key]
        elif how == "wrap":
            container[key] = draw(st.sampled_from([[value], {"0": value}, str(value)[:9]]))
        elif how == "array" and isinstance(value, dict):
            container[key] = list(value.values())
        elif how == "repeat" and isinstance(value, dict):
            container[key] = {**value, **dict.fromkeys(map(str, range(40)), draw(VALUES))}
        elif how == "rename" and isinstance(container, dict) and "bms_name" not in container:
            container[draw(KEYS)] = container.pop(key)
    return json.dumps(tree, ensure_ascii=draw(st.booleans())).encode("utf-8", "replace")


TOKENS = (
    st.sampled_from([b"NaN", b"-nan", b"inf", b"1e999", b"null", b"\\ud800", b"\xff", b"\0", b"\n"])
    | st.sampled_from([bytes([char]) for char in b'{}[],:"\\'])
    | st.sampled_from([b"9" * 400, b"[" * 3000, b'{"a":' * 3000])
)


@st.composite
def damaged_bytes(draw: st.DrawFn) -> bytes:
    """Damage a frame as a bad line does: something lost, something put between."""
    data = draw(changed_frames())
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        lost = draw(st.sampled_from([0, 0, 1, 4, 50, 10_000]))
        data = data[:start] + draw(TOKENS | st.binary(max_size=3)) + data[start + lost :]
    return data


JSON = VALUES.map(json.dumps).map(str.encode)
WIRE = st.one_of(changed_frames(), damaged_bytes(), JSON, st.binary(max_size=50))

# --- what must come of it ---


def _refuse(token: str) -> NoReturn:
    raise AssertionError(f"{token} in a message")


def _finite(token: str) -> float:
    value = float(token)
    assert isfinite(value)
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    assert len(members) == len(pairs)
    return members


def check(batch: Batch) -> None:
    for topic, body, _ in batch.messages:
        assert TOPIC.fullmatch(topic.decode("ascii"))
        assert len(body.decode("ascii").splitlines()) == 1
        assert b"\n" not in body
        assert b"73519264" not in body
        message = json.loads(
            body,
            parse_constant=_refuse,
            parse_float=_finite,
            object_pairs_hook=_without_repeats,
        )
        assert message["topic"].encode() == topic
        assert decode_message(body).seq == message["seq"]
    for topic in batch.forgotten:
        assert TOPIC.fullmatch(topic.decode("ascii"))


OPTIONS = st.fixed_dictionaries(
    {
        "emit": st.sampled_from(["readings", "snapshot", "both"]),
        "report": st.sampled_from(["changes", "all"]),
        "min_interval": st.sampled_from([0.0, 3.0]),
        "refresh": st.sampled_from([2.0, 60.0]),
        "stale_after": st.sampled_from([4.0, 30.0]),
    }
)


@given(OPTIONS, st.lists(WIRE, min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_bytes_give_anything_but_messages_of_the_contract(
    caplog: pytest.LogCaptureFixture, options: dict[str, Any], wire: list[bytes]
) -> None:
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    envelopes = Envelopes("main", "REC BMS", "5f3a9c01")
    device = Device("main", Normalizer(), Reporter(envelopes, ReportOptions(**options)), check)
    device.meter.resume(FROM_ZERO)
    device.start(Instant(0, 0))
    for second, data in enumerate(wire):
        device.frame(data, Instant(second * 3, second * 3))
        device.tick(Instant(second * 3 + 2, second * 3 + 2))
    device.stop(Instant(1000, 1000))
    assert "73519264" not in caplog.text


@given(st.one_of(WIRE, WIRE.map(lambda data: data.decode("utf-8", "surrogateescape"))))
def test_no_bytes_and_no_text_are_refused_with_anything_but_a_frame_error(
    data: bytes | str,
) -> None:
    try:
        frame, dropped = decode(data)
    except FrameError as exc:
        assert len(str(exc)) < 200  # noqa: PT017 whatever comes may be good or bad
    else:
        assert decode(data) == (frame, dropped)


@given(changed_frames())
def test_salvage_reads_a_good_frame_as_strict_decoding_does(data: bytes) -> None:
    try:
        frame, dropped = decode(data)
    except FrameError:
        return
    if not dropped:
        lost: list[str] = []
        assert salvage(type(frame), json.loads(data), lost) == frame
        assert lost == []
