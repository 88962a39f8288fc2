"""What the view looks like: whole screens, compared with those in `screens/`."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text
from support.frames import SETTINGS, STATUS, status
from support.monitored_bms import WALL, MonitoredBms

from recbms_zmq.monitor.draw import ASCII, UNICODE, Glyphs, bar, chart, side_by_side
from recbms_zmq.monitor.model import Model
from recbms_zmq.monitor.render import render
from recbms_zmq.monitor.view import Page, View

ENDPOINT = "tcp://127.0.0.1:5556"
SCREENS = Path(__file__).parents[1] / "screens"


def text(page: Page) -> str:
    return "".join(f"{line.plain.rstrip()}\n" for line in page.lines)


def screen(name: str) -> str:
    return (SCREENS / f"{name}.txt").read_text(encoding="utf-8")


def drive(bms: MonitoredBms, *, cells: int = 4, units: int = 1) -> None:
    """Ten minutes that begin with discharging and end with charging."""
    bms.settings()
    for second in range(0, 600, 10):
        bms.status(
            at=float(second),
            units=units,
            cells=cells,
            ibat=(second - 200) / 10,
            soc=0.2 + second / 2000,
        )


def house(cells: int = 16, units: int = 1) -> Model:
    bms = MonitoredBms(device_name="House battery")
    drive(bms, cells=cells, units=units)
    return bms.model


def three_packs() -> Model:
    model = Model()
    drive(MonitoredBms(model, name="house", device_name="House"), cells=16)
    boat = MonitoredBms(model, name="boat", device_name="Boat")
    boat.status(600.0, erro={"present": 1, "addr": 2, "st": 4, "con_st": 1})
    MonitoredBms(model, name="van", device_name="Van")
    return model


def style(page: Page, part: str) -> str:
    """Return the style in which this part is shown, of the first line that has it."""
    for line in page.lines:
        start = line.plain.find(part)
        if start >= 0:
            console = Console()
            found = {
                str(line.get_style_at_offset(console, at)) for at in range(start, start + len(part))
            }
            assert len(found) == 1, found
            return found.pop()
    raise AssertionError(f"{part!r} is not on the screen:\n{text(page)}")


@pytest.mark.parametrize(
    ("name", "model", "view", "size", "now", "glyphs"),
    [
        ("16-cells-80x24", house, View(), (80, 24), 602.0, UNICODE),
        ("16-cells-120x40", house, View(), (120, 40), 602.0, UNICODE),
        ("16-cells-ascii", house, View(), (80, 24), 602.0, ASCII),
        ("three-packs-80x24", three_packs, View(selected=1), (80, 24), 600.0, UNICODE),
        ("three-packs-50x16", three_packs, View(), (50, 16), 600.0, UNICODE),
        ("waiting-80x24", lambda: Model([ENDPOINT]), View(), (80, 24), 0.0, UNICODE),
    ],
)
def test_a_screen_fits_the_terminal(
    name: str,
    model: Callable[[], Model],
    view: View,
    size: tuple[int, int],
    now: float,
    glyphs: Glyphs,
) -> None:
    assert text(render(model(), view, size, now, glyphs)) == screen(name)


def test_the_largest_array_is_shown_in_short_with_a_character_a_cell() -> None:
    page = render(house(units=15), View(), (80, 24), 600.0)
    assert text(page) == screen("240-cells-80x24")
    assert page.condensed


def test_all_cells_of_the_largest_array_can_be_scrolled_through() -> None:
    model = house(units=15)
    page = render(model, View(scroll=3, all_cells=True), (80, 24), 600.0)
    assert text(page) == screen("240-cells-scrolled")
    seen = set()
    for scroll in range(page.scroll_most + 1):
        shown = text(render(model, View(scroll=scroll, all_cells=True), (80, 24), 600.0))
        seen |= {word for word in shown.split() if "/" in word and word[0].isdigit()}
    assert {f"{unit}/{cell}" for unit in range(2, 17) for cell in range(1, 17)} <= seen


def test_scrolling_too_far_shows_the_end() -> None:
    model = house(units=15)
    most = render(model, View(all_cells=True), (80, 24), 600.0).scroll_most
    end = render(model, View(scroll=most, all_cells=True), (80, 24), 600.0)
    assert render(model, View(scroll=10_000, all_cells=True), (80, 24), 600.0) == end


def test_an_alarm_comes_first_with_what_to_do() -> None:
    bms = MonitoredBms()
    bms.settings()
    bms.status(
        erro={"present": 1, "addr": 2, "st": 2, "con_st": 1},
        error="UNDERVOLTAGE",
        ibat=-20.0,
        time_remaining="Empty in: 0 h 05 min",
        soc=0.02,
    )
    page = render(bms.model, View(), (80, 24), 0.0)
    assert text(page) == screen("alarm-80x24")
    assert style(page, "Alarm 2") == "bold red"
    assert style(page, " 2.0 %") == "bold"


def test_a_monitor_that_is_started_later_shows_the_last_alarm_with_its_local_time() -> None:
    bms = MonitoredBms()
    bms.status(erro={"present": 1, "addr": 2, "st": 2, "con_st": 1})
    bms.status(60.0)
    bms.model = Model()
    bms.replay(90.0)
    local = datetime.fromtimestamp(WALL).astimezone()
    last = f"{local:%Y-%m-%d %H:%M}, last alarm: Cell voltage too low (unit 2, cell 1)"
    assert last in text(render(bms.model, View(), (80, 24), 90.0)).splitlines()


def test_while_offline_the_last_values_are_shown_but_fade() -> None:
    bms = MonitoredBms()
    bms.settings()
    bms.status()
    bms.tick(at=31.0)
    page = render(bms.model, View(), (80, 24), 75.0)
    assert text(page) == screen("offline-80x24")
    assert style(page, "13.24 V") == "dim"
    assert style(page, "● offline") == "bold red"


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (59, ["SOC"]),
        (60, ["State of charge", "no alarm", " old"]),
        (99, ["State of charge", "no alarm", " old"]),
        (100, ["State of charge", "no alarm", " old", " kWh left"]),
    ],
)
def test_a_wide_terminal_has_room_for_words_and_more_values(width: int, words: list[str]) -> None:
    shown = text(render(house(), View(), (width, 24), 602.0))
    every = ["SOC", "State of charge", "no alarm", " old", " kWh left"]
    assert [word for word in every if word in shown] == words


def test_a_pack_of_which_only_readings_have_come_is_waiting() -> None:
    bms = MonitoredBms(device_name="House")
    bms.status()
    bms.bodies = {key: body for key, body in bms.bodies.items() if b'"kind":"reading"' in body}
    bms.model = Model()
    bms.replay(1.0)
    MonitoredBms(bms.model, name="van", device_name="Van").status(1.0)
    shown = text(render(bms.model, View(), (80, 24), 1.0)).splitlines()
    assert shown[0] == "▸ House ● waiting"


def test_a_refusal_is_shown_with_its_reason() -> None:
    model = Model([ENDPOINT])
    model.refused("tcp://127.0.0.1:5556", "this key or address is not allowed")
    shown = text(render(model, View(), (80, 24), 0.0))
    assert (
        "tcp://127.0.0.1:5556 refused the connection: this key or address is not allowed." in shown
    )
    model.connection("tcp://127.0.0.1:5556", connected=True, now=1.0)
    assert "Connected to tcp" in text(render(model, View(), (80, 24), 1.0))


def test_of_many_packs_those_around_the_chosen_one_are_listed() -> None:
    model = Model()
    for number in range(50):
        MonitoredBms(model, name=f"p{number}", device_name=f"Pack {number:02}").status()
    lines = text(render(model, View(selected=30), (80, 24), 0.0)).splitlines()
    assert [line[2:9] for line in lines[:6]] == [f"Pack {n}" for n in range(27, 33)]
    assert lines[3].startswith("▸ Pack 30")
    assert lines[7].startswith("Pack 30")


def test_cells_beyond_and_near_their_limits_stand_out() -> None:
    frame = json.loads(STATUS)
    frame["bms_array"]["slave"]["0"]["nap"] = {"0": 2.95, "1": 3.02, "2": 3.4, "3": 3.651}
    bms = MonitoredBms()
    bms.settings()
    bms.frame(json.dumps(frame))
    page = render(bms.model, View(), (80, 24), 0.0)
    assert [style(page, volts) for volts in ("2.950 V", "3.020 V", "3.400 V", "3.651 V")] == [
        "bold red",
        "yellow",
        "none",
        "bold red",
    ]
    bars = [line.plain.split()[1] for line in page.lines if line.plain.startswith(("2/1", "2/4"))]
    assert bars == ["·" * 65, "█" * 65]


def test_a_unit_of_many_that_loses_all_voltages_has_question_marks_and_no_range() -> None:
    frame = json.loads(status(units=15, cells=16))
    bms = MonitoredBms()
    bms.frame(json.dumps(frame))
    frame["bms_array"]["slave"]["1"]["nap"] = dict.fromkeys(map(str, range(16)))
    bms.frame(json.dumps(frame), 1.0)
    shown = text(render(bms.model, View(), (80, 24), 1.0)).splitlines()
    assert [line for line in shown if line.startswith(("unit   2", "unit   3"))] == [
        f"unit   2 {'▄' * 16} 3.305 to 3.320 V B1,5,9,13",
        f"unit   3 {'?' * 16} B1,5,9,13",
    ]


def test_a_pack_without_values_has_question_marks_not_numbers() -> None:
    bms = MonitoredBms()
    bms.frame('{"type":"status","bms_array":{"master":{"st_naprav":1}}}')
    shown = text(render(bms.model, View(), (80, 24), 0.0))
    assert "? %" in shown
    assert "? V   ? A   ? W" in shown


@pytest.mark.parametrize(
    ("size", "sign", "row"),
    [
        ((80, 24), 1, f"2/1 {'█' * 65} 1"),
        ((80, 24), -1, f"2/1 {'·' * 65} -1"),
        ((40, 10), 1, "unit   2 ████ 1"),
        ((40, 10), -1, "unit   2 ▁▁▁▁ -1"),
    ],
)
def test_cells_and_power_beyond_all_scales_are_drawn(
    size: tuple[int, int], sign: int, row: str
) -> None:
    bms = MonitoredBms()
    for second in range(60):  # several values in each column of the chart
        frame = json.loads(status(vbat=(1 + second % 2 / 10) * 1e154, ibat=sign * 1e154))
        frame["bms_array"]["slave"]["0"]["nap"] = dict.fromkeys("0123", sign * 1e308)
        bms.frame(json.dumps(frame), second)
    assert f"\n{row}" in text(render(bms.model, View(), size, 60.0))


def test_what_came_from_outside_cannot_speak_to_the_terminal() -> None:
    bms = MonitoredBms(device_name="House\x1b]0;owned\x07")
    bms.status(
        time_remaining="\x1b[2J\x9b31m soon",
        erro={"present": 1, "addr": 1, "st": 99, "con_st": 1},
        error="\x1b[31m\u202eevil\r\n",
    )
    shown = text(render(bms.model, View(), (80, 24), 0.0))
    assert all(char.isprintable() or char == "\n" for char in shown)
    assert "House?]0;owned?" in shown
    assert "evil" in shown


NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d.]*")


@pytest.mark.parametrize("units", [1, 2, 4, 15])
@pytest.mark.parametrize("has_alarm", [False, True], ids=["no alarm", "alarm"])
def test_no_number_is_cut_on_80_by_24(units: int, has_alarm: bool) -> None:
    """Long names, negative values and those of three digits, with and without all cells."""
    model = Model()
    for number in range(3):
        bms = MonitoredBms(model, name=f"pack{number}", device_name=f"Battery {'of lead ' * 5}")
        frame = json.loads(status(units=units, cells=16, vbat=812.48, ibat=-1345.67, soc=1.0))
        master = frame["bms_array"]["master"]
        master |= {"mincell": 2.987, "maxcell": 3.999}
        master["time_remaining"] = "Empty in:<br> 123 h 45 min"
        if has_alarm:
            master |= {"erro": {"present": 1, "addr": 2, "st": 2, "con_st": 16}, "error": "no. 2"}
        for unit in frame["bms_array"]["slave"].values():
            unit |= {"temp": {"0": -18.5, "1": -118.5, "2": 102.25}, "st_temp": 3}
        bms.frame(SETTINGS)
        bms.frame(json.dumps(frame))

    def numbers(columns: int, rows: int, all_cells: bool) -> set[str]:
        view = View(selected=1, all_cells=all_cells)
        shown = text(render(model, view, (columns, rows), 1.0, UNICODE))
        return set(NUMBER.findall(re.sub(r"rows \d+-\d+ of \d+", "", shown)))

    whole = numbers(500, 300, True) | numbers(500, 300, False)
    assert numbers(80, 24, True) | numbers(80, 24, False) <= whole


@given(
    width=st.integers(1, 200),
    height=st.integers(1, 80),
    packs=st.integers(0, 4),
    cells=st.integers(1, 32),
    units=st.integers(1, 3),
    view=st.builds(View, st.integers(-1, 5), st.integers(-1, 50), st.booleans()),
    glyphs=st.sampled_from((UNICODE, ASCII)),
    name=st.text(min_size=1, max_size=40),
)
def test_every_screen_has_the_size_of_the_terminal(
    width: int,
    height: int,
    packs: int,
    cells: int,
    units: int,
    view: View,
    glyphs: Glyphs,
    name: str,
) -> None:
    model = Model([ENDPOINT])
    for number in range(packs):
        bms = MonitoredBms(model, name=f"p{number}", device_name=name)
        bms.settings()
        bms.status(cells=cells, units=units, erro={"present": number % 2, "st": 9})
        bms.status(at=3.0, cells=cells, units=units)
    page = render(model, view, (width, height), 5.0, glyphs)
    assert len(page.lines) == height
    assert all(line.cell_len == cell_len(line.plain) <= width for line in page.lines)
    assert not any("\n" in line.plain for line in page.lines)


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(None, "········"), (0, "········"), (0.5, "████····"), (0.51, "████▏···"), (2, "████████")],
)
def test_a_bar_is_as_long_as_its_share(fraction: float | None, expected: str) -> None:
    assert bar(fraction, 8, "green", UNICODE).plain == expected


@pytest.mark.parametrize(
    ("columns", "height", "expected"),
    [
        ([1.0, 2.0, 4.0, 8.0], 1, ["▁▂▄█"]),
        ([4.0, 8.0, 16.0, None], 2, ["  █ ", "▄██ "]),
        ([-8.0, -4.0], 1, ["█▀"]),
        ([-8.0, 8.0, 2.0], 1, ["██▂"]),
        ([-4.0, 8.0, 2.0], 2, [" █▂", "▀  "]),
        ([-16.0, 8.0, 0.0], 3, [" █▁", "█  ", "█  "]),
        ([0.0, None], 1, ["▁ "]),
    ],
)
def test_a_chart_stands_on_zero_and_hangs_from_it(
    columns: list[float | None], height: int, expected: list[str]
) -> None:
    rows = chart(columns, height, UNICODE)
    assert [row.plain for row in rows] == expected
    # In a single row the colour alone shows the sign.
    is_below = [value is not None and value < 0 for value in columns]
    assert [[span.style == "yellow" for span in row.spans] for row in rows] == [is_below] * height


def test_columns_are_aligned_whatever_is_in_them() -> None:
    items = [Text(each) for each in ("1", "2222", "333", "44", "5")]
    assert [row.plain for row in side_by_side(items, 2, 4)] == ["1     44", "2222  5", "333"]
