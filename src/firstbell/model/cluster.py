"""How the parts of a course reach each other on a cluster: ports, purposes of a link, addresses of servers.

Servers sit on a bridge of their node, the same subnet on each. From the hub's node one is reached at a loopback address
that holds the node's number and the server's place in that subnet, 12 bits each (Linux answers on all of 127.0.0.0/8);
the course's tunnel listens there, and goes on to the node's link over TLS.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network

LINK_PORT = 18079
"""TCP, of every node, for the other nodes. Mutual TLS, so it may be open to anybody."""
REGISTRY_PORT = 5000
"""On every node's own 127.0.0.1, where engines trust a registry without TLS of its own."""
_TUNNEL_PORTS = 18100
_COURSES = IPv4Network("172.16.0.0/12")
_HOST_BITS = 12
MOST_NODES = (1 << 12) - 1
MOST_SERVERS_OF_A_NODE = (1 << _HOST_BITS) - 3
"""Addresses of a /20 without its network, gateway and broadcast."""
LEASE_SECONDS = 25.0
"""For so long a server with a home that every node can mount goes on without a word of its hub; then it ends."""
LEASE_MARGIN = 5.0
"""Seconds after which it has certainly ended: its clock may be slower than the hub's, and ending takes a moment."""


class Purpose(StrEnum):
    """What a connection to a link is for; the protocol that TLS negotiates (ALPN, RFC 7301)."""

    DOCKER = "firstbell-docker"
    """The node's own daemon. For the hub and the command line."""
    SERVER = "firstbell-server"
    """A line `ADDRESS PORT`, then that container of the node. For the tunnel."""
    HUB = "firstbell-hub"
    """A line `GATEWAY PORT`, then the hub that listens there. For other nodes."""
    REGISTRY = "firstbell-registry"
    """The registry of the node. For other nodes."""
    PING = "firstbell-ping"
    """One line of JSON, a `NodePulse`. For the hub, the command line and the tunnel."""
    NODES = "firstbell-nodes"
    """One line of JSON: numbers and addresses of the nodes, as a manager knows them. For the tunnel."""


class KeyRole(StrEnum):
    """Who a certificate speaks for: its organizational unit."""

    HUB = "hub"
    """May do everything on every node. For the hub and the command line."""
    TUNNEL = "tunnel"
    """May reach servers, and see that a node answers. It carries what students send, so it can do no more."""
    NODE = "node"
    """May reach hubs and the registry. The only one that is believed to be a link."""


def tunnel_port(subnet: str) -> int:
    """The port of a course's tunnel, by the course's subnet: its place among the /20 of 172.16.0.0/12."""
    network = IPv4Network(subnet)
    if network.subnet_of(_COURSES):
        return _TUNNEL_PORTS + (int(network.network_address) - int(_COURSES.network_address) >> _HOST_BITS)
    return _TUNNEL_PORTS + 256 + int(hashlib.sha256(subnet.encode()).hexdigest()[:8], 16) % 256


def tunnel_address(node: int, address: str, subnet: str) -> str:
    """Where the server at `address` of that node's bridge is reached from the hub's node.

    Raises ValueError for a subnet larger than /20 and a node number beyond MOST_NODES: neither fits 24 bits.
    """
    network = IPv4Network(subnet)
    if network.prefixlen < 32 - _HOST_BITS or not 0 < node <= MOST_NODES:
        raise ValueError(f"node {node} with {subnet} has no loopback address")
    place = int(IPv4Address(address)) - int(network.network_address)
    return str(IPv4Address((127 << 24) | (node << _HOST_BITS) | place))


def tunnel_target(loopback: str, subnet: str) -> tuple[int, str]:
    """The node's number and the server's address there; the reverse of `tunnel_address`."""
    value = int(IPv4Address(loopback)) & 0xFFFFFF
    place = value & ((1 << _HOST_BITS) - 1)
    return value >> _HOST_BITS, str(IPv4Address(int(IPv4Network(subnet).network_address) + place))
