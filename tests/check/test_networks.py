"""In which networks `find` looks."""

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbms_zmq.check.networks import connected_networks, read_network

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
ROUTES = HEAD + "\n".join(
    f"{interface}\t{destination}\t{gateway}\t{flags}\t0\t0\t0\t{mask}\t0\t0\t0"
    for interface, destination, gateway, flags, mask in (
        ("eth0", "00000000", "010200C0", "0003", "00000000"),  # the default route
        ("eth0", "0008A8C0", "00000000", "0001", "00FFFFFF"),
        ("wlan0", "0008A8C0", "00000000", "0001", "00FFFFFF"),  # the same network by radio
        ("eth0", "0009A8C0", "0108A8C0", "0003", "00FFFFFF"),  # behind a router
        ("docker0", "000011AC", "00000000", "0001", "0000FFFF"),
        ("eth0", "0508A8C0", "00000000", "0005", "FFFFFFFF"),  # one host
        ("eth1", "0000000A", "00000000", "0000", "000000FF"),  # down
        ("*", "0001A8C0", "00000000", "0201", "00FFFFFF"),  # rejected
    )
)


def test_the_networks_of_a_machine_are_its_routes_without_a_gateway() -> None:
    assert list(map(str, connected_networks(ROUTES))) == [
        "192.168.8.0/24",
        "192.168.8.0/24",
        "172.17.0.0/16",
    ]


@given(
    st.lists(
        st.text(st.sampled_from("0123456789ABCDEFx \t-")) | st.sampled_from(ROUTES.split("\n"))
    )
)
def test_lines_of_another_form_are_skipped(lines: list[str]) -> None:
    found = list(connected_networks("\n".join([HEAD, *lines])))
    assert all(isinstance(network, IPv4Network) for network in found)


@pytest.mark.parametrize(
    ("given_network", "network"),
    [
        ("192.168.8.0/24", "192.168.8.0/24"),
        ("192.168.8.77/24", "192.168.8.0/24"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("172.16.4.0/255.255.252.0", "172.16.4.0/22"),
    ],
)
def test_a_private_network_is_read(given_network: str, network: str) -> None:
    assert str(read_network(given_network)) == network


@pytest.mark.parametrize(
    "given_network",
    [
        *("8.8.8.0/24", "127.0.0.0/24", "169.254.0.0/24", "203.0.113.0/24", "100.64.0.0/24"),
        *("10.0.0.0/21", "192.168.0.0/16", "0.0.0.0/0", "172.15.255.0/22", "fd00::/120", "::1"),
        *("", "bms.local", "192.168.8", "192.168.8.0/33", "ws://192.168.8.2/ws", "192.168.8.2:80"),
    ],
)
def test_other_networks_are_refused(given_network: str) -> None:
    with pytest.raises(ValueError, match=r"a private IPv4 network of at most 1,022 addresses"):
        read_network(given_network)
