"""What a flow is made from: where the messages come from, where they go, and the addresses."""

from typing import Final, Literal, get_args

from msgspec import Struct

Source = Literal["exec", "daemon", "zmq", "zeromq-node"]
Target = Literal["discovery", "entity-nodes", "states", "mqtt", "dashboard", "signal-k"]

SOURCES: Final[tuple[Source, ...]] = get_args(Source)
TARGETS: Final[tuple[Target, ...]] = get_args(Target)

ENTITY_NODE_KEYS: Final = (
    "time_remaining",
    "cell_voltage_min",
    "cell_voltage_max",
    "current",
    "temperature_max",
    "voltage",
    "soc",
    "soh",
    "power",
    "charging",
    "discharging",
    "problem",
)
"""The pack's sensors that get a node of their own, unless others are asked for."""


class FlowOptions(Struct, frozen=True, kw_only=True):
    """A flow to order.

    Attributes:
        source: `exec` and `daemon` start the program, the others subscribe to a running one.
        target: how entities are made, or what else is made of the messages.
        url: the BMS, for sources that start the program.
        others: further BMS, as NAME=SOURCE, for sources that start the program.
        publish: ZeroMQ address; subscribed to, or also published on by a started program.
        name: id of the (first) BMS, as in the topics.
        device_name: name of the battery for people.
        program: how Node-RED finds this program.
        sensors: keys of the sensors that get a node, for `entity-nodes`.
        cells: number of cells of each unit, by its address; each gets a node.
        all_sensors: make entities also of what is disabled at first.

    """

    source: Source
    target: Target
    url: str = "ws://192.168.8.2/ws"
    others: tuple[str, ...] = ()
    publish: str | None = None
    name: str = "main"
    device_name: str = "REC BMS"
    program: str = "recbms-zmq"
    sensors: tuple[str, ...] = ENTITY_NODE_KEYS
    cells: tuple[tuple[int, int], ...] = ()
    all_sensors: bool = False

    @property
    def starts_program(self) -> bool:
        """Whether Node-RED runs the service itself."""
        return self.source in ("exec", "daemon")

    @property
    def sources(self) -> tuple[str, ...]:
        """What the started program reads, as NAME=SOURCE; without a name if that is `main`."""
        first = self.url if self.name == "main" else f"{self.name}={self.url}"
        return first, *self.others

    @property
    def id(self) -> str:
        """The ids of all BMS as one; part of the node ids unless it is `main`."""
        return "-".join((self.name, *(each.partition("=")[0] for each in self.others)))

    @property
    def prefix(self) -> str:
        """What every node id begins with: readable, and never the same in two flows."""
        parts = ["recbms", self.source, self.target]
        if self.id != "main":
            parts.append(self.id)
        return "-".join(parts)
