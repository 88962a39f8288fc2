"""A real browser, driven by `browser.mjs`."""

import json
import subprocess
from pathlib import Path
from typing import Literal

from e2e.installation import chromium, node, node_modules

Page = Literal["node-red", "environment", "import", "home-assistant", "entity"]


def browse(page: Page, url: str, file: Path | str, token: str = "") -> None:
    """Do what `browser.mjs` calls `page`: take the picture `file`, import it, wait for it."""
    order = {
        "page": page,
        "url": url,
        "file": str(file),
        "token": token,
        "chromium": chromium(),
        "modules": str(node_modules()),
    }
    program = Path(__file__).with_name("browser.mjs")
    subprocess.run([node(), str(program), json.dumps(order)], check=True, timeout=120)
