"""The dashboard's function nodes, run by Node.js: what the page receives, and when."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.function_node import needs_node, run_scripts

from recbms_zmq.nodered import core_nodes
from recbms_zmq.nodered.dashboard import tables
from recbms_zmq.nodered.layout import page, script
from recbms_zmq.wire.alarms import ALARMS

pytestmark = needs_node

PACKS = core_nodes.function("packs", start="packs_start", tables=tables())
RUN = {"device": "main", "device_name": "REC BMS", "ts": "2026-11-22T10:44:39.123Z", "run": "1a"}
UPDATED = 1795344279123
ONLINE = {
    **RUN,
    "topic": "recbms/main/availability",
    "key": "availability",
    "kind": "availability",
    "payload": "online",
    "reason": "status frames arrive",
}
OFFLINE = {**ONLINE, "payload": "offline", "reason": "no status frame for 30 s"}
DEVICE = {
    **RUN,
    "topic": "recbms/main/device",
    "key": "device",
    "kind": "device",
    "payload": {
        "units": [{"address": 2, "cells": 2, "sensors": 1}],
        "model": "Q",
        "chemistry": "LiFePO4 Winston",
        "capacity": 320.0,
    },
}


def reading(key: str, payload: Any, **more: Any) -> dict[str, Any]:
    return {
        **RUN,
        "topic": f"recbms/main/{key}",
        "key": key,
        "kind": "reading",
        "payload": payload,
        **more,
    }


def tick(seconds: float) -> dict[str, Any]:
    return {"control": "tick", "payload": UPDATED + 1000 * seconds}


def sent(*messages: dict[str, Any]) -> list[Any]:
    """Return what the last message made the node `State of the packs` send."""
    [*_, last] = run_scripts(PACKS["initialize"], PACKS["func"], messages)
    out: list[Any] = last["sent"]
    return out


def battery(*messages: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of the one pack after some messages."""
    [pack] = sent(*messages, tick(1))[0]["payload"]["packs"]
    shown: dict[str, Any] = pack
    return shown


def cells(*messages: dict[str, Any]) -> dict[str, Any]:
    [pack] = sent(*messages, tick(1))[1]["payload"]["packs"]
    shown: dict[str, Any] = pack
    return shown


def test_the_tables_are_in_the_start_script_and_the_shared_part_in_every_template() -> None:
    assert "TABLES" not in PACKS["initialize"]
    assert ALARMS[2].advice in PACKS["initialize"]
    for name in ("battery", "cells"):
        assert "shared.js" not in page(name)
        assert page(name).count("isConnected() {") == 1


def test_the_whole_state_of_a_pack_in_words() -> None:
    assert battery(
        *(ONLINE, DEVICE, reading("soc", 28.5), reading("power", 98.8)),
        *(reading("voltage", 13.24), reading("current", -7.5), reading("cells", 1)),
        *(reading("time_remaining_minutes", 65), reading("time_to_empty", 1.08)),
        *(reading("charge_state", "discharging"), reading("cycles", 37)),
        reading("soh", None),
    ) == {
        "id": "recbms/main",
        "name": "REC BMS",
        "live": True,
        "reason": "status frames arrive",
        "updated": UPDATED,
        "about": "Q · LiFePO4 Winston · 320 Ah · 1 cell · 37 cycles",
        "soc": 28.5,
        "soc_text": "28.5",
        "power_text": "+98.8",
        "power_unit": "W",
        "state": "discharging",
        "time": "empty in 1 h 05 min",
        "tiles": [
            {"key": key, "name": name, "unit": unit, "value": value}
            for key, name, unit, value in (
                ("voltage", "Pack voltage", "V", "13.24"),
                ("current", "Current", "A", "\N{MINUS SIGN}7.50"),
                ("cell_voltage_delta", "Cell voltage difference", "V", None),
                ("temperature_max", "Maximum temperature", "°C", None),
                ("capacity_remaining", "Remaining capacity", "Ah", None),
                ("soh", "State of health", "%", None),
                ("energy_charged", "Energy charged", "kWh", None),
                ("energy_discharged", "Energy discharged", "kWh", None),
            )
        ],
        "alarm": None,
        "events": [],
    }


@pytest.mark.parametrize(
    ("number", "unit", "cell", "text", "alarm"),
    [
        (
            *(2, 2, 3, "UNDERVOLTAGE"),
            {
                "title": "Alarm 2: Low (unit 2, cell 3)",
                "meaning": ALARMS[2].meaning,
                "message": "Message of the BMS: UNDERVOLTAGE",
            },
        ),
        (
            *(7, 2, 1, ""),
            {
                "title": "Alarm 7: Low (unit 2, sensor 1)",
                "meaning": ALARMS[7].meaning,
                "message": "",
            },
        ),
        (*(17, None, None, "Low"), {"title": "Alarm 17: Low", "meaning": "", "message": ""}),
        (*(None, None, None, ""), {"title": "Alarm: Low", "meaning": "", "message": ""}),
    ],
)
def test_an_alarm_is_shown_with_its_place_and_what_to_do(
    number: int | None, unit: int | None, cell: int | None, text: str, alarm: dict[str, str]
) -> None:
    active = (
        *(reading("problem", True), reading("error_text", "Low"), reading("error_number", number)),
        *(reading("error_unit", unit), reading("error_cell", cell)),
        reading("error_message", text),
    )
    assert battery(ONLINE, *active)["alarm"] == alarm
    assert battery(ONLINE, *active, reading("problem", False))["alarm"] is None


def event(number: int, kind: str) -> dict[str, Any]:
    payload = {"event": kind, "number": number, "text": "Low", "unit": 2, "cell": None}
    return {**reading("event", payload), "kind": "event"}


def test_the_last_five_alarms_are_kept_the_newest_first() -> None:
    raised = [event(number, "alarm_raised") for number in range(1, 6)]
    assert battery(ONLINE, *raised, event(6, "alarm_cleared"))["events"] == [
        {"at": UPDATED, "raised": False, "text": "Low (unit 2)"},
        *([{"at": UPDATED, "raised": True, "text": "Low (unit 2)"}] * 4),
    ]


def test_an_alarm_that_comes_and_goes_has_one_row_with_its_last_change() -> None:
    other = event(1, "alarm_raised")
    flapping = [event(2, "alarm_raised"), event(2, "alarm_cleared")] * 10
    assert battery(ONLINE, other, *flapping)["events"] == [
        {"at": UPDATED, "raised": False, "text": "Low (unit 2), 10 times"},
        {"at": UPDATED, "raised": True, "text": "Low (unit 2)"},
    ]
    assert battery(ONLINE, *flapping, event(2, "alarm_raised"), other)["events"] == [
        {"at": UPDATED, "raised": True, "text": "Low (unit 2)"},
        {"at": UPDATED, "raised": True, "text": "Low (unit 2), 11 times"},
    ]


def test_an_alarm_that_comes_again_after_an_hour_has_a_new_row() -> None:
    raised, over = event(2, "alarm_raised"), event(2, "alarm_cleared")
    at_start = datetime.fromisoformat(raised["ts"])
    long, again = timedelta(days=1), timedelta(days=1, hours=1, seconds=1)
    over["ts"] = (at_start + long).isoformat()
    later = {**raised, "ts": (at_start + again).isoformat()}
    assert battery(ONLINE, raised, over, later)["events"] == [
        {"at": UPDATED + again.total_seconds() * 1000, "raised": True, "text": "Low (unit 2)"},
        {"at": UPDATED + long.total_seconds() * 1000, "raised": False, "text": "Low (unit 2)"},
    ]


def test_an_alarm_from_before_the_start_is_in_the_list_until_there_are_events() -> None:
    ts = reading("soc", 1)["ts"]
    last = (reading("last_alarm", "Low (unit 2)"), reading("last_alarm_time", ts))
    raised = [{"at": UPDATED, "raised": True, "text": "Low (unit 2)"}]
    assert battery(ONLINE, *last)["events"] == raised
    over = {"at": UPDATED, "raised": False, "text": "Low (unit 2)"}
    assert battery(ONLINE, *last, event(2, "alarm_cleared"))["events"] == [over]
    assert battery(ONLINE, reading("last_alarm", None))["events"] == []


def test_cells_stand_between_their_limits_in_their_order() -> None:
    shown = cells(
        *(ONLINE, DEVICE),
        *(reading("settings/cell_voltage_limit_low", 3), reading("cell_min", "2/10")),
        *(reading("settings/cell_voltage_limit_high", 4), reading("cell_max", "2/2")),
        *(reading("cell_voltage_min", 2.9), reading("cell_voltage_max", 3.98)),
        reading("cell_balancing/2/2", True),
        *(reading(f"cell_voltage/2/{n}", v) for n, v in ((10, 2.9), (2, 3.98), (1, 3.5))),
        reading("cell_voltage/3/1", None),
        {**DEVICE, "payload": {"units": [{"address": 2, "cells": 10}, {"address": 3, "cells": 1}]}},
    )
    plain = {"mark": "", "balancing": False, "unit": 2}
    assert shown["units"] == [
        {
            "unit": 2,
            "cells": [
                {**plain, "number": 1, "voltage": "3.500", "share": 50, "look": "good"},
                {
                    **plain,
                    "number": 2,
                    "voltage": "3.980",
                    "share": 98,
                    "look": "near",
                    "mark": "highest",
                    "balancing": True,
                },
                {
                    **plain,
                    "number": 10,
                    "voltage": "2.900",
                    "share": 0,
                    "look": "out",
                    "mark": "lowest",
                },
            ],
        },
        {
            "unit": 3,
            "cells": [
                {**plain, "unit": 3, "number": 1, "voltage": None, "share": 0, "look": "unknown"}
            ],
        },
    ]
    assert shown["scale"] == "limits 3.00 to 4.00 V"
    assert shown["spread"] == "2.900 to 3.980 V, difference 1080 mV"


def test_a_cell_or_unit_that_has_gone_is_not_shown() -> None:
    seen = [reading(f"cell_voltage/{place}", 3.3) for place in ("2/1", "2/3", "3/1")]
    shown = cells(ONLINE, DEVICE, *seen)
    assert [(each["unit"], len(each["cells"])) for each in shown["units"]] == [(2, 1)]


def test_without_settings_the_scale_is_usual_for_the_chemistry() -> None:
    assert cells(ONLINE, DEVICE)["scale"] == "usual range 2.50 to 3.65 V"
    kokam = {**DEVICE, "payload": {"units": [], "chemistry": "Li-Po Kokam high power"}}
    assert cells(ONLINE, kokam)["scale"] == "usual range 2.70 to 4.20 V"
    assert cells(ONLINE)["scale"] == "usual range 2.50 to 4.20 V"


def test_temperatures_of_the_battery_come_before_those_of_the_boards() -> None:
    known = [
        reading(key, value)
        for key, value in (
            ("bms_temperature/2", 28.7),
            ("temperature/2/10", 20),
            ("temperature/2/2", -1.5),
            ("temperature/2/3", None),
        )
    ]
    assert [(each["name"], each["value"]) for each in cells(ONLINE, *known)["temperatures"]] == [
        ("Unit 2 sensor 2", "\N{MINUS SIGN}1.5"),
        ("Unit 2 sensor 10", "20.0"),
        ("Unit 2 board", "28.7"),
    ]


def test_a_pack_without_an_availability_of_online_is_not_live() -> None:
    soc = reading("soc", 28.5)
    shown = battery(ONLINE, soc, OFFLINE)
    found = (shown["live"], shown["reason"], shown["soc"], shown["updated"])
    assert found == (False, "no status frame for 30 s", 28.5, UPDATED)
    assert battery(soc)["live"] is False
    assert battery(OFFLINE)["updated"] is None


@pytest.mark.parametrize(
    ("watts", "shown"),
    [(999.9, "+999.9 W"), (1000, "+1.00 kW"), (-12345.6, "\u221212.35 kW"), (0, "0.0 W")],
)
def test_power_is_in_kilowatts_from_1000_watts_on(watts: float, shown: str) -> None:
    found = battery(ONLINE, reading("power", watts))
    assert f"{found['power_text']} {found['power_unit']}" == shown


def test_an_alarm_that_a_program_reports_again_is_listed_once() -> None:
    again = event(2, "alarm_raised")
    rows = [{"at": UPDATED, "raised": True, "text": "Low (unit 2)"}]
    assert battery(ONLINE, again, again)["events"] == rows


def test_what_is_not_sent_again_after_an_offline_is_unknown() -> None:
    shown = battery(ONLINE, reading("soc", 28.5), OFFLINE, ONLINE, reading("power", 1))
    assert (shown["live"], shown["soc_text"], shown["power_text"]) == (True, None, "+1.0")
    again = {**reading("power", 1), "run": "2b"}
    assert battery(ONLINE, reading("soc", 28.5), again)["soc"] is None


def test_values_that_come_before_the_first_availability_stay() -> None:
    assert battery(reading("soc", 28.5), ONLINE)["soc"] == 28.5


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ({"payload": {"code": 78}}, "recbms-zmq has ended (78): see the debug sidebar in Node-RED"),
        (
            {"payload": {"code": -2}},
            "the command was not found: set PROGRAM in the tab's environment to its path",
        ),
        (
            {"payload": {"code": None, "signal": "SIGKILL"}},
            "recbms-zmq has ended (SIGKILL): see the debug sidebar in Node-RED",
        ),
        # Of the daemon node.
        ({"payload": 69}, "recbms-zmq has ended (69): see the debug sidebar in Node-RED"),
        (
            {"payload": "SIGKILL"},
            "recbms-zmq has ended (SIGKILL): see the debug sidebar in Node-RED",
        ),
        # Of the trigger node, which repeats what came last.
        ({**ONLINE, "payload": UPDATED}, "recbms-zmq sends nothing"),
    ],
)
def test_without_the_program_no_pack_is_live_and_the_page_shows_the_reason(
    end: dict[str, Any], reason: str
) -> None:
    gone = {**end, "control": "offline"}
    [shown, _] = sent(ONLINE, reading("soc", 28.5), gone, tick(1))
    [pack] = shown["payload"]["packs"]
    assert (pack["live"], pack["reason"], shown["payload"]["note"]) == (False, reason, reason)
    assert sent(gone, tick(1))[0] == {"payload": {"note": reason, "packs": []}}
    assert sent(gone, ONLINE, tick(1))[0]["payload"]["note"] == ""


def test_a_snapshot_is_as_good_as_readings() -> None:
    snapshot = {**reading("snapshot", {"soc": 28.5, "voltage": 13.24}), "kind": "snapshot"}
    shown = battery(ONLINE, reading("power", 1), snapshot)
    assert (shown["soc_text"], shown["tiles"][0]["value"]) == ("28.5", "13.24")
    assert shown["power_text"] is None


def test_the_page_is_drawn_when_there_is_news_and_every_ten_seconds() -> None:
    done = run_scripts(
        PACKS["initialize"],
        PACKS["func"],
        [tick(0), tick(1), reading("soc", 1), tick(2), tick(11), tick(12)],
    )
    assert [each["sent"] is not None for each in done] == [True, False, False, True, False, True]


def test_packs_differ_by_their_topics_and_are_sorted_by_name() -> None:
    other = {**ONLINE, "topic": "other/main/availability", "device_name": "Boat"}
    [shown, _] = sent(ONLINE, other, tick(1))
    assert [(each["id"], each["name"]) for each in shown["payload"]["packs"]] == [
        ("other/main", "Boat"),
        ("recbms/main", "REC BMS"),
    ]


def history(*messages: dict[str, Any], hours: float = 0.4) -> list[Any]:
    """Return what each message made the node *History* send: points by the names of the lines.

    Their times are seconds since the beginning.
    """
    done = run_scripts(script("history_start"), script("history"), messages, HISTORY_HOURS=hours)
    return [
        each["sent"]
        and {
            pack["name"]: [
                (begin - UPDATED // 1000, end - UPDATED // 1000, power, charge)
                for begin, end, power, charge in pack["points"]
            ]
            for pack in each["sent"]["payload"]["packs"]
        }
        for each in done
    ]


def test_a_step_has_the_mean_power_and_the_last_charge() -> None:
    # 0.4 h in 720 steps are two seconds each.
    messages = (ONLINE, reading("soc", 28.5), reading("power", 100))
    done = history(tick(0), *messages, tick(1), reading("power", 200), tick(2), tick(3), tick(4))
    # One second after the first step there is nothing new to draw.
    assert done[-3:] == [
        {"REC BMS": [(0, 2, 150, 28.5)]},
        None,
        {"REC BMS": [(0, 2, 150, 28.5), (2, 4, 200, 28.5)]},
    ]


def test_the_first_step_is_shown_before_it_ends() -> None:
    messages = (ONLINE, reading("soc", 28.5), reading("power", 100))
    done = history(tick(0), *messages, tick(1), tick(6), tick(7), hours=24)
    assert done[-3:] == [{"REC BMS": [(0, 1, 100, 28.5)]}, {"REC BMS": [(0, 6, 100, 28.5)]}, None]


def test_the_points_of_before_a_deploy_are_shown_at_once_and_each_pack_with_its_first_message() -> (
    None
):
    start = script("history_start")
    began = UPDATED // 1000 - 86400
    before = {
        f"recbms/{name}": [
            [began + step * 120, began + step * 120 + 120, 1, 50] for step in range(720)
        ]
        for name in ("main", "boat")
    }
    start += f"flow.set('recbms_points', {json.dumps(before)});"
    boat = {**ONLINE, "topic": "recbms/boat/availability", "device_name": "Boat"}
    messages = (tick(0), ONLINE, tick(1), tick(2), boat, tick(3), tick(4))
    done = run_scripts(start, script("history"), messages, HISTORY_HOURS=24)
    shown = [each["sent"] and each["sent"]["payload"]["packs"] for each in done]
    assert [packs and {each["name"]: len(each["points"]) for each in packs} for packs in shown] == [
        *(None, None, {"REC BMS": 721}, None, None),
        *({"Boat": 721, "REC BMS": 721}, None),
    ]


@pytest.mark.parametrize("gone", [OFFLINE, {"control": "offline", "payload": 1}])
def test_there_is_a_gap_while_nothing_is_known(gone: dict[str, Any]) -> None:
    messages = (ONLINE, reading("soc", 28.5), reading("power", 100))
    done = history(
        *(tick(0), *messages, tick(1), gone, tick(2), tick(4)),
        *(ONLINE, tick(6), reading("power", 50), reading("soc", 28), tick(8)),
    )
    assert done[-1]["REC BMS"] == [
        (0, 2, 100, None),  # of this step a part was measured
        (2, 4, None, None),
        (4, 6, None, None),
        (6, 8, 50, 28),
    ]


def test_points_are_kept_for_the_hours_that_are_shown() -> None:
    messages = (ONLINE, reading("power", 100), reading("soc", 28))
    done = history(tick(0), *messages, *(tick(at) for at in range(300, 2401, 300)))
    assert [begin for begin, *_ in done[-1]["REC BMS"]] == [900, 1200, 1500, 1800, 2100]


def test_packs_of_one_name_have_a_line_each() -> None:
    other = {**ONLINE, "topic": "other/main/availability"}
    done = history(tick(0), ONLINE, tick(2), other, tick(4))
    assert [each and [*each] for each in done] == [
        *(None, None, ["REC BMS"], None),
        ["REC BMS (other/main)", "REC BMS (recbms/main)"],
    ]


def test_the_tables_name_every_tile() -> None:
    assert json.dumps(tables())
    names = {key: each["name"] for key, each in tables()["sensors"].items()}
    assert names["voltage"] == "Pack voltage"
    assert {"cell_voltage", "temperature", "bms_temperature"} <= set(names)
