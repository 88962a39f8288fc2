"""What systemd is told: that the service is ready, how it is, that it is alive, and that it ends.

The protocol of sd_notify(3), without its library: datagrams to the socket that $NOTIFY_SOCKET
names. Without that variable nothing happens. Whether the service is alive is judged by the caller.
"""

import contextlib
import os
import socket
from collections.abc import Callable, MutableMapping, Sequence
from typing import Final

from recbms_zmq.service.pipeline import Pipeline

STATUS_EVERY: Final = 5.0
"""Seconds between two looks at the state; it is told if it has changed."""
_MOST_NAMED: Final = 5  # BMS in one status line


class Notifier:
    """Tells systemd, if it is there. Never waits for it.

    Args:
        environ: its variables for us are taken out, so that no child takes them for its own.
        status: says in one line how the service is.

    """

    def __init__(self, environ: MutableMapping[str, str], status: Callable[[], str]) -> None:
        address = environ.pop("NOTIFY_SOCKET", "")
        usec, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if address.startswith(("/", "@")):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        # Twice as often as asked for, as sd_watchdog_enabled(3) recommends.
        is_watched = usec.isdecimal() and int(usec) > 0 and pid in ("", str(os.getpid()))
        self._beat_every = int(usec) / 2e6 if is_watched else 0.0
        self._beat_due = 0.0 if is_watched else float("inf")
        self._state_status_line = status
        self._status = ""
        self._status_due = 0.0
        self._unsent: dict[str, str] = {}

    def ready(self, now: float) -> None:
        """Say that everything is open. `now` is monotonic, in seconds."""
        self._unsent["READY"] = "1"
        self.update(now, alive=True)

    def update(self, now: float, *, alive: bool) -> None:
        """Say what is due: that the service is alive, and its state if that has changed."""
        if self._socket is None:
            return
        news: dict[str, str] = {}
        if not alive:
            self._unsent.pop("WATCHDOG", None)
        elif now >= self._beat_due:
            self._beat_due = now + self._beat_every
            news["WATCHDOG"] = "1"
        if now >= self._status_due:
            self._status_due = now + STATUS_EVERY
            text = self._state_status_line()
            if text != self._status:
                self._status = news["STATUS"] = text
        if news or self._unsent:
            self._say(**news)

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._say(STOPPING="1", STATUS="stopping")

    def close(self) -> None:
        """Say nothing more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _say(self, **news: str) -> None:
        """Send what is new, and what systemd had no room for before."""
        if self._socket is None:
            return
        self._unsent |= news
        text = "\n".join(f"{name}={value}" for name, value in self._unsent.items())
        with contextlib.suppress(OSError):
            self._socket.sendto(text.encode(), self._address)
            self._unsent.clear()


def status_line(pipelines: Sequence[Pipeline]) -> str:
    """Say in one line how the BMS are, for `systemctl status`; those that are offline first."""
    online = [pipeline for pipeline in pipelines if pipeline.online]
    offline = [pipeline for pipeline in pipelines if not pipeline.online]
    parts = [f"{len(online)} of {len(pipelines)} BMS online"]
    parts += [f"{pipeline.name} offline: {pipeline.reason}" for pipeline in offline[:_MOST_NAMED]]
    parts += [_online(pipeline) for pipeline in online[: max(0, _MOST_NAMED - len(offline))]]
    if len(pipelines) > _MOST_NAMED:
        parts.append(f"and {len(pipelines) - _MOST_NAMED} more")
    return " ".join("; ".join(parts).split())


def _online(pipeline: Pipeline) -> str:
    """Say how a BMS is: `main 28.5 %, charging`."""
    charge = pipeline.reading("soc")
    words = [] if charge is None else [f"{charge} %"]
    state = pipeline.reading("charge_state")
    words += [] if state is None else [str(state)]
    if pipeline.reading("problem"):
        words.append(f"problem: {pipeline.reading('error_text')}")
    return f"{pipeline.name} {', '.join(words)}"
