"""A pack as a monitor sees it: frames go in, contract messages reach a `Model`."""

from typing import Any

from recbms_zmq.clock import Instant
from recbms_zmq.monitor.model import Model
from recbms_zmq.monitor.pack_state import PackState
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.reporting.messages import decode_message
from support.frames import SETTINGS, status
from support.publishing_bms import make_pipeline

WALL = 1_700_000_000.0


class MonitoredBms:
    """One BMS of a service, and the model of a subscriber.

    Args:
        model: shared with other packs, or one of its own.
        name, device_name: of the BMS.
        endpoint: the endpoint on which it is heard of.
        options: of `ReportOptions`.

    """

    def __init__(
        self,
        model: Model | None = None,
        *,
        name: str = "main",
        device_name: str = "REC BMS",
        endpoint: str = "",
        run: str = "5f3a9c01",
        **options: Any,
    ) -> None:
        self.model = Model() if model is None else model
        self.bodies: dict[Any, bytes] = {}
        """What the service would send to a new subscriber."""
        self._endpoint = endpoint
        self._now = 0.0
        self._device = make_pipeline(
            self._publish, name=name, device_name=device_name, run=run, **options
        )
        self._device.start(Instant(0.0, WALL))

    @property
    def pack(self) -> PackState:
        return self.model.packs[0]

    def frame(self, text: str, at: float = 0.0) -> None:
        """Let a frame come at this time."""
        self._now = at
        assert self._device.received(text.encode(), Instant(at, WALL + at))

    def status(self, at: float = 0.0, **changes: Any) -> None:
        """Let a status frame come, made of the real one."""
        self.frame(status(**changes), at)

    def settings(self, at: float = 0.0) -> None:
        """Let the real settings come."""
        self.frame(SETTINGS, at)

    def tick(self, at: float) -> None:
        """Let time pass without a frame."""
        self._now = at
        self._device.advance(Instant(at, WALL + at))

    def replay(self, at: float) -> None:
        """Let the service send its last values again."""
        for body in list(self.bodies.values()):
            self.model.update(decode_message(body), at, self._endpoint)

    def _publish(self, batch: Batch) -> None:
        for _, body, retained in batch.messages:
            if retained:
                self.bodies[retained] = body
            self.model.update(decode_message(body), self._now, self._endpoint)
        for expired in batch.expired:
            self.bodies.pop(expired, None)
