"""Node-RED flows for this program's messages: Home Assistant, a dashboard, Signal K.

A flow has these parts, each in a module: the input (`inputs`), which ends with messages; when
everything is sent again (`resend`); and the output (`outputs`, `entity_nodes`, `dashboard`,
`signal_k`), which sends what has changed to Home Assistant or Signal K, or draws it. Beside Home
Assistant nodes there are also `alarms` and `registry` (decimals, removal), with `requests` for
their questions and answers. `layout` places the nodes, `core_nodes` knows Node-RED's own kinds,
`comments` has the texts on the tab. The JavaScript of the function nodes is in `scripts/`, one file
for each tab of a node; the dashboard's templates and the view of `lovelace` are in `pages/`.

Nothing here runs with the service: it is imported by `recbms-zmq flow` alone.
"""

from recbms_zmq.nodered.build import FILES, flow_json
from recbms_zmq.nodered.lovelace import lovelace_yaml
from recbms_zmq.nodered.options import SOURCES, TARGETS, FlowOptions

__all__ = ["FILES", "SOURCES", "TARGETS", "FlowOptions", "flow_json", "lovelace_yaml"]
