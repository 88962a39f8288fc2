"""Takes the pictures of the dashboard, with a simulated pack on which a day passes in four minutes.

    cd tests && python -m e2e.dashboard_pictures

Look at them before they are committed: nothing else does.
"""

import os
import tempfile
import time
from pathlib import Path

from support.waiting import eventually

from e2e.dashboard import PHONE, WALL, Dashboard
from e2e.node_red import FLOWS, NodeRed, flow_file
from e2e.service import command_folder

PICTURES = FLOWS / "pictures"
DAY_S = 240
PACK = f"sim:?units=2&cells=8&speed={86400 // DAY_S}"


def main() -> None:
    """Take both."""
    folder = Path(tempfile.mkdtemp(prefix="recbms-zmq-pictures-"))
    path = f"{command_folder(folder)}:{os.environ['PATH']}"
    node_red = NodeRed(folder / "node-red", {"PATH": path})
    try:
        node_red.start()
        began = time.monotonic()
        hours = f"{DAY_S / 3600:.4f}"
        node_red.deploy(flow_file("dashboard.json", BMS_URL=PACK, HISTORY_HOURS=hours))
        eventually(lambda: time.monotonic() - began > DAY_S, "a day of history", DAY_S + 60)
        for size, name in ((WALL, "dashboard"), (PHONE, "dashboard-phone")):
            with Dashboard(node_red.url) as page:
                page.open(size)
                eventually(lambda: page.read().get("chip") == "live", "the pack is shown")
                page.picture(PICTURES / f"{name}.png")
    finally:
        node_red.stop()


if __name__ == "__main__":
    main()
