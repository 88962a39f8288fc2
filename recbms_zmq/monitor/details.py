"""One pack on the rows that are free: alarms, charge, numbers, chart, cells, temperatures, events.

If the rows do not suffice, the chart, the description and then the temperatures are left out. Then
the cells are drawn condensed, and last they scroll.
"""

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from recbms_zmq.monitor import cells as cell_rows
from recbms_zmq.monitor import phrases
from recbms_zmq.monitor.draw import Glyphs, apart, bar, chart, fitting, flow, wrapped
from recbms_zmq.monitor.history import HISTORY
from recbms_zmq.monitor.pack_state import PackState, Temperature
from recbms_zmq.monitor.view import Page, View
from recbms_zmq.text import amount, printable

STALE: Final = 10.0
"""Seconds after which the age of the data is marked."""
CHART_MOST: Final = 8
"""Rows of the chart, also on a high terminal."""
_WIDE: Final = 60
"""Columns from which whole words are used."""
_WIDER: Final = 100
"""Columns from which less important values are shown, too."""
_NONE: Final = (0, 0, 0)
_EXTRAS: Final = ((3, 1, 1), (3, 1, 0), (2, 1, 0), (0, 1, 0), _NONE)
"""Rows of chart, temperatures and description, from most to least."""
_PREFERRED: Final = 3
"""So many of `_EXTRAS` are tried with every cell drawn as a bar; then the cells are condensed."""
_AIR: Final = 6
"""Rows for empty lines and a taller chart."""
_SCROLLED: Final = 6
"""The fewest rows in which cells scroll."""
STATES: Final = {True: "online", False: "offline", None: "waiting"}
_DIRECTION: Final = {"charging": "green", "discharging": "yellow"}


def state_style(pack: PackState) -> str:
    """Return how a pack's state is drawn."""
    if pack.online is None:
        return "yellow"
    return "bold red" if not pack.online or pack.alarm is not None else "green"


def soc_style(soc: float | None) -> str:
    """Return how a state of charge in percent is drawn."""
    return "green" if soc is None or soc > 20 else "yellow" if soc > 10 else "red"


class Details:
    """Draws one pack in a given number of rows."""

    def __init__(self, pack: PackState, view: View, width: int, now: float, glyphs: Glyphs) -> None:
        self._pack = pack
        self._view = view
        self._width = width
        self._now = now
        self._glyphs = glyphs
        # Values that may be out of date are dim.
        self._faded = "" if pack.online else "dim"

    def page(self, rows: int) -> Page:
        """Draw the pack in this many rows."""
        head = [self._header(), *self._reason(), *self._alarm()]
        head += [self._charge(), *self._numbers()]
        # One row is the line above the cells.
        extras, body, condensed = self._arrange(rows - len(head) - 1)
        left = max(rows - len(head) - 1 - sum(extras), 0)
        chart_rows, temperature_rows, about_rows = extras
        scroll_most = max(len(body) - left, 0)
        scroll = min(max(self._view.scroll, 0), scroll_most)
        shown = body[scroll : scroll + left]
        spare = left - len(shown)
        # An empty line each above chart, cells, temperatures and events, then a taller chart.
        events = self._events()[: max(spare - 3, 0) // 2]
        gaps = min(spare - len(events), 4 if events else 3)
        growth = spare - len(events) - gaps
        chart_rows += min(growth, CHART_MOST - 2) if chart_rows else 0
        sections = [
            head + self._about()[:about_rows],
            self._chart(chart_rows),
            [self._cells_heading(scroll, len(shown), len(body)), *shown],
            self._temperatures()[:temperature_rows],
            events,
        ]
        lines: list[Text] = []
        for section in sections:
            if section and lines and gaps > 0:
                lines.append(Text())
                gaps -= 1
            lines += section
        return Page(lines, scroll_most, condensed)

    def _arrange(self, room: int) -> tuple[tuple[int, int, int], list[Text], bool]:
        """Choose what fits, from most to least.

        Returns:
            the rows of chart, temperatures and description; the cells; whether they are condensed.

        """
        cells, limits = self._pack.cells(), self._pack.limits
        needed = cell_rows.detailed_rows(cells, self._width)
        if self._view.all_cells:
            extras = next((e for e in _EXTRAS if room - sum(e) >= min(needed, _SCROLLED)), _NONE)
        else:
            extras = next((e for e in _EXTRAS[:_PREFERRED] if room - sum(e) >= needed), _NONE)
            if extras is _NONE:
                short = cell_rows.condensed(cells, limits, self._width, self._glyphs)
                extras = next((e for e in _EXTRAS if room - sum(e) >= len(short)), _NONE)
                if room < needed or extras != _NONE:
                    return extras, short, True
        left = room - sum(extras)
        # One more column of cells is better than no empty lines.
        airy = left - _AIR if needed <= left - _AIR else left
        body = cell_rows.detailed(cells, limits, self._width, airy, self._glyphs)
        return extras, body, False

    def _header(self) -> Text:
        pack = self._pack
        state = Text().append(f"{self._glyphs.state} {STATES[pack.online]}", state_style(pack))
        wide = self._width >= _WIDE
        if wide and pack.online and pack.alarm is None and "problem" in pack.values:
            state.append(", no alarm")
        age = pack.age(self._now)
        if age is not None:
            style = "yellow" if age >= STALE else ""
            what = f"data {phrases.duration(age)} old" if wide else phrases.duration(age)
            state.append(", ").append(what, style)
        return apart(Text(printable(pack.name), "bold"), state, self._width)

    def _reason(self) -> list[Text]:
        pack = self._pack
        if pack.online:
            return []
        reason = pack.reason or "no message yet"
        last = "; the values below are the last known ones" if pack.values else ""
        return wrapped(printable(f"{reason}{last}"), self._width, "red")[:3]

    def _alarm(self) -> list[Text]:
        active = self._pack.alarm
        if active is None:
            return []
        title, *rest = phrases.alarm(active)
        style = "dim red" if self._faded else "bold red"
        lines = wrapped(title, self._width, style)
        for sentence in rest:
            lines += wrapped(sentence, self._width, "dim red" if self._faded else "red")
        return lines[:5]

    def _charge(self) -> Text:
        soc = self._pack.number("soc")
        label = "State of charge " if self._width >= _WIDE else "SOC "
        value = f" {amount(soc, '%', 1)}"
        length = max(self._width - len(label) - len(value), 1)
        line = Text().append(label, self._faded)
        share = None if soc is None else soc / 100
        line.append_text(bar(share, length, self._faded or soc_style(soc), self._glyphs))
        return line.append(value, self._faded or "bold")

    def _numbers(self) -> list[Text]:
        pack = self._pack
        state = pack.text("charge_state")
        style = self._faded or _DIRECTION.get(state, "")
        arrow = {"charging": self._glyphs.up, "discharging": self._glyphs.down}.get(state, "")
        current = amount(pack.number("current"), "A", 2, signed=True)
        items = [
            Text(amount(pack.number("voltage"), "V", 2), self._faded),
            Text(f"{arrow} {current} {printable(state)}".strip(), style),
            Text(phrases.power(pack.number("power")), style),
        ]
        left, charge = phrases.time_left(pack), pack.number("capacity_remaining")
        if left:
            items.append(Text(left, self._faded))
        if charge is not None:
            amounts = amount(charge, "Ah", 1)
            energy = pack.number("energy_remaining")
            if energy is not None and self._width >= _WIDER:
                amounts += f", {amount(energy, 'kWh', 2)}"
            items.append(Text(f"{amounts} left", self._faded))
        return flow(items, self._width)

    def _about(self) -> list[Text]:
        facts = fitting("", phrases.about(self._pack), self._glyphs.dot, self._width)
        return [Text(facts, "dim")] if facts else []

    def _chart(self, rows: int) -> list[Text]:
        if not rows:
            return []
        columns = self._pack.power.columns(self._width, self._now)
        known = [value for value in columns if value is not None]
        span = f"Power, last {HISTORY // 60} min"
        if known:
            span += f": {phrases.power(min(known))} to {phrases.power(max(known))}"
        return [Text(span, self._faded), *chart(columns, rows - 1, self._glyphs)]

    def _cells_heading(self, scroll: int, shown: int, total: int) -> Text:
        parts = [phrases.spread(self._pack), phrases.limits(self._pack.limits)]
        more, width = Text(), self._width
        if shown < total:
            more = Text(f"rows {scroll + 1}-{scroll + shown} of {total}", "reverse")
            width -= more.cell_len + 1
        line = Text(fitting("Cells  ", filter(None, parts), self._glyphs.dot, width), self._faded)
        return apart(line, more, self._width) if more else line

    def _temperatures(self) -> list[Text]:
        found = self._pack.temperatures()
        if not found:
            return []
        line = Text("Temperatures  ", self._faded)
        line.append("   ".join(map(phrases.temperature, found)), self._faded)
        if line.cell_len <= self._width:
            return [line]
        parts = []
        sensors = [reading for reading in found if reading.number]
        boards = [reading for reading in found if not reading.number]
        if sensors:
            parts.append(_range(sensors) + f", warmest {phrases.temperature(_warmest(sensors))}")
        if boards:
            parts.append(f"BMS {_range(boards)}")
        return [Text("Temperatures  " + self._glyphs.dot.join(parts), self._faded)]

    def _events(self) -> list[Text]:
        lines = [phrases.event(past, self._now) for past in self._pack.events]
        last = phrases.last_alarm(self._pack)
        if last and not any(past.raised for past in self._pack.events):
            lines.append(last)  # raised before the monitor was started
        return [Text(line, "dim") for line in lines]


def _warmest(readings: Sequence[Temperature]) -> Temperature:
    return max(readings, key=lambda reading: reading.celsius)


def _range(readings: Sequence[Temperature]) -> str:
    low, high = min(r.celsius for r in readings), max(r.celsius for r in readings)
    most = amount(high, "°C", 1)
    return most if low == high else f"{low:.1f} to {most}"
