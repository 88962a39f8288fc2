"""What the keys do: a pure function from what was chosen and what was typed."""

import re
from typing import Final

from recbms_zmq.monitor.view import View

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


def press(view: View, typed: bytes, *, packs: int, scroll_most: int) -> View | None:
    """Return what is chosen after these keys; None to leave.

    Args:
        view: what was chosen before.
        typed: as the terminal sends it.
        packs: how many there are.
        scroll_most: rows by which the cells can be scrolled.

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
