"""Bars, charts and lines of given width, of which the view is made.

A line is a rich `Text` of one row. Nothing here knows what it is that is drawn.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from rich.text import Text


class Glyphs(NamedTuple):
    """The characters to draw with. `levels` climb from empty to full."""

    levels: str
    horizontal: str
    rest: str
    up: str
    down: str
    state: str
    selected: str
    line: str
    dot: str


UNICODE: Final = Glyphs(" ▁▂▃▄▅▆▇█", " ▏▎▍▌▋▊▉█", "·", "▲", "▼", "●", "▸", "─", " · ")
ASCII: Final = Glyphs(" ._-=+*%#", "#", ".", "^", "v", "*", ">", "-", ", ")
"""For terminals without Unicode, and the Linux console, whose font has few of the others."""


def bar(fraction: float | None, width: int, style: str, glyphs: Glyphs) -> Text:
    """Draw a horizontal bar, filled from the left; None is drawn empty."""
    steps = max(len(glyphs.horizontal) - 1, 1)
    filled = round(min(max(fraction or 0.0, 0.0), 1.0) * width * steps)
    whole, part = divmod(filled, steps)
    text = Text(glyphs.horizontal[-1] * whole, style, no_wrap=True)
    if part:
        text.append(glyphs.horizontal[part], style)
    text.append(glyphs.rest * (width - len(text)), "dim")
    return text


def column(fraction: float | None, glyphs: Glyphs) -> str:
    """Draw a vertical bar of one character; None is a question mark."""
    if fraction is None:
        return "?"
    top = len(glyphs.levels) - 1
    # The lowest is drawn too, so that it does not look like nothing.
    return glyphs.levels[min(max(round(fraction * top), 1), top)]


def chart(columns: Sequence[float | None], height: int, glyphs: Glyphs) -> list[Text]:
    """Draw a bar chart of `height` rows, green above zero, yellow below; None is left empty.

    The scale runs from the smallest value, or zero if that is less, to the largest, or zero.
    """
    known = [value for value in columns if value is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    top = len(glyphs.levels) - 1
    rows = [Text(no_wrap=True) for _ in range(height)]
    for value in columns:
        level = 0
        style = ""
        if value is not None:
            share = (value - low) / (high - low) if high > low else 0.0
            level = max(round(share * height * top), 1)
            style = "green" if value > 0 else "yellow" if value < 0 else "dim"
        for number, row in enumerate(reversed(rows)):
            row.append(glyphs.levels[min(max(level - number * top, 0), top)], style)
    return rows


def flow(items: Iterable[Text], width: int, gap: str = "   ") -> list[Text]:
    """Put items side by side, in as many rows as it takes."""
    rows: list[Text] = []
    for item in items:
        if rows and rows[-1].cell_len + len(gap) + item.cell_len <= width:
            rows[-1].append(gap).append_text(item)
        else:
            rows.append(item.copy())
    return rows


def wrapped(text: str, width: int, style: str = "") -> list[Text]:
    """Break a sentence into rows."""
    import textwrap

    return [Text(row, style) for row in textwrap.wrap(text, max(width, 1))] or [Text()]


def apart(left: Text, right: Text, width: int) -> Text:
    """Put two texts at both ends of a row; the left one is cut if there is no room."""
    room = width - right.cell_len - 1
    if room < 1:
        return right
    line = left.copy()
    line.truncate(room, overflow="crop", pad=True)
    return line.append(" ").append_text(right)


def side_by_side(items: Sequence[Text], columns: int, width: int) -> list[Text]:
    """Put items of one width in columns, downwards first."""
    rows = -(-len(items) // columns)
    lines = []
    for number in range(rows):
        line = Text(no_wrap=True)
        for item in items[number::rows]:
            padded = item.copy()
            padded.truncate(width, pad=True)
            line.append_text(padded).append("  ")
        line.rstrip()
        lines.append(line)
    return lines
