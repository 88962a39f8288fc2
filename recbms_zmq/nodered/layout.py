"""Lays nodes out on a Node-RED tab: left to right in lines, the lines of one purpose in a group.

Knows Node-RED's flow format, and nothing of batteries or Home Assistant. The format is that of
Node-RED's export (Import in the editor, `POST /flows`): a list of the tab, its groups, its nodes
and its configuration nodes.
"""

import re
from collections.abc import Sequence
from importlib.resources import files
from itertools import pairwise
from typing import Any, Final, NamedTuple

Properties = dict[str, Any]

# Pixels of the editor. Positions are not only for the eye: a node without `x` and `y` is loaded as
# a configuration node.
NODE_HEIGHT: Final = 30
LINE_HEIGHT: Final = 60
GAP: Final = 40
MARGIN: Final = 26
GRID: Final = 20
LABEL_HEIGHT: Final = 34
LABEL_COLOUR: Final = "#333333"
"""The editor's own grey is hard to read on a filled group."""
BEGINNINGS: Final = frozenset({"inject", "catch", "status", "server-events", "link in"})
"""Kinds of nodes without an input."""


def script(name: str) -> str:
    """Return the JavaScript of one function-node tab, with what several tabs share put in."""
    folder = files("recbms_zmq.nodered").joinpath("scripts")
    text = folder.joinpath(f"{name}.js").read_text(encoding="utf-8")
    return re.sub(r"^/\* (\w+)\.js \*/\n", lambda part: script(part[1]), text, flags=re.MULTILINE)


def page(name: str) -> str:
    """Return a template of the dashboard, with what the templates share put in."""
    folder = files("recbms_zmq.nodered").joinpath("pages")
    shared = folder.joinpath("shared.js").read_text(encoding="utf-8")
    template = folder.joinpath(f"{name}.vue").read_text(encoding="utf-8")
    return template.replace("    /* shared.js */\n", shared)


def node_width(label: str, *, has_input: bool) -> int:
    """Estimate how wide the editor draws a node: it measures the label, we count letters."""
    wanted = 6.6 * len(label) + (57 if has_input else 50)
    return max(100, GRID * -(-int(wanted) // GRID))


class Note(NamedTuple):
    """A comment node: what is seen, and what is read when it is opened (Markdown)."""

    name: str
    about: str


class Group:
    """A box around the nodes of one purpose, filled line by line."""

    def __init__(
        self, canvas: "Canvas", key: str, name: str, colour: str, at: tuple[int, int]
    ) -> None:
        """Begin an empty group whose upper left corner is `at`."""
        self.canvas = canvas
        self.left, self._top = at
        self._line = -1
        self._lines = 0
        self._next = self.left + MARGIN
        self._right = self.left
        self._ends: dict[str, int] = {}
        self._end: int | None = None
        self._node: Properties = {
            "id": canvas.id(key),
            "type": "group",
            "z": canvas.tab_id,
            "name": name,
            "style": {
                "label": True,
                "color": LABEL_COLOUR,
                "stroke": colour,
                "fill": colour,
                "fill-opacity": "0.12",
            },
            "nodes": [],
        }

    @property
    def node(self) -> Properties:
        """The group itself, in the size that holds its nodes."""
        return {
            **self._node,
            "x": self.left,
            "y": self._top,
            "w": self._right + MARGIN - self.left,
            "h": self.height,
        }

    @property
    def height(self) -> int:
        """Its height in pixels."""
        return LABEL_HEIGHT + self._lines * LINE_HEIGHT

    @property
    def right(self) -> int:
        """Its right edge in pixels."""
        return self._right + MARGIN

    def line(self, number: int | None = None, *, after: str | None = None) -> None:
        """Begin the next line, or that number counted from 0; `after`: right of another's node."""
        self._line = self._line + 1 if number is None else number
        self._lines = max(self._lines, self._line + 1)
        self._next = self.left + MARGIN
        if after is not None:
            self.skip(after)

    def skip(self, node: str) -> None:
        """Leave room in the line up to the right of a node of another line."""
        self._next = max(self._next, self._ends[node] + GAP)

    def end_with(self, node: str) -> None:
        """Let the next node end where a node of another line does.

        Wires from both to the same node run between that node and these two, not below one of them.
        """
        self._end = self._ends[node]

    def add(self, type_: str, key: str, name: str, about: str, **properties: Any) -> str:
        """Put a node at the end of the line; return its id.

        Args:
            type_: Node-RED's word for the kind of node.
            key: unique on the tab; the last part of the id.
            name: what the editor shows.
            about: the node's description, Markdown.
            properties: whatever else the kind of node has; `outputs` is the number of its outputs.

        """
        has_input = type_ not in BEGINNINGS
        width = node_width(name, has_input=has_input)
        if self._end is not None:
            self._next = max(self._next, self._end - width)
            self._end = None
        node = {
            "id": self.canvas.id(key),
            "type": type_,
            "z": self.canvas.tab_id,
            "g": self._node["id"],
            "name": name,
            **properties,
            "info": about,
            "x": self._next + width // 2,
            "y": self._top + LABEL_HEIGHT + self._line * LINE_HEIGHT + NODE_HEIGHT // 2,
            "wires": [],
        }
        self.canvas.place(node)
        self._node["nodes"].append(node["id"])
        end = self._next + width
        self._ends[node["id"]] = end
        self._next = end + GAP
        self._right = max(self._right, end)
        return str(node["id"])


class Canvas:
    """One tab with everything on it."""

    def __init__(self, prefix: str, label: str, about: str, env: list[Properties]) -> None:
        """Begin an empty tab.

        Args:
            prefix: what every id on it begins with.
            label: of the tab.
            about: description, Markdown; the editor's sidebar shows it.
            env: the tab's environment: entries of name, value and type.

        """
        self.prefix = prefix
        self.tab_id = f"{prefix}-tab"
        self._tab: Properties = {
            "id": self.tab_id,
            "type": "tab",
            "label": label,
            "disabled": False,
            "info": about,
            "env": env,
        }
        self._groups: list[Group] = []
        self._nodes: dict[str, Properties] = {}
        self._config: list[Properties] = []
        self._joined: dict[str, list[str]] = {}

    def id(self, key: str) -> str:
        """Return the id of the node that is called `key` on this tab."""
        return f"{self.prefix}-{key}"

    def group(self, key: str, name: str, colour: str, at: tuple[int, int]) -> Group:
        """Begin a group."""
        group = Group(self, key, name, colour, at)
        self._groups.append(group)
        return group

    def comments(self, notes: Sequence[Note], at: tuple[int, int]) -> int:
        """Write comment nodes under each other; return where they end."""
        left, top = at
        for number, (name, about) in enumerate(notes, 1):
            width = node_width(name, has_input=False)
            self.place(
                {
                    "id": self.id(f"comment-{number}"),
                    "type": "comment",
                    "z": self.tab_id,
                    "name": name,
                    "info": about,
                    "x": left + width // 2,
                    "y": top + NODE_HEIGHT // 2,
                    "wires": [],
                }
            )
            top += 40
        return top

    def place(self, node: Properties) -> None:
        """Add a node that has its position."""
        # Node-RED would load both, and one of them would get the wires of the other.
        assert node["id"] not in self._nodes, node["id"]
        self._nodes[node["id"]] = node

    def config(
        self, type_: str, key: str, name: str, *, everywhere: bool = False, **properties: Any
    ) -> str:
        """Add a configuration node of this tab alone: only such a node has the tab's environment.

        With `everywhere`, one that the nodes of all tabs can use.
        """
        place = {} if everywhere else {"z": self.tab_id}
        node = {"id": self.id(key), "type": type_, **place, "name": name, **properties}
        self._config.append(node)
        return str(node["id"])

    def wire(self, begin: str, end: str, output: int = 0) -> None:
        """Connect an output of one node, counted from 0, to another node."""
        wires = self._nodes[begin]["wires"]
        while len(wires) <= output:
            wires.append([])
        wires[output].append(end)

    def chain(self, *ids: str) -> None:
        """Wire nodes one after the other."""
        for begin, end in pairwise(ids):
            self.wire(begin, end)

    def link(self, out: str, in_: str) -> None:
        """Connect a `link out` node to a `link in` node: a wire that is not drawn."""
        for each in (out, *self._joined.get(out, ())):
            self._nodes[each]["links"].append(in_)
            self._nodes[in_]["links"].append(each)

    def join(self, out: str, other: str) -> None:
        """Connect `other`, a `link out` node too, to all that `out` is connected to from now on."""
        self._joined.setdefault(out, []).append(other)

    def nodes(self) -> list[Properties]:
        """Return the flow as Node-RED imports it."""
        groups = [group.node for group in self._groups]
        return [self._tab, *groups, *self._nodes.values(), *self._config]
