"""What a link makes of the answers of its daemon: courses, where it listens for them, whom it may reach. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from typing import Any

from firstbell.model.cluster import REGISTRY_PORT, Purpose
from firstbell.model.names import LABEL_COURSE, LABEL_HUB_NODE, NODE_NUMBER, NODE_READY
from firstbell.model.runtime import HUB_PORT


@dataclass(frozen=True, slots=True)
class Course:
    """A course's network on this node."""

    name: str
    hub_node: str
    """Address of the node on which the hub is."""
    gateway: str
    subnet: IPv4Network


@dataclass(frozen=True, slots=True)
class Forward:
    """What a link listens for on its node, and where that goes."""

    address: str
    port: int
    node: str
    purpose: Purpose
    target: str = ""


def courses(networks: Any) -> tuple[Course, ...]:
    """Of `GET /networks`; what is no network of a course is passed over."""
    found = {course for network in networks if (course := _course(network)) is not None}
    return tuple(sorted(found, key=lambda course: (course.name, course.gateway)))


def _course(network: Mapping[str, Any]) -> Course | None:
    labels = network.get("Labels") or {}
    name, hub_node = labels.get(LABEL_COURSE), labels.get(LABEL_HUB_NODE)
    plans = (network.get("IPAM") or {}).get("Config") or []
    if not name or not hub_node or not plans:
        return None
    try:
        subnet = IPv4Network(plans[0].get("Subnet", ""))
        gateway = IPv4Address(plans[0].get("Gateway", ""))
    except (AddressValueError, NetmaskValueError, ValueError):
        return None
    return Course(name, hub_node, str(gateway), subnet)


def forwards(known: Iterable[Course], own: str, registry: str) -> frozenset[Forward]:
    """Where to listen on the node at `own`: for hubs and the registry of other nodes, never of its own."""
    hubs = {
        Forward(course.gateway, HUB_PORT, course.hub_node, Purpose.HUB, f"{course.gateway} {HUB_PORT}")
        for course in known
        if course.hub_node != own
    }
    images = {Forward("127.0.0.1", REGISTRY_PORT, registry, Purpose.REGISTRY)} if registry not in ("", own) else set()
    return frozenset(hubs | images)


def target(purpose: Purpose, asked: str, known: Iterable[Course], own: str, registry: str) -> tuple[str, int] | None:
    """Address and port that a stream may have; None for what is not this link's to give."""
    if purpose is Purpose.REGISTRY:
        return ("127.0.0.1", REGISTRY_PORT) if registry == own else None
    address, _, number = asked.partition(" ")
    if not number.isascii() or not number.isdigit() or not 0 < int(number) < 1 << 16:
        return None
    try:
        there = IPv4Address(address)
    except AddressValueError:
        return None
    port = int(number)
    if purpose is Purpose.HUB:
        ours = any(course.gateway == address and course.hub_node == own for course in known)
        return (address, port) if ours and port == HUB_PORT else None
    if purpose is Purpose.SERVER:
        ours = any(there in course.subnet and address != course.gateway for course in known)
        return (address, port) if ours else None
    return None


def addresses(nodes: Any) -> dict[int, str]:
    """Addresses of prepared nodes by number, of `GET /nodes`."""
    found: dict[int, str] = {}
    for node in nodes:
        labels = node.get("Spec", {}).get("Labels") or {}
        number = labels.get(NODE_NUMBER, "")
        if labels.get(NODE_READY) == "true" and number.isascii() and number.isdigit():
            found[int(number)] = address_of(node)
    return {number: address for number, address in found.items() if address}


def address_of(node: Mapping[str, Any]) -> str:
    """A node's address. A manager's is where managers meet: its status may hold 0.0.0.0 (moby/moby#35437)."""
    manager = (node.get("ManagerStatus") or {}).get("Addr", "").rpartition(":")[0]
    return str(manager or (node.get("Status") or {}).get("Addr", ""))
