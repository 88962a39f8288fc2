"""`recbms-zmq check`: is a BMS, or a service, alive?"""

import json
import re
import subprocess

import pytest
from support.bms import FakeBms
from support.fixtures import MakeBms, Run
from support.frames import SETTINGS, STATUS
from support.process import Command

pytestmark = pytest.mark.slow

SEVERAL = (SETTINGS, STATUS, STATUS, STATUS, STATUS)
STATE = "28.5 %, 13.24 V, +7.46 A, charging, full in 31 h"
FROST = (
    "settings",
    (
        "note: temperature limit low (tmin, -10 °C) is outside the usual 0 to 60 °C: Winston cells "
        "can be charged below 0 °C, most others cannot; see the cells' data sheet"
    ),
)
CELLS = (
    "cells",
    "lowest 3.305 V (cell 2/1), highest 3.320 V (cell 2/2), difference 0.015 V, warmest 22.5 °C",
)
PACK = ("pack", "ABMS, LiFePO4 Winston, 320 Ah; unit 2: 4 cells, 1 temperature sensor")


def output(check: Command, code: int) -> str:
    """Return stdout of a check that ends with this code, with times as `N s`."""
    text = check.stdout.text()
    assert check.wait() == code, check.stderr.text()
    assert check.stderr.text() == ""
    return re.sub(r"[0-9.]+ s\b(?!:)", "N s", text)


def report(text: str) -> tuple[str, list[tuple[str, str]], str]:
    """Take a report apart: the address, the findings without their line ends, the verdict."""
    assert max(map(len, text.splitlines()[1:-1])) <= 80
    address, *lines, verdict = text.splitlines()
    found: list[tuple[str, str]] = []
    for line in lines:
        if label := line[2:14].strip():
            found.append((label, line[14:]))
        else:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line[14:]}")
    return address, found, verdict


def test_a_healthy_bms_is_described(start: Run, make_bms: MakeBms) -> None:
    bms = make_bms(greeting=SEVERAL)
    assert report(output(start("check", bms.url), 0)) == (
        bms.url,
        [
            ("connection", "open after N s"),
            ("frames", "4 status, one every N s, settings received"),
            ("firmware", "websocket; status with all known keys; settings without mcu_time, re1l"),
            PACK,
            ("state", STATE),
            CELLS,
            ("alarm", "none"),
            FROST,
        ],
        f"alive: {STATE}",
    )


def test_one_line_is_enough_for_a_script(start: Run, bms: FakeBms) -> None:
    assert output(start("check", "--brief", bms.url), 0) == f"alive: {STATE}\n"


def test_a_host_is_enough_and_the_report_has_the_command_to_type(
    start: Run, make_bms: MakeBms
) -> None:
    bms = make_bms(greeting=SEVERAL)
    address, found, verdict = report(output(start("check", f"http://{bms.authority}/"), 0))
    assert (address, verdict) == (bms.url, f"alive: {STATE}")
    assert found[-1] == ("to read it", f"recbms-zmq run {bms.url}")


def test_the_command_to_type_repeats_the_options_and_no_password(
    start: Run, make_bms: MakeBms
) -> None:
    bms = make_bms()
    options = ("--max-frame", "5000")
    text = output(start("check", "--brief", *options, f"owner:secret@{bms.authority}"), 0)
    url = bms.url.replace("//", "//***@")
    assert text == f"alive: {STATE}; to read it: recbms-zmq run --max-frame 5000 '{url}'\n"


def test_json_has_the_facts_for_programs(start: Run, make_bms: MakeBms) -> None:
    bms = make_bms(greeting=SEVERAL)
    facts = json.loads(output(start("check", "--json", bms.authority), 0))
    assert {key: facts[key] for key in ("alive", "url", "command", "alarm", "status_frames")} == {
        "alive": True,
        "url": bms.url,
        "command": f"recbms-zmq run {bms.url}",
        "alarm": None,
        "status_frames": 4,
    }
    assert facts["readings"]["soc"] == 28.5
    assert [advice["level"] for advice in facts["settings"]] == ["note"]
    bms.stop()
    facts = json.loads(output(start("check", "--json", "--timeout", "1", bms.url), 69))
    assert (facts["alive"], facts["failures"]) == (False, ["connection refused"])
    assert facts["next_step"].startswith("A device is at this address")
    facts = json.loads(output(start("check", "--json", bms.authority), 69))
    assert (facts["alive"], facts["url"]) == (False, None)
    assert output(start("check", "--brief", bms.authority), 69) == f"{facts['verdict']}\n"


def test_advice_on_stdin_is_not_about_a_module_in_the_network(start: Run) -> None:
    check = start("check", "--timeout", "5", "-", stdin=subprocess.PIPE)
    check.stdin.write(b"no frame\n")
    check.stdin.close()
    step = "Standard input needs status frames, one a line: look at what comes before the pipe."
    assert report(output(check, 69)) == (
        "-",
        [("connection", "open after N s"), ("what to do", step)],
        "no status frame: the answer is not a frame of a BMS (not JSON)",
    )


def test_a_name_is_resolved(start: Run, bms: FakeBms) -> None:
    text = output(start("check", bms.url.replace("127.0.0.1", "localhost")), 0)
    assert re.search(r"^  name        is .*127\.0\.0\.1", text, re.MULTILINE)


def test_a_terminal_without_unicode_gets_question_marks(start: Run, bms: FakeBms) -> None:
    env = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    assert "22.5 ?C" in output(start("check", bms.url, env=env), 0)


# --- a service ---


def test_every_bms_of_a_service_is_reported(run: Run, start: Run, make_bms: MakeBms) -> None:
    gone = make_bms()
    service = run(f"a={make_bms().url}", f"b={make_bms().url}", f"gone={gone.url}")
    endpoint = service.endpoint()
    for device in ("a", "b", "gone"):
        service.message(device=device, key="availability", payload="online")
    online = [f"{device}: online (status frames arrive)" for device in ("a", "b", "gone")]
    assert output(start("check", endpoint), 0).splitlines() == online
    assert output(start("check", "--brief", endpoint), 0) == "; ".join(online) + "\n"
    facts = json.loads(output(start("check", "--json", endpoint), 0))
    assert facts["alive"]
    assert [(each["device"], each["state"]) for each in facts["bms"]] == [
        ("a", "online"),
        ("b", "online"),
        ("gone", "online"),
    ]
    assert output(start("check", "--device", "b", "--device", "a", endpoint), 0).splitlines() == [
        online[1],
        online[0],
    ]


def test_a_bms_that_is_offline_is_a_failure_of_the_check(
    run: Run, start: Run, make_bms: MakeBms
) -> None:
    gone = make_bms()
    gone.stop()
    service = run("--refresh", "1", f"a={make_bms().url}", f"gone={gone.url}")
    endpoint = service.endpoint()
    service.message(device="a", key="availability", payload="online")
    service.message(device="gone", key="availability", reason="connection refused")
    states = ["a: online (status frames arrive)", "gone: offline (connection refused)"]
    *lines, step = output(start("check", endpoint), 1).splitlines()
    assert sorted(lines) == states
    assert step == (
        "what to do: check the address of the BMS that is offline, as in recbms-zmq check "
        "192.168.8.2"
    )
    brief = output(start("check", "--brief", endpoint), 1)
    assert sorted(brief.removesuffix("\n").split("; ")) == states
    assert output(start("check", "--device", "a", endpoint), 0).startswith("a: online")


def test_a_missing_service_and_a_missing_bms_are_errors(run: Run, start: Run, bms: FakeBms) -> None:
    service = run(bms.url)
    service.message(key="availability", payload="online")
    for arguments, sentence in (
        (
            ("--device", "main", "--device", "shed", service.endpoint()),
            f"the service at {service.endpoint()} has no BMS called shed",
        ),
        (
            ("--prefix", "other", service.endpoint()),
            (
                f"nothing came from {service.endpoint()} within 1 s: is recbms-zmq run publishing "
                "there, and can this machine reach it?"
            ),
        ),
    ):
        check = start("check", "--timeout", "1", *arguments)
        assert check.wait() == 69
        assert check.stderr.text() == f"recbms-zmq: {sentence}\n"
