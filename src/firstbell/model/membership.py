"""How one machine belongs to a Swarm, as its own daemon says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Membership:
    """From `GET /info` of a machine's daemon."""

    state: str = "inactive"
    """Docker's word: inactive, pending, active, error, locked."""
    node_id: str = ""
    address: str = ""
    """IPv4 at which it tells the others to reach it."""
    is_manager: bool = False
    managers: tuple[str, ...] = ()
    """`ADDRESS:PORT` of the managers that it knows."""
    swarm_id: str = ""
    """Of the Swarm; told to managers only."""
    is_autolocked: bool = False
    error: str = ""
    name: str = ""
    """The machine's host name, which is its node's name."""
    version: str = ""
    architecture: str = ""
    """The kernel's word: x86_64, aarch64, …"""
    clock: float = 0.0
    """Seconds since 1970 when it answered."""
    skew: float = 0.0
    """Seconds by which its clock is ahead of ours, as exact as half the time its answer took."""

    @property
    def is_member(self) -> bool:
        """Whether it belongs to a Swarm and works in it."""
        return self.state == "active"


@dataclass(frozen=True, slots=True)
class ManagerState:
    """A manager as the others see it."""

    name: str
    address: str
    is_reachable: bool
    is_leader: bool = False
