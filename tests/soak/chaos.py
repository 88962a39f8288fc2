"""What is drawn from the seed: packs, their faults, and the service's configuration for them."""

import random
from collections.abc import Iterator
from typing import Any, Final

from recbms_zmq.simulator.faults import KINDS
from recbms_zmq.simulator.frames import FIRMWARE

STALE_AFTER: Final = 2.0
REFRESH: Final = 5.0
Plan = dict[str, Any]
"""A BMS: `name`, `port`, `options` of the simulator, `faults` as a text, the service's `config`."""

_LINK: Final = (
    *("drop", "cut", "refuse", "close", "goodbye", "no-pong", "stall", "freeze", "burst"),
)
_STATES: Final = ("unit", "clock", "alarm")


def fleet(seed: int, ports: list[int]) -> list[Plan]:
    """Draw a BMS for each port."""
    chance = random.Random(seed)
    faults = _dealt(chance)
    return [_bms(chance, number, port, faults) for number, port in enumerate(ports)]


def _bms(chance: random.Random, number: int, port: int, faults: Iterator[str]) -> Plan:
    config: Plan = {"stale_after": STALE_AFTER}
    path, scheme = "ws", "ws"
    match number % 10:
        case 1:
            config |= {"emit": "both", "bare": True}
        case 3:
            config |= {"report": "all"}
        case 5:
            config |= {"min_interval": 1.0}
        case 7:
            path, scheme = "cell", "http"
            config |= {"poll_interval": 1.0, "stale_after": 2 * STALE_AFTER}
    return {
        "name": f"b{number:02}",
        "port": port,
        "options": {
            "units": chance.choice((1, 1, 1, 2, 3)),
            "cells": chance.choice((4, 4, 8, 16)),
            "rate": chance.choice((1.5, 2, 4)),
            "speed": chance.choice((1, 10, 300)),
            "seed": chance.randrange(2**32),
            "firmware": chance.choice(FIRMWARE),
        },
        "faults": ", ".join(next(faults) for _ in range(chance.randint(4, 7))),
        "config": {"url": f"{scheme}://127.0.0.1:{port}/{path}"} | config,
    }


def _dealt(chance: random.Random) -> Iterator[str]:
    """Deal faults as from a pack of cards: every kind comes before one comes again."""
    while True:
        kinds = list(KINDS)
        chance.shuffle(kinds)
        for kind in kinds:
            yield _fault(chance, kind)


def _fault(chance: random.Random, kind: str) -> str:
    lasting = f"for {chance.uniform(0.3, 2.5 * STALE_AFTER):.1f}s"
    every = f"every {chance.uniform(3, 12):.1f}s"
    number = f"={chance.randint(1, 255)}" if kind == "alarm" else ""
    if kind in ("drop", "cut"):
        return f"{kind} {every}"
    if kind in _LINK or kind in _STATES:
        return f"{kind}{number} {every} {lasting}"
    # Of a frame; those that cost the connection, or much time, come more seldom.
    most = 4 if kind in ("huge", "deep") else 15
    return f"{kind} {chance.uniform(0.5, most):.1f}%"


def toml(plans: list[Plan], publish: list[str], state_dir: str) -> str:
    """Write the service's configuration."""
    lines = [
        f"publish = {publish!r}",
        f"state_dir = {state_dir!r}",
        f"refresh = {REFRESH}",
    ]
    for plan in plans:
        lines += ["[[bms]]", f"name = {plan['name']!r}"]
        for key, value in plan["config"].items():
            lines.append(
                f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}"
            )
    return "\n".join(lines) + "\n"
