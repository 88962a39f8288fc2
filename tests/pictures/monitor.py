"""Makes the README's picture of `recbms-zmq monitor`: two simulated packs, as SVG on stdout.

    python -m tests.pictures.monitor > tests/pictures/monitor.svg

The same rows that the terminal gets, so the picture is what one sees.
"""

import io
import re

from rich.console import Console

from recbms_zmq.clock import Instant
from recbms_zmq.config.load import load
from recbms_zmq.monitor.history import HISTORY
from recbms_zmq.monitor.model import Model
from recbms_zmq.monitor.render import render
from recbms_zmq.monitor.view import View
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.messages import decode_message
from recbms_zmq.service.fleet import build_fleet
from recbms_zmq.simulator import SimulatedBms, parse_simulator_url

SIZE = (84, 30)
PACKS = {"House": "sim:?cells=16&seed=3", "Boat": "sim:?seed=5"}
BEGIN, SPEED = 81_600.0, 33
"""Second of the simulated day at which the picture begins, and how fast that day goes."""


def looked_at() -> Model:
    """Return the packs as they are after ten minutes."""
    model = Model()
    for name, url in PACKS.items():
        options = {"device_name": name, "name": name.lower(), "emit": "snapshot", "report": "all"}
        now = 0.0

        def take(batch: Batch) -> None:
            for _, body, _ in batch.messages:
                model.update(decode_message(body), now)  # noqa: B023 called within the turn

        [bms] = build_fleet(load(options, [url], {}).config, take)
        simulated = SimulatedBms(parse_simulator_url(url))
        bms.pipeline.start(Instant(0.0, 0.0))
        bms.pipeline.received(simulated.settings(BEGIN), Instant(0.0, 0.0))
        for second in range(HISTORY):
            now = float(second)
            bms.pipeline.received(simulated.status(BEGIN + SPEED * second), Instant(now, now))
    return model


def picture() -> str:
    """Return the picture as SVG."""
    width, height = SIZE
    console = Console(
        record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    for line in render(looked_at(), View(), (width, height), float(HISTORY)).lines:
        console.print(line, no_wrap=True)
    svg = console.export_svg(title="recbms-zmq monitor")
    # A picture fetches nothing: any monospaced font of the reader's does.
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code", "DejaVu Sans Mono, Menlo, Consolas")


if __name__ == "__main__":
    print(picture())
