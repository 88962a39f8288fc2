"""flows/lovelace.yaml, against the entities that the flows make."""

import re
import textwrap

from e2e.expected import ENTITIES
from e2e.home_assistant import HomeAssistant
from e2e.node_red import FLOWS

VIEW = (FLOWS / "lovelace.yaml").read_text(encoding="utf-8")
CELLS = """\
| Cell | Voltage | Above the lowest |
|:--|--:|:--|
| 2/1 | 3.305 V |  0 mV |
| 2/2 | 3.320 V | ▪▪▪▪▪▪▪ 15 mV |
| 2/10 | 3.311 V | ▪▪▪ 6 mV |
| 16/1 | 3.400 V | ▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪ 95 mV |"""


def test_every_entity_of_the_view_is_one_that_the_flows_make() -> None:
    made = {entity.id("REC BMS") for entity in ENTITIES}
    named = set(re.findall(r"(?:binary_)?sensor\.rec_bms_[a-z_]+(?=$|'\))", VIEW, re.MULTILINE))
    assert len(named) > 15
    assert named <= made


def test_the_view_finds_the_cells_of_any_pack(home_assistant: HomeAssistant) -> None:
    block = re.search(r"content: \|\n((?:          .*\n)+)", VIEW)
    assert block is not None
    template = textwrap.dedent(block[1])
    for place, voltage in (("2_1", 3.305), ("2_2", 3.32), ("2_10", 3.311), ("16_1", 3.4)):
        unit, cell = place.split("_")
        name = f"sensor.rec_bms_unit_{unit}_cell_{cell}_voltage"
        home_assistant.post(f"/api/states/{name}", {"state": str(voltage)})
    assert home_assistant.render(template).strip() == CELLS
