"""The view for Home Assistant's dashboards, for any name of the device.

Home Assistant makes entity ids of the device's name; the view names entities by them.
"""

import re
import unicodedata
from collections.abc import Sequence
from importlib.resources import files
from typing import Final

DEFAULT_NAME: Final = "REC BMS"
# Latin letters that Unicode does not take apart, and signs, as Home Assistant writes them.
_LETTERS: Final = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th"}
    | {"\N{LATIN SMALL LETTER DOTLESS I}": "i", "\N{RIGHT SINGLE QUOTATION MARK}": ""}
    | {"\N{EN DASH}": "-", "\N{EM DASH}": "-"}
)


def lovelace_yaml(device_name: str = DEFAULT_NAME, cells: Sequence[tuple[int, int]] = ()) -> str:
    """Return the view as YAML that ends with a newline.

    Args:
        device_name: name of the device in Home Assistant.
        cells: address and number of cells of each unit that gets a chart of its cells.

    """
    page = files("recbms_zmq.nodered").joinpath("pages", "lovelace.yaml")
    text = page.read_text(encoding="utf-8")
    slug = entity_slug(device_name)
    text += "".join(_chart(unit, count) for unit, count in cells)
    words = {"_NAME": device_name, "_PATH": slug.replace("_", "-"), None: slug}
    # In one pass: the name itself may have this word in it.
    return re.sub("DEVICE(_NAME|_PATH)?", lambda match: words[match[1]], text)


def _chart(unit: int, count: int) -> str:
    """Return a card, at the end of the page's last section: the cells of a unit of a day."""
    lines = [
        "      - type: history-graph",
        f"        title: Cells of unit {unit}",
        "        hours_to_show: 24",
        "        entities:",
    ]
    for number in range(1, count + 1):
        entity = f"sensor.DEVICE_unit_{unit}_cell_{number}_voltage"
        lines += [f"          - entity: {entity}", f"            name: Cell {number}"]
    return "\n".join(lines) + "\n"


def entity_slug(device_name: str) -> str:
    """Return what Home Assistant makes of a device's name in an entity id.

    Empty for a name with letters that are not Latin: Home Assistant spells them in its own way.
    """
    plain = unicodedata.normalize("NFKD", device_name.lower().translate(_LETTERS)).lower()
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    plain = re.sub(r"(?<=\d),(?=\d)", "", plain)
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_") if plain.isascii() else ""
