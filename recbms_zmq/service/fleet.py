"""What a fleet of hundreds of BMS in one process needs: open files, and no stampedes."""

import resource
from typing import Final

from recbms_zmq.errors import ConfigError

CONNECTS_PER_SECOND: Final = 100
"""Connections are opened at this pace, so that a start, or the end of a network outage, is not a
thousand handshakes at once. A handshake costs about as much as ten frames."""
_OTHER_FILES: Final = 64  # sockets of ZeroMQ and its subscribers, pipes, counters being written


def start_delay(place: int) -> float:
    """Return the seconds that the BMS in this place of the configuration, from 0, waits."""
    return place / CONNECTS_PER_SECOND


def reconnect_spread(size: int) -> float:
    """Return the seconds over which a fleet of this size comes back; 0 for a few."""
    return size / CONNECTS_PER_SECOND if size > CONNECTS_PER_SECOND / 2 else 0.0


def allow_open_files(size: int, *, each: int = 1) -> None:
    """See to it that a fleet of this size can be connected.

    Args:
        size: BMS.
        each: open files that a BMS takes all the time.

    Raises:
        ConfigError: the system does not allow so many open files.

    """
    needed = size * each + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise ConfigError(
            f"{size} BMS take {needed} open files, and the limit is {hard}; raise it with "
            f"`ulimit -n {needed}`, or LimitNOFILE={needed} in the systemd unit"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
