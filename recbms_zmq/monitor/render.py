"""The view as rows of text: a pure function of model, selection, size and time.

Exactly as many rows as the terminal has, none wider: the packs, `details` of the selected one, and
the keys.
"""

from collections.abc import Sequence

from rich.text import Text

from recbms_zmq.monitor import cells as cell_rows
from recbms_zmq.monitor import phrases
from recbms_zmq.monitor.details import STATES, Details, soc_style, state_style
from recbms_zmq.monitor.draw import UNICODE, Glyphs, apart, bar, wrapped
from recbms_zmq.monitor.model import Model
from recbms_zmq.monitor.pack_state import PackState
from recbms_zmq.monitor.view import Page, View
from recbms_zmq.text import amount, printable


def render(
    model: Model, view: View, size: tuple[int, int], now: float, glyphs: Glyphs = UNICODE
) -> Page:
    """Draw the view.

    Args:
        model: the packs.
        view: the selection; an index out of range counts as the nearest.
        size: columns and rows of the terminal.
        now: monotonic seconds.
        glyphs: the characters to draw with.

    """
    width, height = max(size[0], 1), max(size[1], 1)
    packs = model.packs
    if not packs:
        return Page(_fitted(_waiting(model, width), width, height))
    selected = min(max(view.selected, 0), len(packs) - 1)
    top: list[Text] = []
    if len(packs) > 1 and height >= 12:
        top = [*_overview(packs, selected, width, height // 4, glyphs), Text()]
    bottom = 1 if height >= 8 else 0
    page = Details(packs[selected], view, width, now, glyphs).page(height - len(top) - bottom)
    lines = _fitted([*top, *page.lines], width, height - bottom)
    if bottom:
        footer = _footer(_keys(view, len(packs), page), width, glyphs)
        lines += _fitted([footer], width, 1)
    return page._replace(lines=lines)


def _fitted(lines: Sequence[Text], width: int, height: int) -> list[Text]:
    fitted = []
    for line in [*lines, *[Text()] * height][:height]:
        copy = line.copy()
        copy.truncate(width, overflow="crop")
        fitted.append(copy)
    return fitted


def _waiting(model: Model, width: int) -> list[Text]:
    lines = [Text("recbms-zmq monitor", "bold"), Text()]
    for endpoint, connected in model.connected.items():
        if endpoint in model.refusals:
            sentence = f"{endpoint} refused the connection: {model.refusals[endpoint]}."
        elif connected:
            sentence = f"Connected to {endpoint}, waiting for its first message."
        else:
            sentence = (
                f"Waiting for a service at {endpoint}. Is one running? "
                "To watch a BMS without one: recbms-zmq monitor ws://HOST/ws"
            )
        lines += [*wrapped(printable(sentence), width), Text()]
    if not model.connected:
        lines += [Text("Starting."), Text()]
    return [*lines, Text("q quit", "dim")]


def _keys(view: View, packs: int, page: Page) -> list[str]:
    """Return the keys that have an effect now, and what they do."""
    keys = ["q quit"]
    if packs > 1:
        keys.append("Tab next pack")
    if page.condensed or view.all_cells:
        keys.append("c short" if view.all_cells else "c all cells")
    if page.scroll_most:
        keys.append("j/k scroll")
    return keys


def _footer(keys: Sequence[str], width: int, glyphs: Glyphs) -> Text:
    left = Text("   ".join(keys), "dim")
    legend = f"{glyphs.down} lowest  {glyphs.up} highest  {cell_rows.BALANCING} balancing"
    if left.cell_len + len(legend) >= width:
        return left
    return apart(left, Text(legend, "dim"), width)


def _overview(
    packs: Sequence[PackState], selected: int, width: int, rows: int, glyphs: Glyphs
) -> list[Text]:
    """Draw a row for each pack; only those around the selected one if there are too many."""
    rows = min(max(rows, 2), len(packs))
    first = min(max(selected - rows // 2, 0), len(packs) - rows)
    label = min(max(len(pack.name) for pack in packs), max(width // 4, 4))
    lines = []
    for number in range(first, first + rows):
        pack = packs[number]
        line = Text(f"{glyphs.selected if number == selected else ' '} ", no_wrap=True)
        name = Text(printable(pack.name), "bold" if number == selected else "")
        name.truncate(label, pad=True)
        line.append_text(name).append(" ").append_text(_short(pack, glyphs))
        lines.append(line)
    return lines


def _short(pack: PackState, glyphs: Glyphs) -> Text:
    """Draw the state of a pack in one row."""
    soc = pack.number("soc")
    line = Text().append(f"{glyphs.state} ", state_style(pack))
    if pack.online is not True:
        return line.append(f"{STATES[pack.online]}: {printable(pack.reason)}".rstrip(": "))
    line.append_text(bar(None if soc is None else soc / 100, 10, soc_style(soc), glyphs))
    line.append(f" {amount(soc, '%', 1):>7}  {phrases.power(pack.number('power')):>9}")
    if pack.alarm is not None:
        line.append(f"  {printable(pack.alarm.text)}", "bold red")
    else:
        line.append(f"  {phrases.time_left(pack)}")
    return line
