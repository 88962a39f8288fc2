"""The networks in which `recbms-zmq find` may look: private, of this machine, and not too large.

Python's standard library does not list the addresses of a machine. Linux lists its routes in a
file, and a route without a gateway is a network that this machine is part of. Other systems have
no such file: there the user names the network.
"""

import socket
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, ip_network
from pathlib import Path
from typing import Final

ROUTES: Final = Path("/proc/net/route")
SHORTEST_PREFIX: Final = 22
"""The largest network is a /22, 1,022 addresses: a larger one would be a scan of other people's
devices, and take many minutes."""
_PRIVATE: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
"""RFC 1918. Python's own `is_private` also means loopback, documentation and others."""
_UP, _GATEWAY, _REJECT = 0x1, 0x2, 0x200
_EXPECTED: Final = (
    "a private IPv4 network of at most 1,022 addresses (a /22), such as 192.168.8.0/24, or one "
    "private address"
)


def read_network(given: str) -> IPv4Network:
    """Read a network that the user names; bits of a host in it are ignored.

    Raises:
        ValueError: this program does not search such a network; the text is what is expected.

    """
    try:
        network = ip_network(given, strict=False)
    except ValueError:
        raise ValueError(_EXPECTED) from None
    if not isinstance(network, IPv4Network) or not is_private(network) or is_too_large(network):
        raise ValueError(_EXPECTED)
    return network


def is_private(network: IPv4Network) -> bool:
    """Return whether every address of a network is private."""
    return any(network.subnet_of(private) for private in _PRIVATE)


def is_too_large(network: IPv4Network) -> bool:
    """Return whether a network has more addresses than may be asked."""
    return network.prefixlen < SHORTEST_PREFIX


def own_networks() -> list[IPv4Network] | None:
    """Return the private networks of this machine; None if the system does not list them."""
    try:
        text = ROUTES.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    return list(dict.fromkeys(filter(is_private, connected_networks(text))))


def connected_networks(routes: str) -> Iterator[IPv4Network]:
    """Return the networks that are reached without a gateway, from the text of Linux's file.

    Routes to single addresses are left out, and lines of another form.
    """
    for line in routes.splitlines()[1:]:
        try:
            _, destination, _, flags, _, _, _, mask, *_ = line.split()
            if int(flags, 16) & (_UP | _GATEWAY | _REJECT) != _UP:
                continue
            network = IPv4Network((_address(destination), str(_address(mask))))
        except (ValueError, OverflowError):
            continue
        if 0 < network.prefixlen < 32:
            yield network


def part_with_this_machine(network: IPv4Network) -> IPv4Network:
    """Return the part of a network, as large as may be asked, in which this machine is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        try:
            # The kernel chooses our own address by its routes, and sends nothing.
            udp.connect((str(network[1]), 9))
            own = IPv4Address(udp.getsockname()[0])
        except OSError:
            own = network[0]
    inside = own if own in network else network[0]
    return IPv4Network((inside, SHORTEST_PREFIX), strict=False)


def _address(word: str) -> IPv4Address:
    # The file has the number as the kernel keeps it in memory.
    return IPv4Address(int(word, 16).to_bytes(4, sys.byteorder))
