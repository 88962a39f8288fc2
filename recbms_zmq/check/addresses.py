"""The addresses to try for a BMS whose address the user does not know exactly. Pure."""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

_HOST: Final = re.compile(r"(?:[^\s@/]*@)?(?:[\w.-]{1,253}|\[[\w.:%]+\])(?::\d{1,5})?", re.ASCII)
_PATHS: Final = {"ws": "/ws", "wss": "/ws", "http": "/cell", "https": "/cell"}


def candidates(target: str) -> tuple[str, ...]:
    """Return the addresses at which a REC module may answer, best first.

    `192.168.8.2`, `bms.local:81`, `http://192.168.8.2/` and `192.168.8.2/ws` give the websocket and
    the page of older firmware. Empty for an address that is complete, and for anything that is not
    the address of a web server (`sim:`, `replay:FILE`, `-`).
    """
    text = _with_brackets(target.strip())
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator:
        scheme, rest = "ws", text
    if scheme not in _PATHS:
        return ()
    host, _, path = rest.partition("/")
    path = path.partition("?")[0].partition("#")[0].strip("/")
    if host == "-" or not _HOST.fullmatch(host):  # `-` is stdin, and would be a host name
        return ()
    is_complete = path == _PATHS[scheme].strip("/") or (bool(path) and scheme in ("ws", "wss"))
    if separator and is_complete:
        return ()
    secure = "s" if scheme in ("wss", "https") else ""
    return f"ws{secure}://{host}/ws", f"http{secure}://{host}/cell"


def needs_look_up(url: str) -> str | None:
    """Return the host name in an address; None if there is none, or it is an IP address."""
    host = urlsplit(url).hostname if "://" in url else None
    try:
        ipaddress.ip_address(host or "")
    except ValueError:
        return host
    return None


def _with_brackets(text: str) -> str:
    """Return a bare IPv6 address as URLs have it."""
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return text
    return f"[{text}]"
