"""`to_signalk.py` between real pipes: what it writes, and how it ends."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from support.fixtures import MakeBms, Run
from support.frames import SETTINGS, status
from support.pages import ROOT
from support.waiting import PATIENCE

pytestmark = pytest.mark.slow

SCRIPT = ROOT / "flows" / "pipes" / "to_signalk.py"


def deltas(lines: Sequence[str], *options: str) -> tuple[list[dict[str, Any]], str]:
    """Return what the script writes for these lines, and its log."""
    done = subprocess.run(
        [sys.executable, SCRIPT, *options],
        input="".join(f"{line}\n" for line in lines).encode(),
        capture_output=True,
        check=True,
        timeout=PATIENCE,
    )
    assert all(len(line) < 2048 for line in done.stdout.splitlines())
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def values(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the last value of every path but notifications."""
    return {
        item["path"].removeprefix("electrical.batteries."): item["value"]
        for delta in found
        for update in delta["updates"]
        for item in update.get("values", ())
        if not item["path"].startswith("notifications")
    }


def reading(device: str, key: str, payload: Any, **changes: Any) -> str:
    message = {
        "topic": f"recbms/{device}/{key}",
        "payload": payload,
        "kind": "reading",
        "device": device,
        "device_name": device,
        "key": key,
        "name": key,
        "ts": "2026-11-26T12:00:00.000Z",
        "seq": 2,
        "run": "00000000",
    }
    return json.dumps(message | changes)


def test_the_largest_pack_fits_into_short_lines_with_a_unit_for_each_path(
    make_bms: MakeBms, run: Run
) -> None:
    bms = make_bms(greeting=[SETTINGS, status(units=15, cells=16)])
    service = run("--no-publish", "--once", bms.url)
    assert service.wait() == 0
    found, log = deltas([line.decode() for line in service.stdout.all()])
    assert log == ""
    cells = {f"main.unit{u}.cell{c}" for u in range(2, 17) for c in range(1, 17)}
    sent = {
        path.rpartition(".")[0]
        for path in values(found)
        if path.endswith(".voltage") and ".cell" in path
    }
    assert sent == cells
    units = {
        item["path"].removeprefix("electrical.batteries."): item["value"]
        for delta in found
        for update in delta["updates"]
        for item in update.get("meta", ())
    }
    assert {f"{cell}.voltage" for cell in cells} < units.keys()
    assert units["main.unit2.cell1.resistance"] == {"units": "ohm"}
    # The input has ended, so nothing is measured any more.
    measured = {path: value for path, value in values(found).items() if "unit" in path}
    assert set(measured.values()) == {None}


@pytest.mark.parametrize(
    "line", ["", "null", "[]", "{}", "{", "\u00e9", '{"topic":1}', reading("main", "soc", "x")]
)
def test_a_line_that_is_no_message_costs_itself_and_is_logged(line: str) -> None:
    found, log = deltas([line, reading("main", "voltage", 13.2)])
    assert "main.voltage" in values(found)
    assert log.count("\n") == (1 if line else 0)


def test_names_that_differ_in_their_signs_only_are_two_batteries() -> None:
    found, _ = deltas([reading(name, "voltage", 13.2) for name in ("a-b", "a_b", "ab")])
    assert {path.partition(".")[0] for path in values(found)} == {"ab", "abn2", "abn3"}


def test_values_become_null_when_no_message_comes() -> None:
    process = subprocess.Popen(
        [sys.executable, SCRIPT, "--expire-after", "0.5"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.write(reading("main", "voltage", 13.2) + "\n")
        process.stdin.flush()
        first, last = (json.loads(process.stdout.readline()) for _ in range(2))
        process.stdin.close()
        assert process.stdout.read() == ""
    assert values([first]) == {"main.voltage": 13.2}
    assert values([last]) == {"main.voltage": None}
    assert process.returncode == 0


def test_a_reader_that_goes_ends_it_with_141() -> None:
    process = subprocess.Popen(
        [sys.executable, SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, log = process.communicate(reading("main", "voltage", 13.2).encode() + b"\n", PATIENCE)
    assert (process.returncode, log) == (141, b"")
