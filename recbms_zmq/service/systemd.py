"""Notifications to systemd: READY, STATUS, WATCHDOG and STOPPING.

The protocol is that of sd_notify(3): datagrams to the socket in $NOTIFY_SOCKET. Without that
variable nothing is sent. Times are arguments; the caller decides whether the service is alive.
"""

import contextlib
import os
import socket
from collections.abc import Callable, MutableMapping, Sequence
from typing import Final

from recbms_zmq.service.pipeline import Pipeline
from recbms_zmq.service.timer import NEVER

STATUS_EVERY: Final = 5.0
"""Seconds between two checks of the status line at least. It is sent when it has changed."""
STATUS_WAITS: Final = 2.0
"""Seconds for which the check waits for the next frame, because that wakes the process anyway."""
RETRY: Final = 1.0
"""Seconds until what did not fit into systemd's queue is sent again."""
_MOST_NAMED: Final = 5  # BMS in one status line


class Notifier:
    """Sends notifications without ever blocking.

    Args:
        environ: systemd's variables are removed from it, so that no child process uses them.
        status: returns the status line.
        is_alive: returns whether frames and timers are still processed.

    """

    def __init__(
        self,
        environ: MutableMapping[str, str],
        status: Callable[[], str],
        is_alive: Callable[[], bool],
    ) -> None:
        address = environ.pop("NOTIFY_SOCKET", "")
        usec, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if address.startswith(("/", "@")):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        # Twice per interval, as sd_watchdog_enabled(3) recommends.
        is_watched = usec.isdecimal() and int(usec) > 0 and pid in ("", str(os.getpid()))
        self._beat_every = int(usec) / 2e6 if is_watched else 0.0
        self._beat_due = 0.0 if is_watched else NEVER
        self._status_line = status
        self._is_alive = is_alive
        self._status = ""
        self._status_due = NEVER  # not before READY
        self._may_have_changed = True
        self._unsent: dict[str, str] = {}
        self._retry_due = NEVER

    def ready(self) -> None:
        """Note that all sockets are open; `update` sends READY."""
        self._unsent["READY"] = "1"
        self._status_due = 0.0

    def changed(self, now: float) -> bool:
        """Note that the status line may have changed; return whether that led to an update."""
        self._may_have_changed = True
        if now < self._status_due:
            return False
        self.update(now)
        return True

    @property
    def is_used(self) -> bool:
        """Whether systemd wants notifications."""
        return self._socket is not None

    @property
    def next_due(self) -> float:
        """The monotonic time from which `update` has something to do, in seconds."""
        if self._socket is None:
            return NEVER
        status_due = self._status_due + STATUS_WAITS if self._may_have_changed else NEVER
        return min(self._beat_due, status_due, self._retry_due)

    def update(self, now: float) -> None:
        """Send what is due: WATCHDOG if the service is alive, and a STATUS that has changed."""
        if self._socket is None:
            return
        changes: dict[str, str] = {}
        if now >= self._beat_due:
            self._beat_due = now + self._beat_every
            self._unsent.pop("WATCHDOG", None)
            if self._is_alive():
                changes["WATCHDOG"] = "1"
        if self._may_have_changed and now >= self._status_due:
            self._may_have_changed = False
            self._status_due = now + STATUS_EVERY
            text = self._status_line()
            if text != self._status:
                self._status = changes["STATUS"] = text
        if changes or self._unsent:
            self._send(**changes)
            self._retry_due = now + RETRY if self._unsent else NEVER

    def stopping(self) -> None:
        """Send STOPPING: the shutdown has begun, and what it changes is no status."""
        self._status_due = NEVER
        self._send(STOPPING="1", STATUS="stopping")

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, **changes: str) -> None:
        """Send changes, and those that did not fit into systemd's queue before."""
        if self._socket is None:
            return
        self._unsent |= changes
        text = "\n".join(f"{name}={value}" for name, value in self._unsent.items())
        with contextlib.suppress(OSError):
            self._socket.sendto(text.encode(), self._address)
            self._unsent.clear()


def status_line(pipelines: Sequence[Pipeline]) -> str:
    """Return the state of the fleet in one line, for `systemctl status`; offline BMS first."""
    online = [pipeline for pipeline in pipelines if pipeline.online]
    offline = [pipeline for pipeline in pipelines if not pipeline.online]
    parts = [f"{len(online)} of {len(pipelines)} BMS online"]
    parts += [f"{pipeline.name} offline: {pipeline.reason}" for pipeline in offline[:_MOST_NAMED]]
    parts += [_online(pipeline) for pipeline in online[: max(0, _MOST_NAMED - len(offline))]]
    if len(pipelines) > _MOST_NAMED:
        parts.append(f"and {len(pipelines) - _MOST_NAMED} more")
    return " ".join("; ".join(parts).split())


def _online(pipeline: Pipeline) -> str:
    """Return the state of a BMS that is online: `main 28.5 %, charging`."""
    charge = pipeline.reading("soc")
    words = [] if charge is None else [f"{charge} %"]
    state = pipeline.reading("charge_state")
    words += [] if state is None else [str(state)]
    if pipeline.reading("problem"):
        words.append(f"problem: {pipeline.reading('error_text')}")
    return f"{pipeline.name} {', '.join(words)}"
