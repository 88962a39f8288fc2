"""The message contract as a check: takes all messages of one BMS and checks each."""

import json
import re
from math import isfinite
from typing import Any, Final, NoReturn

from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.messages import decode_message

TOPIC: Final = re.compile(
    r"recbms/main/(?:availability|event|snapshot|device|[a-z_0-9]+"
    r"|bms_temperature/\d{1,3}|(?:temperature|cell_[a-z]+)/\d{1,3}/\d{1,2}"
    r"|settings/[a-z_0-9]+|link/[a-z_]+)"
)
MOST_TOPICS: Final = 256 * (1 + 16 + 3 * 32) + 150
"""Of all addresses, whatever came on them in the course of time."""
MOST_AT_ONCE: Final = 16 * (1 + 16 + 3 * 32) + 150
"""Of one frame: 16 units, and what a pack has once."""
_ALWAYS: Final = {"recbms/main/availability", "recbms/main/device"}


class Contract:
    """The messages of the BMS `main`, checked against the contract one by one.

    Attributes:
        bodies: all messages.

    """

    def __init__(self, secret: bytes = b"") -> None:
        self._retained: dict[Any, dict[str, Any]] = {}
        self.bodies: list[bytes] = []
        self._secret = secret
        self._seq: dict[str, int] = {}
        self._online = False

    def publish(self, batch: Batch) -> None:
        """Check a batch."""
        for topic, body, retained in batch.messages:
            message = self._message(topic, body)
            assert (retained is None) == (message["kind"] == "event")
            if retained is not None:
                self._retained[retained] = message
        newest = {topic: (body, retained) for topic, body, retained in batch.messages}
        for body, retained in newest.values():
            assert retained is None or retained.last_body() == body
        for expired in batch.expired:
            self._retained.pop(expired, None)
        standing = self.standing
        assert len(standing) == len(self._retained)
        assert len(self._seq) <= MOST_TOPICS
        assert len(standing) <= MOST_AT_ONCE
        if not self._online:
            assert standing.keys() <= _ALWAYS

    @property
    def standing(self) -> dict[str, dict[str, Any]]:
        """What a new subscriber would receive, by topic."""
        return {message["topic"]: message for message in self._retained.values()}

    def _message(self, topic: bytes, body: bytes) -> dict[str, Any]:
        assert len(body.decode("ascii").splitlines()) == 1
        assert b"\n" not in body
        assert not self._secret or self._secret not in body
        message: dict[str, Any] = _STRICT.decode(body.decode())
        name = message["topic"]
        assert name.encode() == topic
        assert TOPIC.fullmatch(name)
        assert name == f"recbms/main/{message['key']}"
        assert decode_message(body).seq == message["seq"]
        assert message["seq"] == self._seq.get(name, 0) + 1
        self._seq[name] = message["seq"]
        if message["kind"] == "availability":
            self._online = message["payload"] == "online"
        elif message["kind"] in ("reading", "snapshot"):
            assert self._online or not self.bodies or message["payload"] is None
        elif message["kind"] == "device":
            units = message["payload"]["units"]
            assert len(units) <= 16
            assert all(unit["cells"] <= 32 and unit["sensors"] <= 16 for unit in units)
        if not self.bodies:
            assert message["payload"] == "offline"
        self.bodies.append(body)
        return message


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


_STRICT: Final = json.JSONDecoder(
    parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_without_repeats
)
