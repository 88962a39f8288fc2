"""Options that have no effect together: what is typed in vain is refused, with the reason.

Only the command line is checked. A file and the environment are for many runs, and may hold what
one of them does not use.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from recbms_zmq.config.layers import SOURCE
from recbms_zmq.config.load import Loaded
from recbms_zmq.config.options import BY_NAME
from recbms_zmq.errors import UsageError


class Rule(NamedTuple):
    """Options, and when they have no effect.

    Attributes:
        names: of the options.
        why: returns why they have none, to follow "has no effect"; empty if they have one.

    """

    names: tuple[str, ...]
    why: Callable[[Loaded], str]


def refuse_without_effect(given: Mapping[str, Any], loaded: Loaded) -> None:
    """Refuse an option of the command line that has no effect beside the others.

    Args:
        given: options of the command line by their names; None for those that are not given.
        loaded: the configuration that they are a part of.

    Raises:
        UsageError: an option has no effect.

    """
    for rule in RULES:
        typed = [name for name in rule.names if given.get(name) is not None]
        why = rule.why(loaded) if typed else ""
        if why:
            raise UsageError(f"{BY_NAME[typed[0]].flag}: has no effect {why}")


def _once(loaded: Loaded) -> str:
    return "with --once, which prints the state on stdout only" if loaded.config.once else ""


def _not_once(loaded: Loaded) -> str:
    return "" if loaded.config.once else "without --once"


def _not_published(loaded: Loaded) -> str:
    return "with --no-publish" if loaded.config.no_publish else ""


def _not_printed(loaded: Loaded) -> str:
    return "with --no-stdout" if loaded.config.no_stdout else ""


def _no_messages(loaded: Loaded) -> str:
    config = loaded.config
    if config.format in (None, "json") or config.publish:
        return ""
    return f"with --format {config.format} if nothing is published: there are no messages"


def _no_socket_file(loaded: Loaded) -> str:
    is_used = any(each.startswith("ipc://") for each in loaded.config.publish)
    return "" if is_used else "without an ipc:// endpoint of --publish"


def _no_tcp(loaded: Loaded) -> str:
    is_used = any(each.startswith("tcp://") for each in loaded.config.publish)
    return "" if is_used else "without a tcp:// endpoint of --publish"


def _encrypted(loaded: Loaded) -> str:
    return "with --curve-secret-key" if loaded.config.curve_secret_key else ""


def _not_polled(loaded: Loaded) -> str:
    is_used = any(bms.url.startswith("http") for bms in loaded.config.bms)
    return "" if is_used else "without an http:// source"


def _only_snapshots(loaded: Loaded) -> str:
    is_used = any(bms.reporting.emit != "snapshot" for bms in loaded.config.bms)
    return "" if is_used else "with --emit snapshot: only readings have a part for Home Assistant"


def _all_named(loaded: Loaded) -> str:
    is_used = any(bms["name"].origin != SOURCE for bms in loaded.bms)
    return "" if is_used else "if each source has a name, as in NAME=SOURCE"


_OF_ZMQ: Final = (
    "publish",
    "hwm",
    "max_clients",
    "allow_plaintext",
    "curve_secret_key",
    "curve_allow",
    "curve_allow_any",
    "allow_ip",
    "ipc_mode",
)
RULES: Final = (
    Rule(
        (
            *_OF_ZMQ,
            "state_dir",
            "exit_on_stdin_close",
            "report",
            "refresh",
            "min_interval",
            "energy_max_gap",
        ),
        _once,
    ),
    Rule(("timeout",), _not_once),
    Rule(_OF_ZMQ, _not_published),
    Rule(("format",), _not_printed),
    Rule(("prefix", "emit", "report", "refresh", "bare", "only", "except"), _no_messages),
    Rule(("ipc_mode",), _no_socket_file),
    Rule(("allow_ip", "allow_plaintext"), _no_tcp),
    Rule(("allow_plaintext",), _encrypted),
    Rule(("poll_interval",), _not_polled),
    Rule(("bare",), _only_snapshots),
    Rule(("name",), _all_named),
)
"""In this order: the first that applies is the reason that is given."""
