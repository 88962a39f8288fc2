"""flows/lovelace.yaml, against the entities that the flows make."""

import re
import textwrap

from e2e.expected import ENTITIES
from e2e.home_assistant import HomeAssistant
from e2e.node_red import FLOWS

VIEW = (FLOWS / "lovelace.yaml").read_text(encoding="utf-8")
CELLS = """\
| **2/1** | **2/2** | **2/3** | **2/4** | **2/5** |
|--|--|--|--|--|
| 3.305▼ | 3.320 | 3.320 | 3.320 | 3.320 |
| **2/6** | **2/7** | **2/8** | **2/9** | **2/10** |
| 3.320 | 3.320 | 3.320 | 3.320 | – |
| **16/1** | | | | |
| 3.400▲ |"""  # noqa: RUF001 - the dash is what is shown of an unknown cell


def test_every_entity_of_the_view_is_one_that_the_flows_make() -> None:
    made = {entity.id("REC BMS") for entity in ENTITIES}
    named = set(re.findall(r"(?:binary_)?sensor\.rec_bms_[a-z_]+(?=$|'\))", VIEW, re.MULTILINE))
    assert len(named) > 15
    assert named <= made


def test_the_view_finds_the_cells_of_any_pack_in_rows_that_fit_a_phone(
    home_assistant: HomeAssistant,
) -> None:
    block = re.search(r"content: \|\n((?:          .*\n|\n)+)", VIEW)
    assert block is not None
    template = textwrap.dedent(block[1])
    cells = {(2, cell): 3.32 for cell in range(2, 10)} | {(2, 1): 3.305, (16, 1): 3.4}
    for (unit, cell), voltage in cells.items():
        name = f"sensor.rec_bms_unit_{unit}_cell_{cell}_voltage"
        home_assistant.post(f"/api/states/{name}", {"state": str(voltage)})
    unknown = "sensor.rec_bms_unit_2_cell_10_voltage"
    home_assistant.post(f"/api/states/{unknown}", {"state": "unknown"})
    assert home_assistant.render(template).strip() == CELLS
