"""Takes the pictures of flows/README.md: a flow in Node-RED's editor, the view in Home Assistant.

    cd tests && python -m e2e.pictures

Everything is run as in the tests, with a simulated pack on which a day passes in four minutes;
therefore the view's graphs show four minutes instead of 24 hours. Look at the pictures before
they are committed: nothing else does.
"""

import json
import os
import tempfile
import time
from pathlib import Path

from support.waiting import eventually

from e2e.browser import browse
from e2e.home_assistant import HomeAssistant
from e2e.node_red import FLOWS, NodeRed, flow_file
from e2e.service import command_folder

PICTURES = FLOWS / "pictures"
DAY_S = 240
PACK = f"sim:?units=2&cells=8&speed={86400 // DAY_S}"
FRONTEND = """\
lovelace:
  dashboards:
    rec-bms:
      mode: yaml
      title: Battery
      filename: battery.yaml
"""


def main() -> None:
    """Take all pictures."""
    folder = Path(tempfile.mkdtemp(prefix="recbms-zmq-pictures-"))
    PICTURES.mkdir(exist_ok=True)
    home_assistant = HomeAssistant(folder / "home-assistant", more=FRONTEND)
    node_red = None
    try:
        _onboard(home_assistant)
        environment = {
            "HA_URL": home_assistant.url,
            "HA_TOKEN": home_assistant.token,
            "PATH": f"{command_folder(folder)}:{os.environ['PATH']}",
        }
        node_red = NodeRed(folder / "node-red", environment)
        node_red.start()
        began = time.monotonic()
        node_red.deploy(flow_file("exec-to-home-assistant.json", BMS_URL=PACK))
        browse("node-red", node_red.url, PICTURES / "exec-to-home-assistant.png")
        eventually(lambda: time.monotonic() - began > DAY_S, "a day of history", DAY_S + 60)
        _view(home_assistant)
        # With the file's own addresses.
        flow = json.loads((FLOWS / "exec-to-home-assistant.json").read_text())
        node_red.deploy(flow, as_it_is=True)
        browse("environment", node_red.url, PICTURES / "environment.png")
    finally:
        if node_red is not None:
            node_red.stop()
        home_assistant.stop()


def _onboard(home_assistant: HomeAssistant) -> None:
    """Start it so that its frontend shows dashboards at once, among them ours."""
    view = (FLOWS / "lovelace.yaml").read_text(encoding="utf-8")
    view = view.replace("hours_to_show: 24", f"hours_to_show: {DAY_S / 3600:.4f}")
    view = view.replace("period: day", "period: 5minute").replace(
        "days_to_show: 14", "days_to_show: 1"
    )
    (home_assistant.folder / "view.yaml").write_text(view, encoding="utf-8")
    dashboard = home_assistant.folder / "battery.yaml"
    dashboard.write_text("views:\n  - !include view.yaml\n")
    home_assistant.start()


def _view(home_assistant: HomeAssistant) -> None:
    home_assistant.ask("recbms_test_tools/compile_statistics")
    url = f"{home_assistant.url}/rec-bms/rec-bms"
    browse("home-assistant", url, PICTURES / "home-assistant.png", home_assistant.token)


if __name__ == "__main__":
    main()
