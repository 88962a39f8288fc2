"""What the user has chosen to see, and what was drawn of it."""

from typing import NamedTuple

from rich.text import Text


class View(NamedTuple):
    """What the user has chosen.

    Attributes:
        selected: the pack whose details are shown, counted from 0.
        scroll: rows by which the cells are scrolled.
        all_cells: a bar for every cell, though they have to scroll.

    """

    selected: int = 0
    scroll: int = 0
    all_cells: bool = False


class Page(NamedTuple):
    """Rows for the terminal, how far the cells can be scrolled, and whether they are in short."""

    lines: list[Text]
    scroll_most: int = 0
    condensed: bool = False
