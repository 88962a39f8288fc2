"""The cells of a pack as rows: a bar for each, or a line for each unit where room is short."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

from rich.text import Text

from recbms_zmq.monitor.draw import Glyphs, bar, column, side_by_side
from recbms_zmq.monitor.pack_state import Cell, Limits

BALANCING: Final = "B"
_MIN_BAR: Final = 6
_FIXED: Final = len("  0.000 V ^B")
_GAP: Final = 2
_GOOD: Final = "green"
_NEAR: Final = 0.05
"""Share of the scale that counts as near a limit."""


def detailed_rows(cells: Sequence[Cell], width: int) -> int:
    """Return the least number of rows in which `detailed` can draw these cells."""
    return -(-len(cells) // _most_columns(cells, width)) if cells else 0


def detailed(
    cells: Sequence[Cell], limits: Limits, width: int, rows: int, glyphs: Glyphs
) -> list[Text]:
    """Draw each cell as a bar between the limits, in as few columns as `rows` rows allow.

    Returns more than `rows` rows if even the largest number of columns needs them.
    """
    if not cells:
        return []
    columns = min(max(-(-len(cells) // max(rows, 1)), 1), _most_columns(cells, width))
    each = (width - (columns - 1) * _GAP) // columns
    label = _label(cells)
    length = max(each - label - _FIXED, 1)
    return side_by_side(
        [_cell(cell, limits, label, length, glyphs) for cell in cells], columns, each
    )


def condensed(cells: Sequence[Cell], limits: Limits, width: int, glyphs: Glyphs) -> list[Text]:
    """Draw each unit as a row with one character per cell, in columns if there is room."""
    units = [
        _unit(list(group), limits, glyphs) for _, group in groupby(cells, key=attrgetter("unit"))
    ]
    each = max((unit.cell_len for unit in units), default=1)
    return side_by_side(units, max((width + _GAP) // (each + _GAP), 1), each) if units else []


def _label(cells: Sequence[Cell]) -> int:
    return max(len(cell.name) for cell in cells)


def _most_columns(cells: Sequence[Cell], width: int) -> int:
    return max((width + _GAP) // (_label(cells) + _FIXED + _MIN_BAR + _GAP), 1)


def _cell(cell: Cell, limits: Limits, label: int, length: int, glyphs: Glyphs) -> Text:
    share = _share(cell.voltage, limits)
    line = Text(f"{cell.name:>{label}} ", no_wrap=True)
    style = _style(share)
    line.append_text(bar(share, length, style, glyphs))
    # An empty bar shows no colour, but a cell that is too low has to.
    voltage = "     ? V" if cell.voltage is None else f" {cell.voltage:.3f} V"
    line.append(voltage, "" if style == _GOOD else style)
    line.append(f" {_mark(cell, glyphs)}{BALANCING if cell.balancing else ' '}", "bold")
    return line


def _unit(cells: Sequence[Cell], limits: Limits, glyphs: Glyphs) -> Text:
    line = Text(f"unit {cells[0].unit:>3} ", no_wrap=True)
    for cell in cells:
        share = _share(cell.voltage, limits)
        line.append(column(share, glyphs), _style(share))
    voltages = [cell.voltage for cell in cells if cell.voltage is not None]
    if voltages:
        line.append(f" {min(voltages):.3f} to {max(voltages):.3f} V")
    for cell in cells:
        mark = _mark(cell, glyphs)
        if mark != " ":
            line.append(f" {mark}{cell.number}", "bold")
    balancing = [str(cell.number) for cell in cells if cell.balancing]
    if balancing:
        line.append(f" {BALANCING}{','.join(balancing)}", "bold")
    return line


def _mark(cell: Cell, glyphs: Glyphs) -> str:
    return glyphs.down if cell.lowest else glyphs.up if cell.highest else " "


def _share(voltage: float | None, limits: Limits) -> float | None:
    return None if voltage is None else (voltage - limits.low) / (limits.high - limits.low)


def _style(share: float | None) -> str:
    if share is None:
        return "dim"
    if not 0 <= share <= 1:
        return "bold red"
    return "yellow" if min(share, 1 - share) < _NEAR else _GOOD
