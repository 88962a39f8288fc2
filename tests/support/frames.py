"""The two real frames, and frames made by us by changing them."""

import copy
import json
from pathlib import Path
from typing import Any, Final

FRAMES: Final = Path(__file__).parent.parent / "frames"
STATUS: Final = (FRAMES / "status.json").read_text(encoding="ascii")
SETTINGS: Final = (FRAMES / "settings.json").read_text(encoding="ascii")


def status(*, units: int = 1, cells: int = 4, **master: Any) -> str:
    """Return the real status frame, with fields of `bms_array.master` changed by REC's names.

    With more units or cells, the real unit and its cells are repeated.
    """
    frame = json.loads(STATUS)
    frame["bms_array"]["master"].update(master)
    unit = frame["bms_array"]["slave"]["0"]
    for name in ("res", "nap", "bal"):
        unit[name] = {str(n): unit[name][str(n % 4)] for n in range(cells)}
    unit["st_celic"] = cells
    slaves = {}
    for position in range(units):
        slaves[str(position)] = copy.deepcopy(unit)
        slaves[str(position)]["address"] = unit["address"] + position
    frame["bms_array"]["slave"] = slaves
    frame["bms_array"]["master"]["st_naprav"] = units
    return json.dumps(frame, separators=(",", ":"))
