"""Bars, charts and lines of a given width: what the view is made of.

A line is a rich `Text` of one row. Nothing here knows about batteries.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from rich.text import Text


class Glyphs(NamedTuple):
    """The characters to draw with: `levels` from empty to full, `hanging` the same from the top."""

    levels: str
    hanging: str
    horizontal: str
    rest: str
    up: str
    down: str
    state: str
    selected: str
    line: str
    dot: str


UNICODE: Final = Glyphs(" ▁▂▃▄▅▆▇█", " ▔▔▀▀▀▀██", " ▏▎▍▌▋▊▉█", "·", "▲", "▼", "●", "▸", "─", " · ")
ASCII: Final = Glyphs(" ._-=+*%#", " ''''\"\"##", "#", ".", "^", "v", "*", ">", "-", ", ")
"""For terminals without Unicode, and for the Linux console, whose font lacks most block characters.
"""


def bar(fraction: float | None, width: int, style: str, glyphs: Glyphs) -> Text:
    """Draw a horizontal bar, filled from the left; empty for None."""
    steps = max(len(glyphs.horizontal) - 1, 1)
    filled = round(min(max(fraction or 0.0, 0.0), 1.0) * width * steps)
    whole, part = divmod(filled, steps)
    text = Text(no_wrap=True).append(glyphs.horizontal[-1] * whole, style)
    if part:
        text.append(glyphs.horizontal[part], style)
    text.append(glyphs.rest * (width - len(text)), "dim")
    return text


def column(fraction: float | None, glyphs: Glyphs) -> str:
    """Draw a vertical bar of one character; a question mark for None."""
    if fraction is None:
        return "?"
    top = len(glyphs.levels) - 1
    # The lowest value is visible too: a blank would look like a missing cell.
    return glyphs.levels[max(round(min(max(fraction, 0.0), 1.0) * top), 1)]


def chart(columns: Sequence[float | None], height: int, glyphs: Glyphs) -> list[Text]:
    """Draw a bar chart of `height` rows; None is left empty.

    Positive values are green and grow up from the zero line, negative ones are yellow and grow down
    from it. In a chart of one row both grow up.
    """
    known = [value for value in columns if value is not None]
    high, low = max([0.0, *known]), -min([0.0, *known])
    if height == 1 and high and low:
        high, low, above = max(high, low), 0.0, 1
    elif high and low:
        above = min(range(1, height), key=lambda rows: max(high / rows, low / (height - rows)))
    else:
        above = 0 if low else height
    each = max(high / max(above, 1), low / max(height - above, 1)) or 1.0
    rows = [Text(no_wrap=True) for _ in range(height)]
    for value in columns:
        down = value is not None and value < 0 and above < height
        levels = glyphs.hanging if down else glyphs.levels
        top = len(levels) - 1
        # The smallest value is visible too: a blank means unknown.
        filled = 0 if value is None else max(round(abs(value) / each * top), 1)
        style = "green" if value else "dim"
        if value is not None and value < 0:
            style = "yellow"
        for number, row in enumerate(rows):
            distance = number - above if down else above - 1 - number
            level = min(max(filled - distance * top, 0), top) if distance >= 0 else 0
            row.append(levels[level], style)
    return rows


def flow(items: Iterable[Text], width: int, gap: str = "   ") -> list[Text]:
    """Put items side by side, and start a new row where one is full."""
    rows: list[Text] = []
    for item in items:
        if rows and rows[-1].cell_len + len(gap) + item.cell_len <= width:
            rows[-1].append(gap).append_text(item)
        else:
            rows.append(item.copy())
    return rows


def fitting(start: str, parts: Iterable[str], separator: str, width: int) -> str:
    """Put as many of the parts in a row as fit whole, at least one; a cut number is a wrong one."""
    line, joint = start, ""
    for part in parts:
        longer = line + joint + part
        if joint and len(longer) > width:
            break
        line, joint = longer, separator
    return line


def wrapped(text: str, width: int, style: str = "") -> list[Text]:
    """Break a sentence into rows."""
    import textwrap

    return [Text(row, style) for row in textwrap.wrap(text, max(width, 1))] or [Text()]


def apart(left: Text, right: Text, width: int) -> Text:
    """Put two texts at both ends of a row; the left one is cut if there is no room."""
    room = width - right.cell_len - 1
    if room < 1:
        return right
    line = Text().append_text(left)
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
