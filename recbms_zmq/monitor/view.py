"""What the user has selected, the keys that change it, and the page that was drawn. Pure."""

import re
from typing import Final, NamedTuple

from rich.text import Text

_KEY: Final = re.compile(rb"\x1b[\[O][0-9;]*[A-Za-z~]|.", re.DOTALL)
_SCROLL: Final[dict[bytes, int]] = {
    b"j": 1,
    b"\x1b[B": 1,
    b"\x1bOB": 1,
    b"k": -1,
    b"\x1b[A": -1,
    b"\x1bOA": -1,
    b" ": 8,
    b"\x1b[6~": 8,
    b"\x1b[5~": -8,
}
_SELECT: Final[dict[bytes, int]] = {
    b"\t": 1,
    b"n": 1,
    b"\x1b[C": 1,
    b"\x1bOC": 1,
    b"\x1b[Z": -1,
    b"p": -1,
    b"\x1b[D": -1,
    b"\x1bOD": -1,
}


class View(NamedTuple):
    """What the user has selected.

    Attributes:
        selected: index of the pack whose details are shown.
        scroll: rows by which the cells are scrolled.
        all_cells: draw a bar for every cell, even if they have to scroll.

    """

    selected: int = 0
    scroll: int = 0
    all_cells: bool = False


class Page(NamedTuple):
    """Rows for the terminal, how far the cells can scroll, and whether they are condensed."""

    lines: list[Text]
    scroll_most: int = 0
    condensed: bool = False


def press(view: View, typed: bytes, *, packs: int, scroll_most: int) -> View | None:
    """Return the selection after these keys; None to quit.

    Args:
        view: the selection before them.
        typed: bytes as the terminal sends them.
        packs: number of packs.
        scroll_most: rows by which the cells can scroll.

    """
    for key in _KEY.findall(typed):
        if key in (b"q", b"Q", b"\x03", b"\x04"):
            return None
        if key == b"c":
            view = view._replace(all_cells=not view.all_cells, scroll=0)
        elif key in _SCROLL:
            rows = min(max(view.scroll + _SCROLL[key], 0), scroll_most)
            view = view._replace(scroll=rows)
        elif key in _SELECT and packs:
            view = view._replace(selected=(view.selected + _SELECT[key]) % packs, scroll=0)
    return view
