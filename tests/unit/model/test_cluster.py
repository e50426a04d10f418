"""Addresses of servers on a cluster's nodes."""

from __future__ import annotations

import pytest

from firstbell.model.cluster import MOST_NODES, tunnel_address, tunnel_port, tunnel_target


@pytest.mark.parametrize("node", [1, 2, 255, MOST_NODES])
@pytest.mark.parametrize("address", ["172.20.16.2", "172.20.31.254"])
def test_an_address_leads_back_to_node_and_server(node, address):
    """What the proxy is given holds all that the tunnel needs, and is never 127.0.0.1."""
    loopback = tunnel_address(node, address, "172.20.16.0/20")
    assert loopback.startswith("127.")
    assert not loopback.startswith("127.0.0.")
    assert tunnel_target(loopback, "172.20.16.0/20") == (node, address)


@pytest.mark.parametrize(
    ("node", "subnet"), [(0, "172.20.16.0/20"), (MOST_NODES + 1, "172.20.16.0/20"), (1, "172.16.0.0/16")]
)
def test_what_has_no_address_is_refused(node, subnet):
    """A node without a number, one too many, and a subnet with more places than fit."""
    with pytest.raises(ValueError, match="no loopback address"):
        tunnel_address(node, "172.20.16.2", subnet)


def test_courses_have_ports_of_their_own():
    """The 256 subnets that courses choose from have 256 ports; others have one beyond these."""
    ports = {tunnel_port(f"172.{16 + number // 16}.{number % 16 * 16}.0/20") for number in range(256)}
    assert len(ports) == 256
    assert tunnel_port("10.9.0.0/20") not in ports
