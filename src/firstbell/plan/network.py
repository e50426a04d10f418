"""The servers' network: its addresses, and the packet filter that keeps a user's terminal where it belongs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address, ip_network
from itertools import chain
from typing import Literal

from firstbell.errors import StartFailed
from firstbell.model import names
from firstbell.model.container import NetworkSpec, frozen
from firstbell.model.runtime import HUB_PORT

_POOL = IPv4Network("172.16.0.0/12")
"""RFC 1918; where Docker itself makes bridges, so what avoids Docker's networks avoids ours."""
_PREFIX = 20
"""4,093 servers on one bridge."""

PRIVATE = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
)
"""IPv4 that is not the internet (RFC 6890), the clouds' metadata address in 169.254.0.0/16 among it."""
LINK_LOCAL = ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")
"""What stays closed even when private addresses are open."""
PRIVATE6 = ("::/127", "fc00::/7", "fe80::/10", "ff00::/8")

Egress = Literal["internet", "all", "none"]


@dataclass(frozen=True, slots=True)
class WayOut:
    """What servers reach beyond the internet: the machine's resolvers, (address, port) of mirrors and proxy."""

    resolvers: tuple[str, ...] = ()
    endpoints: tuple[tuple[str, int], ...] = ()
    nodes: tuple[str, ...] = ()
    """Addresses of a cluster's machines, which are closed to servers as their own machine is."""


def choose_subnet(course: str, used: Iterable[str]) -> str:
    """The first free /20 of 172.16.0.0/12, searched from a place that the course's name decides (CIDR).

    Raises StartFailed when all 256 overlap with a network that exists.
    """
    taken = [ip_network(cidr, strict=False) for cidr in used if cidr]
    taken4 = [network for network in taken if isinstance(network, IPv4Network)]
    candidates = list(_POOL.subnets(new_prefix=_PREFIX))
    first = hashlib.sha256(course.encode()).digest()[0] % len(candidates)
    for candidate in chain(candidates[first:], candidates[:first]):
        if not any(candidate.overlaps(network) for network in taken4):
            return str(candidate)
    raise StartFailed(
        "no free /20 is left in 172.16.0.0/12 for the servers' network",
        next_step='Remove unused networks (docker network prune), or set [network] subnet = "10.111.0.0/20".',
    )


def network_spec(course: str, subnet: str) -> NetworkSpec:
    """The bridge of a course's servers: no traffic between containers."""
    return NetworkSpec(
        name=names.network(course),
        bridge=names.bridge(course),
        labels=frozen(names.labels(course, names.Role.SERVERS)),
        subnet=subnet,
        inter_container=False,
    )


def gateway_of(subnet: str) -> str:
    """The address Docker gives the bridge: the subnet's first."""
    return str(next(IPv4Network(subnet, strict=False).hosts()))


def table_name(course: str) -> str:
    """The name of the course's nftables table."""
    return names.bridge(course).replace("-", "_")


def ruleset(course: str, gateway: str, egress: Egress, way_out: WayOut, only_port: int = 0) -> str:
    """The nftables script that replaces the course's table in one transaction.

    From the bridge, this machine answers on the hub's port of the gateway alone, and where a mirror is on it; other
    servers and other bridges never; private and link-local addresses by `egress`. A table of its own, before Docker's
    chains, so that nobody else's rules are touched. Established traffic passes: the hub and the proxy open
    connections inwards, from this machine itself. A neighbour that sets a route to the bridge by way of this machine
    reaches neither servers nor the hub's port: whether Docker's own rules stop it depends on who began forwarding.
    With `only_port` this machine itself reaches no other port of a server: a web application's own port has no login.
    """
    bridge, table = names.bridge(course), table_name(course)
    return "\n".join(
        [
            f"add table inet {table}",
            f"delete table inet {table}",
            f"table inet {table} {{",
            "  chain to_this_machine {",
            "    type filter hook input priority -10; policy accept;",
            # What comes from a bridge of ours is for that bridge's own table: addresses are given out again, and the
            # table of a course that is gone, whose guard was killed, must not close the hub of the next one.
            f'    iifname != "lo" iifname != "{names.BRIDGES}" ip daddr {gateway} tcp dport {HUB_PORT} drop',
            f'    iifname != "{bridge}" accept',
            "    ct state established,related accept",
            f"    ip daddr {gateway} tcp dport {HUB_PORT} accept",
            *(_endpoint_rules(way_out) if egress != "none" else ()),
            "    drop",
            "  }",
            "  chain beyond {",
            "    type filter hook forward priority -10; policy accept;",
            f'    iifname != "{bridge}" oifname != "{bridge}" accept',
            f'    iifname != "{bridge}" ct state established,related accept',
            f'    oifname "{bridge}" drop',
            "    ct state established,related accept",
            *_way_out_rules(egress, way_out),
            "  }",
            *(_way_in_rules(bridge, only_port) if only_port else ()),
            "}",
            "",
        ]
    )


def _way_in_rules(bridge: str, port: int) -> list[str]:
    return [
        "  chain from_this_machine {",
        "    type filter hook output priority -10; policy accept;",
        f'    oifname != "{bridge}" accept',
        "    ct state established,related accept",
        f"    tcp dport {port} accept",
        "    drop",
        "  }",
    ]


def _way_out_rules(egress: Egress, way_out: WayOut) -> list[str]:
    if egress == "none":
        return ["    drop"]
    closed = PRIVATE if egress == "internet" else LINK_LOCAL
    return [
        *[f"    {_daddr(r)} meta l4proto {{ tcp, udp }} th dport 53 accept" for r in way_out.resolvers],
        *_endpoint_rules(way_out),
        *([f"    ip daddr {{ {', '.join(way_out.nodes)} }} drop"] if way_out.nodes else []),
        f"    ip daddr {{ {', '.join(closed)} }} drop",
        f"    ip6 daddr {{ {', '.join(PRIVATE6)} }} drop",
    ]


def _endpoint_rules(way_out: WayOut) -> list[str]:
    """Mirrors and proxy; this machine may be where one of them is."""
    return [f"    {_daddr(address)} tcp dport {port} accept" for address, port in way_out.endpoints]


def _daddr(address: str) -> str:
    return f"{'ip6' if ip_address(address).version == 6 else 'ip'} daddr {address}"
