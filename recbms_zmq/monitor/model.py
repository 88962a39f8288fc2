"""All packs of a view, and the services that their messages come from.

Pure, as `pack_state`: each message comes with its arrival time in monotonic seconds.
"""

from collections.abc import Iterable

from recbms_zmq.monitor.pack_state import PackState
from recbms_zmq.reporting.messages import Message


class Model:
    """All packs, and the endpoints that their messages come from.

    The endpoint is empty for BMS that this process reads itself. Two services may both have a pack
    of the same topic, so a pack is identified by endpoint and topic.
    """

    def __init__(self, endpoints: Iterable[str] = ()) -> None:
        self.connected: dict[str, bool] = dict.fromkeys(endpoints, False)
        """For each endpoint, whether the service there is connected."""
        self.refusals: dict[str, str] = {}
        """Why the service at an endpoint refuses the connection."""
        self._packs: dict[tuple[str, str], PackState] = {}

    @property
    def packs(self) -> list[PackState]:
        """In the order of their first messages."""
        return list(self._packs.values())

    def has_packs(self, endpoint: str) -> bool:
        """Return whether a message has come from this endpoint."""
        return any(pack_endpoint == endpoint for pack_endpoint, _ in self._packs)

    def update(self, message: Message, now: float, endpoint: str = "") -> None:
        """Update a pack by a message that came now from this endpoint."""
        # A message may arrive before the event of its connection.
        if endpoint in self.connected:
            self.connected[endpoint] = True
        # The topic with its prefix: two services behind one proxy may differ in that only.
        key = (endpoint, message.topic.removesuffix(message.key))
        pack = self._packs.get(key)
        if pack is None:
            pack = self._packs[key] = PackState(message.device_name)
        pack.update(message, now)

    def explain(self, device: str, reason: str, endpoint: str = "") -> None:
        """Set why a device is offline."""
        for (pack_endpoint, topic), pack in self._packs.items():
            if pack_endpoint == endpoint and topic.endswith(f"/{device}/") and not pack.online:
                pack.reason = reason

    def connection(self, endpoint: str, connected: bool, now: float) -> None:
        """Set whether the service at an endpoint is connected."""
        self.connected[endpoint] = connected
        if connected:
            self.refusals.pop(endpoint, None)
        else:
            for (pack_endpoint, _), pack in self._packs.items():
                if pack_endpoint == endpoint:
                    pack.disconnected(f"no connection to the service at {endpoint}", now)

    def refused(self, endpoint: str, why: str) -> None:
        """Set why the service at an endpoint refuses the connection."""
        self.refusals[endpoint] = why
