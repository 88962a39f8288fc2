"""The view for Home Assistant's dashboards, for any name of the device.

Home Assistant makes entity ids of the device's name; the view names entities by them.
"""

import re
import unicodedata
from collections.abc import Sequence
from importlib.resources import files
from typing import Final

DEFAULT_NAME: Final = "REC BMS"


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
    text = text.replace("DEVICE_NAME", device_name).replace("DEVICE_PATH", slug.replace("_", "-"))
    return text.replace("DEVICE", slug)


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
    """Return what Home Assistant makes of a device's name in an entity id."""
    plain = unicodedata.normalize("NFKD", device_name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")
