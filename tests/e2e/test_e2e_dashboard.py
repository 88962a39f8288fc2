"""flows/dashboard.json in a real browser: the page shows what the messages hold, and nothing old.

The texts are written by hand from the real frames, as in `expected`.
"""

import json
import re
from typing import Any

import pytest
from support.waiting import eventually

from e2e.dashboard import PHONE, TABLET, WALL, Dashboard
from e2e.node_red import NodeRed, flow_file, with_env
from e2e.scripted_bms import ScriptedBms
from e2e.service import Service
from e2e.waiting import wait_until_equal
from recbms_zmq.nodered import FlowOptions, flow_json

pytestmark = pytest.mark.usefixtures("browser")

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
COUNTED = "a number that grows"
PACK = {
    "name": "Cellar",
    "chip": "live",
    "about": "ABMS · LiFePO4 Winston · 320 Ah · 4 cells · 37 cycles",
    "soc": "28.5",
    "power": "+98.8",
    "state": "Charging",
    "time": "full in 31 h 00 min",
    "voltage": "13.24",
    "current": "+7.46",
    "cell_voltage_delta": "0.015",
    "temperature_max": "22.5",
    "capacity_remaining": "91.2",
    "soh": "99.6",
    "energy_charged": COUNTED,
    "energy_discharged": COUNTED,
    "spread": "3.305 to 3.320 V, difference 15 mV",
    "scale": "Bars: limits 3.00 to 3.65 V",
    "cell/2/1": "3.305 46.9% lowest cell balancing",
    "cell/2/2": "3.320 49.2% highest cell",
    "cell/2/3": "3.311 47.8%",
    "cell/2/4": "3.308 47.4%",
    "temperature/2/1": "22.5",
    "bms_temperature/2": "28.7",
}
MEASURED = (
    *("soc", "power", "voltage", "current", "cell_voltage_delta", "temperature_max"),
    *("capacity_remaining", "soh", "energy_charged", "energy_discharged"),
)
CLOCK = "at a time"
TIME = r"([A-Z][a-z]+ \d+, )?\d\d?:\d\d(:\d\d)?(\s[AP]M)?"
NO_CONNECTION = (
    "No connection to Node-RED Nothing here is live. "
    "The page goes on by itself when Node-RED is back."
)


def reads(page: Dashboard) -> dict[str, str]:
    """Return the page's texts; of a time only the format is checked."""
    texts = page.read()
    for key in ("energy_charged", "energy_discharged"):
        if re.fullmatch(r"\d\.\d{3}", texts.get(key, "")):
            texts[key] = COUNTED
    return {key: re.sub(TIME, CLOCK, text) for key, text in texts.items()}


def values(chart: dict[str, Any], name: str) -> set[float]:
    """Return the values that a line of a chart has, which is made of steps."""
    path = chart["lines"][name]
    assert re.fullmatch(r"(M[\d.]+ [\d.]+H[\d.]+|V[\d.]+H[\d.]+)+", path)
    low, high = (float(chart["y"][at].replace(MINUS, "-")) for at in (0, -1))
    factor = 1000 if "kW" in chart["title"] else 1
    heights = re.findall(r"(?:V|M[\d.]+ )([\d.]+)", path)
    return {round((high - float(each) / 100 * (high - low)) * factor, 1) for each in heights}


def offline(texts: dict[str, str]) -> dict[str, str]:
    """Return the page's texts of the same pack when it is offline."""
    kept = {key: text for key, text in texts.items() if key not in ("spread", "alarm")}
    return {
        **kept,
        **dict.fromkeys(MEASURED, DASH),
        "chip": "offline",
        "state": "Unknown",
        "time": "",
        "stale": f"not live: data of {CLOCK}",
    }


def test_the_page_shows_what_the_messages_hold_on_a_wall_and_on_a_phone(
    node_red: NodeRed, bms: ScriptedBms
) -> None:
    bms.send_settings()
    node_red.deploy(
        flow_file("dashboard.json", BMS_URL=bms.url, DEVICE_NAME="Cellar", HISTORY_HOURS="0.2")
    )
    with Dashboard(node_red.url) as page:
        page.open(WALL)
        wait_until_equal(lambda: reads(page), PACK)
        assert page.overflow() == []

        def drawn() -> Any:
            return [
                (chart["title"], {name: values(chart, name) for name in chart["lines"]})
                for chart in page.charts().values()
            ]

        both = [("Power, W", {"Cellar": {98.8}}), ("State of charge, %", {"Cellar": {28.5}})]
        wait_until_equal(drawn, both)
        # A point is a mean: before the power changes, one step has to end with this power alone.
        eventually(lambda: page.charts()["power"]["lines"]["Cellar"].count("H") >= 2, "a step")
        assert all(re.fullmatch(TIME, label) for label in page.charts()["power"]["x"])
        page.open(TABLET)
        wait_until_equal(lambda: reads(page), PACK)
        assert page.lowest_cell() < TABLET[1]

        # Kilowatts take the place of watts, and nothing moves.
        before = page.places()
        bms.change(ibat=-100)
        power = [f"{MINUS}1.32", "Discharging"]
        wait_until_equal(lambda: [reads(page)[key] for key in ("power", "state")], power)
        assert page.places() == before
        steps = {98.8, -1324.0}
        wait_until_equal(lambda: steps & values(page.charts()["power"], "Cellar"), steps)
        assert page.charts()["power"]["title"] == "Power, kW"
        bms.change(ibat=7.46)

        page.open(PHONE)
        wait_until_equal(lambda: reads(page), PACK)
        assert page.overflow() == []

        # Something comes every ten seconds. Where nothing does, the network is silent.
        def after_silence() -> dict[str, str]:
            page.skip(31)
            return reads(page)

        wait_until_equal(after_silence, {**offline(PACK), "banner": NO_CONNECTION})
        wait_until_equal(lambda: reads(page), PACK)
        assert page.complaints() == []


def test_an_alarm_and_silence_are_shown_and_old_values_are_not(
    node_red: NodeRed, bms: ScriptedBms
) -> None:
    bms.send_settings()
    error = {"present": 1, "addr": 2, "st": 2, "con_st": 3}
    bms.change(erro=error, error="UNDERVOLTAGE", ibat=-20, time_remaining="Empty in: 0 h 05 min")
    flow = flow_file(
        "dashboard.json",
        BMS_URL=bms.url,
        DEVICE_NAME="Cellar",
        HISTORY_HOURS="0.2",
        ARGUMENTS="run --exit-on-stdin-close --no-publish --stale-after 1 "
        '--device-name "${DEVICE_NAME}" ${BMS_URL}',
    )
    node_red.deploy(flow)
    words = (
        "Alarm 2: Cell voltage too low (unit 2, cell 3) "
        "REC's manual: discharging is switched off now. Plug in the charger. "
        "Message of the BMS: UNDERVOLTAGE"
    )
    with_alarm = {
        **PACK,
        "alarm": words,
        "power": f"{MINUS}264.8",
        "current": f"{MINUS}20.00",
        "state": "Discharging",
        "time": "empty in 0 h 05 min",
        "events": f"{CLOCK} Cell voltage too low (unit 2, cell 3)",
    }
    with Dashboard(node_red.url) as page:
        page.open(WALL)
        wait_until_equal(lambda: reads(page), with_alarm)

        bms.is_silent = True
        silent = {
            **offline(with_alarm),
            "alarm": f"When data last came: {words}",
            "banner": f"Offline no status frame for 1 s Last data {CLOCK}: 28.5 %, 13.24 V",
        }
        wait_until_equal(lambda: reads(page), silent)
        # The line ends, and the chart goes on.
        eventually(lambda: not page.charts()["power"]["lines"]["Cellar"].endswith("H1000"), "a gap")

        bms.is_silent = False
        bms.change(erro={**error, "present": 0}, error="")
        wait_until_equal(
            lambda: reads(page),
            {
                **{key: text for key, text in with_alarm.items() if key != "alarm"},
                "events": f"{CLOCK} over: Cell voltage too low (unit 2, cell 3)",
            },
        )

        # A new deploy, and then a new Node-RED: the page that hangs on the wall goes on.
        node_red.deploy(flow)
        bms.change(soc=0.31)
        wait_until_equal(lambda: reads(page).get("soc"), "31.0")
        # Two lines with the gap between them: what was before the deploy is still there.
        eventually(lambda: page.charts()["power"]["lines"]["Cellar"].count("M") >= 2, "both")
        assert "over: Cell voltage too low" in reads(page)["events"]
        assert page.complaints() == []
        node_red.program.kill()
        wait_until_equal(
            lambda: [reads(page).get(key) for key in ("banner", "soc", "stale")],
            [
                NO_CONNECTION,
                DASH,
                f"not live: data of {CLOCK}",
            ],
        )
        bms.change(soc=0.32)
        node_red.start()
        wait_until_equal(
            lambda: [reads(page).get(key) for key in ("chip", "soc")], ["live", "32.0"]
        )


def test_every_screen_chooses_among_packs_of_any_size(
    node_red: NodeRed, bms: ScriptedBms, second_bms: ScriptedBms, service: Service
) -> None:
    second_bms.change(soc=0.505, units=15, cells=16)
    service.start("--stale-after", "1", f"hut={bms.url}", f"large={second_bms.url}")
    flow = json.loads(flow_json(FlowOptions(source="zmq", target="dashboard")))
    node_red.deploy(with_env(flow, ZMQ_ADDRESS=service.address))
    with Dashboard(node_red.url) as page, Dashboard(node_red.url) as other:
        page.open(PHONE)
        other.open(WALL, "/battery?pack=recbms/large")

        def look(screen: Dashboard) -> tuple[str | None, ...]:
            texts = reads(screen)
            cells = sum(key.startswith("cell/") for key in texts)
            return texts.get("name"), texts.get("soc"), texts.get("chip"), f"{cells} cells"

        hut = ("REC BMS hut", "28.5", "live", "4 cells")
        large = ("REC BMS large", "50.5", "live", "240 cells")
        wait_until_equal(lambda: (look(page), look(other)), (hut, large))
        page.choose("REC BMS large")
        wait_until_equal(lambda: (look(page), look(other)), (large, large))
        assert page.overflow() == other.overflow() == []

        second_bms.is_silent = True
        other.choose("REC BMS hut")
        gone = ("REC BMS large", DASH, "offline", "240 cells")
        wait_until_equal(lambda: (look(page), look(other)), (gone, hut))
        assert page.complaints() == other.complaints() == []
