"""The Signal K flow's function node sends the same as `to_signalk.py`, and repeats and expires."""

import json
from collections.abc import Iterable
from typing import Any

from support.flow_scripts import flow_script
from support.function_node import needs_node, run_scripts
from support.pages import ROOT

from recbms_zmq.nodered.layout import script

pytestmark = needs_node

Message = dict[str, Any]
_lines = (ROOT / "tests" / "process" / "expected" / "real_frames.jsonl").read_text("utf-8")
*REAL, _offline = map(json.loads, _lines.splitlines())
FIRST = {message["key"]: message for message in REAL}
TICKS = 1000


def changed(key: str, payload: Any, device: str = "main", **others: Any) -> Message:
    """Return a later message of the real run, with another payload."""
    topic = f"recbms/{device}/{key}"
    return {**FIRST[key], "topic": topic, "device": device, "payload": payload, "seq": 9, **others}


def error(number: int, unit: int | None, cell: int | None) -> list[Message]:
    return [
        changed("error_number", number),
        changed("error_unit", unit),
        changed("error_cell", cell),
        changed("error_text", f"Text of {number}" if number else None),
    ]


RAISED = {
    **{word: FIRST["soc"][word] for word in ("device", "device_name", "ts", "run")},
    "topic": "recbms/main/event",
    "kind": "event",
    "key": "event",
    "seq": 1,
    "payload": {"event": "alarm_raised", "number": 4, "advice": "Let it cool down."},
}
PHASES: list[list[Message]] = [
    REAL,
    [RAISED, *error(4, 2, 1)],
    error(3, 2, None),
    [*error(0, None, None), changed("soc", 28.6), changed("cell_voltage/2/1", None)],
    [changed("availability", "offline", reason="no status frame for 30 s")],
    [changed("availability", "online"), *REAL[2:]],
    [changed("voltage", 13.1, device) for device in ("a-b", "a_b")],
    [changed("error_number", None), changed("time_to_full", None)],
]


def content(deltas: Iterable[str | bytes]) -> dict[tuple[str, str, str], Any]:
    """Return what deltas have, by source, kind and path."""
    return {
        (update["$source"], kind, item["path"]): item["value"]
        for delta in map(json.loads, deltas)
        for update in delta["updates"]
        for kind in ("meta", "values")
        for item in update.get(kind, ())
    }


def tick(at: float) -> Message:
    return {"control": "tick", "payload": at * 1000}


def sent(messages: list[Message]) -> list[list[str]]:
    """Return the deltas of each message."""
    done = run_scripts(script("signal_k_start"), script("signal_k"), messages)
    assert [each["errors"] for each in done if each["errors"]] == []
    return [[m["payload"] for m in (each["sent"] or [[]])[0]] for each in done]


def test_the_flow_sends_what_the_script_sends() -> None:
    out: list[bytes] = []
    fleet = flow_script("to_signalk").Fleet(out.append, 8000, 0)
    expected = []
    for phase in PHASES:
        for message in phase:
            fleet.update(json.dumps(message).encode())
        fleet.flush()
        expected.append(content(out))
        out.clear()
    fleet.end()
    expected.append(content(out))

    ticks = [tick(TICKS) for _ in range(len(PHASES) + 1)]
    phases = [*PHASES, [{"control": "offline"}]]
    messages = [each for phase, end in zip(phases, ticks, strict=True) for each in (*phase, end)]
    found = [
        content(deltas)
        for message, deltas in zip(messages, sent(messages), strict=True)
        if message.get("control") == "tick"
    ]
    assert all(expected)
    assert found == expected
    path = "notifications.electrical.batteries.main.error3"
    assert expected[3]["recbms.main", "values", path] == {
        "state": "normal",
        "method": [],
        "message": "Error 3 cleared",
    }


def test_datagrams_are_short_whatever_the_size_of_the_pack() -> None:
    cells = [
        changed("cell_voltage/2/1", 3.3) | {"key": key, "topic": f"recbms/main/{key}"}
        for unit in range(1, 17)
        for cell in range(1, 33)
        for key in [f"cell_voltage/{unit}/{cell}"]
    ]
    *_, deltas = sent([*cells, tick(TICKS)])
    assert len(content(deltas)) == 2 * len(cells)
    assert max(map(len, deltas)) <= 8000


def test_everything_is_sent_again_for_a_server_that_was_restarted() -> None:
    *_, first, nothing, again = sent([*REAL, tick(TICKS), tick(TICKS + 29), tick(TICKS + 30)])
    assert nothing == []
    assert content(again) == content(first) != {}


def test_values_become_null_three_minutes_after_the_last_message() -> None:
    messages = [changed("voltage", 13.2), *(tick(TICKS + seconds) for seconds in (0, 180, 181))]
    path = "electrical.batteries.main.voltage"
    *_, before, after = sent(messages)
    assert content(before)["recbms.main", "values", path] == 13.2
    found = content(after)
    assert found["recbms.main", "values", path] is None
    assert found["recbms.main", "values", "notifications.electrical.batteries.main.offline"] == {
        "state": "warn",
        "method": ["visual"],
        "message": "No values from the BMS: no message for 180 s",
    }
