"""Node-RED flows that make Home Assistant entities of this program's messages, or a dashboard.

A flow has three parts, each in a module: a source (`sources`), which ends with messages; what has
to be said anew, and when (`again`); and a target (`targets`, `entity_nodes`, `dashboard`), which
keeps what is news and tells Home Assistant, or draws it. `canvas` lays them out, `parts` knows
Node-RED's own nodes. The JavaScript of the function nodes is in `scripts/`, one file for each tab
of a node, the dashboard's templates are in `pages/`.

Nothing here runs with the service: it is imported by `recbms-zmq flow` alone.
"""

from recbms_zmq.nodered.build import FILES, flow_json
from recbms_zmq.nodered.lovelace import lovelace_yaml
from recbms_zmq.nodered.options import SOURCES, TARGETS, FlowOptions

__all__ = ["FILES", "SOURCES", "TARGETS", "FlowOptions", "flow_json", "lovelace_yaml"]
