"""Puts a flow together from its parts, with the notes that a user reads first."""

import json
from typing import Final

from recbms_zmq.nodered import inputs, outputs
from recbms_zmq.nodered.comments import notes, tab_about, tab_label
from recbms_zmq.nodered.layout import Canvas, Properties
from recbms_zmq.nodered.options import FlowOptions, Source, Target

FILES: Final[dict[str, tuple[Source, Target]]] = {
    "exec-to-home-assistant.json": ("exec", "discovery"),
    "zmq-to-home-assistant.json": ("zmq", "discovery"),
    "zeromq-node-to-home-assistant.json": ("zeromq-node", "discovery"),
    "daemon-to-home-assistant.json": ("daemon", "discovery"),
    "exec-to-entity-nodes.json": ("exec", "entity-nodes"),
    "zmq-to-home-assistant-states.json": ("zmq", "states"),
    "zmq-to-mqtt-discovery.json": ("zmq", "mqtt"),
    "dashboard.json": ("exec", "dashboard"),
    "zmq-to-signal-k.json": ("zmq", "signal-k"),
}
"""The flows in `flows/`: file names, and the options they are made with; all else is default."""


def flow(options: FlowOptions) -> list[Properties]:
    """Make a flow: the list of its tab, groups, nodes and configuration nodes."""
    env = inputs.env(options) + outputs.env(options)
    canvas = Canvas(options.prefix, tab_label(options), tab_about(options), env)
    bottom = canvas.comments(notes(options), at=(40, 30))
    source = inputs.add(canvas, options, at=(40, bottom + 20))
    outputs.add(canvas, options, source.messages, at=(40, bottom + 60 + source.group.height))
    return canvas.nodes()


def flow_json(options: FlowOptions) -> str:
    """Make a flow as Node-RED's Import takes it: JSON text that ends with a newline."""
    return json.dumps(flow(options), indent=2, ensure_ascii=False) + "\n"
