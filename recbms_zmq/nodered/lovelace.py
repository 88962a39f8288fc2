"""The view for Home Assistant's dashboards, for any name of the device.

Home Assistant makes entity ids of the device's name; the view names entities by them.
"""

import re
import unicodedata
from importlib.resources import files
from typing import Final

DEFAULT_NAME: Final = "REC BMS"


def lovelace_yaml(device_name: str = DEFAULT_NAME) -> str:
    """Return the view as YAML that ends with a newline."""
    page = files("recbms_zmq.nodered").joinpath("pages", "lovelace.yaml")
    text = page.read_text(encoding="utf-8")
    slug = entity_slug(device_name)
    text = text.replace("DEVICE_NAME", device_name).replace("DEVICE_PATH", slug.replace("_", "-"))
    return text.replace("DEVICE", slug)


def entity_slug(device_name: str) -> str:
    """Return what Home Assistant makes of a device's name in an entity id."""
    plain = unicodedata.normalize("NFKD", device_name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")
